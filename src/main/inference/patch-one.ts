/** One patch, and what is predicted with it. */
import { SpliceError } from '../../contract/errors.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import { hookOfSite, normalisedBy, type PatchCell, spanOf } from '../../contract/patching.ts'
import { bestTokens } from './best-tokens.ts'
import type { Feeds } from './feeds.ts'
import type { InferredPatch, PatchJob } from './messages.ts'
import { type PairedPrompts, preparePair, requireSite } from './paired-prompts.ts'
import { finalOf, PatchPass } from './patch-pass.ts'
import { openPatchSessions } from './patch-plans.ts'
import { QuantityReader, resolveQuantity } from './quantity.ts'
import { compileOrFallBack, type InferenceState, type Pause, promptOf } from './run.ts'
import { chooseProvider } from './sessions.ts'

/** Throws `patching/cell` for a cell that the model or the prompts do not have, and what `requireSite` throws. */
function requireCell(cell: PatchCell, { model, tokens }: PairedPrompts): void {
  requireSite(cell, model)
  const { layers } = model.transformer.shape
  const within = (field: 'layer' | 'position' | 'from', value: number | null, count: number, of: string) => {
    if (value === null || value < count) return
    const what = field === 'layer' ? 'layer' : 'position'
    throw new SpliceError('patching/cell', `there is no ${what} ${value} in ${of}`, { field, hint: `The last one is ${count - 1}.` })
  }
  within('layer', cell.layer, layers, `${model.name}, which has ${layers}`)
  within('position', cell.position, tokens.length, `a prompt of ${tokens.length} tokens`)
  within('from', cell.from, tokens.length, `a source of ${tokens.length} tokens`)
}

/** Patches one cell. Throws what is wrong with the job's files or its request, and what `pause` throws. */
export async function patchOne(job: PatchJob, state: InferenceState, pause: Pause): Promise<InferredPatch> {
  const started = performance.now()
  const pair = await preparePair(job, state)
  const { model, tokens, sourceTokens } = pair
  const { cell } = job
  requireCell(cell, pair)
  const quantity = resolveQuantity(job.quantity, tokens, model)
  const {
    compiled: sessions,
    chosen,
    warning
  } = await compileOrFallBack(
    choice => openPatchSessions(pair, [cell.site], state, choice, pause),
    chooseProvider(job.provider, job.precision)
  )
  const cut = sessions.cuts.get(cell.site)?.[cell.layer]
  if (cut === undefined) throw new Error(`the sessions have no ${cell.site} in layer ${cell.layer}`)

  const pass = await PatchPass.open(model, sessions, [tokens, sourceTokens], tokens.length)
  const report = (label: string) => pause(label, 0.5)
  let flowing = pass.begin()
  let there: Feeds = flowing
  for (let layer = 0; layer < pass.layers; layer++) {
    if (layer === cell.layer) there = flowing
    flowing = await pass.block(layer, flowing, report)
  }
  const met = await pass.meet(cut, cell.layer, there, report)
  const { position, from, head } = cell
  const moved = position === null || from === null ? met : { ...met, source: pass.movedTo(met.source, from, position) }
  const patchedFinal = await pass.patch(moved, [{ positions: position === null ? 'all' : [position], head }], report)

  const reader = new QuantityReader(quantity, tokens, sessions.readout, state.budget.rows)
  const runs = pass.readAt(finalOf(flowing), quantity)
  reader.setClean(runs, 0)
  const [base = Number.NaN, source = Number.NaN] = await reader.read(runs, report)
  const [patched = Number.NaN] = await reader.read(pass.readAt(patchedFinal, quantity), report)
  const predicting = quantity.position ?? tokens.length - 2
  const at = { ...quantity, position: predicting }
  const topK = Math.min(job.topK, model.transformer.shape.vocabulary)
  const [ofBase = [], ofSource = []] = await bestTokens(pass.readAt(finalOf(flowing), at), piecesOf(sessions), model, topK)
  const [ofPatched = []] = await bestTokens(pass.readAt(patchedFinal, at), piecesOf(sessions), model, topK)

  const values = { base: toMaybeNumber(base), source: toMaybeNumber(source) }
  const effect = toMaybeNumber(patched - base)
  const span = spanOf(values)
  return {
    model: { path: model.checkpoint.folder, name: model.name },
    ...promptOf(pair),
    warnings: [...pair.warnings, ...(warning === null ? [] : [warning])],
    sourceTokens: [...sourceTokens],
    quantity,
    ...values,
    cell,
    hook: hookOfSite(cell.site, cell.layer),
    patched: toMaybeNumber(patched),
    effect,
    normalised: span === null ? null : normalisedBy(effect, span),
    predictions: { position: predicting, base: ofBase, patched: ofPatched, source: ofSource },
    layerOrder: job.layerOrder,
    provider: chosen.provider,
    providerReason: chosen.reason,
    milliseconds: performance.now() - started,
    mappedBytes: state.plans.mappedBytes
  }
}

/** The stages that hold pieces of the vocabulary. */
function piecesOf({ readout }: Awaited<ReturnType<typeof openPatchSessions>>) {
  return readout.filter(({ stage }) => stage.pieces.length > 0)
}
