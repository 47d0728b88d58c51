/** Grids of patches: the effect on a quantity of every cell of a site, each in a row of its own. */
import { toMaybeNumber } from '../../contract/numbers.ts'
import { gridName, normalisedBy, type PatchGrid, spanOf } from '../../contract/patching.ts'
import type { InferredPatching, PatchingJob, PatchingStep } from './messages.ts'
import { type PairedPrompts, preparePair, requireSite } from './paired-prompts.ts'
import { finalOf, PatchPass, type PatchRow } from './patch-pass.ts'
import { openPatchSessions } from './patch-plans.ts'
import { neededTokens, QuantityReader, resolveQuantity } from './quantity.ts'
import { rowsOfBatch } from './row-batches.ts'
import { compileOrFallBack, type InferenceState, type Pause, promptOf } from './run.ts'
import { chooseProvider } from './sessions.ts'

/** A row of a batch and the place of its cell in the grid's row. */
interface Cell extends PatchRow {
  readonly column: number
}

/**
 * The cells of a grid's row that are computed. Attention is causal: before the first token that differs both runs are the same, and what
 * follows the quantity's position does not matter to it.
 */
function cellsOf({ site, head }: PatchGrid, { differing, model }: PairedPrompts, length: number): Cell[] {
  const first = differing[0] ?? length
  if (first >= length) return []
  if (site === 'z' && head === null) {
    return Array.from({ length: model.transformer.shape.heads }, (_, column) => ({ column, positions: 'all', head: column }))
  }
  return Array.from({ length: length - first }, (_, at) => ({ column: first + at, positions: [first + at], head }))
}

/** Patches every cell of the grids asked for. Throws what is wrong with the job's files or its request, and what `pause` throws. */
export async function patchGrids(
  job: PatchingJob,
  state: InferenceState,
  pause: Pause,
  onStep: (step: PatchingStep) => void
): Promise<InferredPatching> {
  const started = performance.now()
  const pair = await preparePair(job, state)
  const { model, tokens, sourceTokens } = pair
  const { layers, heads } = model.transformer.shape
  for (const grid of job.sites) requireSite(grid, model)
  const quantity = resolveQuantity(job.quantity, tokens, model)
  const length = neededTokens(quantity, tokens)
  const {
    compiled: sessions,
    chosen,
    warning
  } = await compileOrFallBack(
    choice =>
      openPatchSessions(
        pair,
        job.sites.map(({ site }) => site),
        state,
        choice,
        pause
      ),
    chooseProvider(job.provider, job.precision)
  )
  const opened = performance.now()

  const pass = await PatchPass.open(model, sessions, [tokens, sourceTokens], length)
  const reader = new QuantityReader(quantity, tokens, sessions.readout, state.budget.rows)
  let flowing = pass.begin()
  for (let layer = 0; layer < layers; layer++) flowing = await pass.block(layer, flowing, label => pause(label, 0.05))
  const finals = pass.readAt(finalOf(flowing), quantity)
  reader.setClean(finals, 0)
  const [base = Number.NaN, source = Number.NaN] = await reader.read(finals, label => pause(label, 0.05))
  const start = {
    model: { path: model.checkpoint.folder, name: model.name },
    ...promptOf(pair),
    warnings: [...pair.warnings, ...(warning === null ? [] : [warning])],
    sourceTokens: [...sourceTokens],
    quantity,
    base: toMaybeNumber(base),
    source: toMaybeNumber(source),
    layers,
    heads
  }
  onStep({ type: 'start', start })

  const grids = job.sites.map(grid => ({ grid, cells: cellsOf(grid, pair, length), effects: [] as number[][] }))
  const perBatch = job.batchRows ?? rowsOfBatch(model, length)
  const inAll = grids.reduce((sum, { cells }) => sum + cells.length * layers, 0)
  // A cell costs the layers behind it.
  const work = grids.reduce((sum, { cells }) => sum + (cells.length * layers * (layers + 1)) / 2, 0)
  const done = { cells: 0, batches: 0, work: 0 }
  flowing = pass.begin()
  for (let layer = 0; layer < layers; layer++) {
    for (const [place, { grid, cells, effects }] of grids.entries()) {
      const report = (label: string) =>
        pause(
          `${done.cells} of ${inAll} cells, ${gridName(grid)} in layer ${layer}, ${label}`,
          0.05 + (0.95 * done.work) / Math.max(1, work)
        )
      // What does not matter changes nothing; a base that is no number stays none.
      const row = Array<number>(grid.site === 'z' && grid.head === null ? heads : tokens.length).fill(base - base)
      const cut = sessions.cuts.get(grid.site)?.[layer]
      if (cut === undefined) throw new Error(`the sessions have no ${grid.site} in layer ${layer}`)
      const met = cells.length === 0 ? null : await pass.meet(cut, layer, flowing, report)
      for (let from = 0; met !== null && from < cells.length; from += perBatch) {
        const batch = cells.slice(from, from + perBatch)
        const values = await reader.read(pass.readAt(await pass.patch(met, batch, report), quantity), report)
        for (const [at, { column }] of batch.entries()) row[column] = (values[at] ?? Number.NaN) - base
        done.cells += batch.length
        done.batches += 1
        done.work += batch.length * (layers - layer)
      }
      effects.push(row)
      onStep({ type: 'cells', place, layer, effects: row.map(toMaybeNumber) })
    }
    if (layer + 1 < layers) flowing = await pass.block(layer, flowing, label => pause(label, 0.05 + (0.95 * done.work) / Math.max(1, work)))
    pass.leave(layer)
  }
  const span = spanOf(start)
  return {
    ...start,
    sites: grids.map(({ grid, effects }) => {
      const numbers = effects.map(row => row.map(toMaybeNumber))
      return {
        ...grid,
        axis: grid.site === 'z' && grid.head === null ? 'head' : 'position',
        effects: numbers,
        normalised: span === null ? null : numbers.map(row => row.map(effect => normalisedBy(effect, span)))
      }
    }),
    layerOrder: job.layerOrder,
    provider: chosen.provider,
    providerReason: chosen.reason,
    rows: done.cells,
    batches: done.batches,
    milliseconds: { open: opened - started, rows: performance.now() - opened },
    mappedBytes: state.plans.mappedBytes
  }
}
