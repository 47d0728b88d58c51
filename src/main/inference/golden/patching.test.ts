/**
 * Patches against a forward pass in double precision that shares nothing with the families, against what TransformerLens cached of both
 * prompts, and against each other.
 */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import { gridName, type PatchCell, type PatchSite, patchingRequest, patchRequest, patchSite } from '../../../contract/patching.ts'
import type { Quantity } from '../../../contract/quantity.ts'
import { processingFlag } from '../../../contract/run.ts'
import { openCheckpoint } from '../../checkpoint/checkpoint.ts'
import { readTensor } from '../../checkpoint/values.ts'
import { type Flow, referenceLogits } from '../../transformer/reference/float64-forward.ts'
import { CompiledPlans } from '../compiled.ts'
import type { InferredPatching, PatchingJob, PatchingStep } from '../messages.ts'
import { OpenModels } from '../models.ts'
import { keepingSessions, OpenSessions } from '../open-sessions.ts'
import { patchGrids } from '../patch-grids.ts'
import { patchOne } from '../patch-one.ts'
import { defaultBudget } from '../plan.ts'
import type { InferenceState, Pause } from '../run.ts'
import { expectedThreads, holdingOf } from '../session-budget.ts'
import { expectValues, golden, goldenProvider, index, promptOf, readingOf, tensorsOf } from './golden-data.ts'

/** The engine's float32 against double precision. */
const tolerance = 5e-5
const state: InferenceState = { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }
/** Room for a few sessions, where a job takes some thirty. */
const few = new OpenSessions(
  { bytes: 5 * holdingOf(2000, expectedThreads(), 0).bytes, threads: 1e6, deviceBytes: async () => 0 },
  () => null
)
const crowded: InferenceState = { ...state, plans: new CompiledPlans(few) }

type Asked = Pick<PatchingJob, 'model' | 'prompt' | 'source' | 'quantity'> & Partial<Omit<PatchingJob, 'sites'>>
type AskedGrid = { readonly site: PatchSite; readonly head?: number }

function grids(
  { processing = [], ...asked }: Asked & { readonly sites: readonly AskedGrid[] },
  pause: Pause = async () => undefined,
  onStep: (step: PatchingStep) => void = () => undefined,
  within: InferenceState = state
): Promise<InferredPatching> {
  const { processing: _, keepWith: __, ...request } = patchingRequest.parse({ ...asked, provider: goldenProvider })
  return keepingSessions(() => patchGrids({ ...request, processing, cacheFolder: '' }, within, pause, onStep))
}

function one({ processing = [], ...asked }: Asked & { readonly cell: Omit<PatchCell, 'head' | 'from'> & Partial<PatchCell> }) {
  const { processing: _, ...request } = patchRequest.parse({ ...asked, provider: goldenProvider })
  return patchOne({ ...request, processing, cacheFolder: '' }, state, async () => undefined)
}

/** A prompt of a golden model and another one of its length: the second token and one in the middle are others. */
async function pairOf(id: string) {
  const { ids } = await promptOf(id, 'p0')
  const base = ids.slice(0, 6)
  const source = base.map((token, position) => (position === 1 || position === 4 ? (token + 11) % 60 : token))
  return { model: golden('models', id), base, source, prompt: { ids: base }, sourcePrompt: { ids: source } }
}

async function referenceOf(model: string) {
  const { config, tensors: stored } = await openCheckpoint(model)
  const floats = [...stored.values()].filter(({ dtype }) => dtype !== 'BOOL')
  const tensors = new Map(
    await Promise.all(floats.map(async tensor => [tensor.name, { shape: tensor.shape, data: await readTensor(tensor) }] as const))
  )
  return (ids: readonly number[], flow?: Flow) => referenceLogits(config, tensors, ids, flow)
}

type Reference = Awaited<ReturnType<typeof referenceOf>>

/** Everything that flows through a prompt's run, by place and layer. */
function recorded(run: Reference, ids: readonly number[]) {
  const found = new Map<string, number[][]>()
  const logits = run(ids, (place, layer, x) => {
    found.set(`${place} ${layer}`, x)
    return x
  })
  return { found, logits }
}

function logProbs(row: readonly number[]): number[] {
  const highest = Math.max(...row)
  const sum = highest + Math.log(row.reduce((total, value) => total + Math.exp(value - highest), 0))
  return row.map(value => value - sum)
}

/** A quantity as its definition says, of logits [position][vocabulary]. */
function measured(quantity: Quantity, logits: number[][], base: { readonly ids: readonly number[]; readonly logits: number[][] }): number {
  if (quantity.kind === 'loss') {
    const targets = base.ids.slice(1)
    return targets.reduce((sum, id, position) => sum - (logProbs(logits[position] ?? [])[id] ?? Number.NaN), 0) / targets.length
  }
  const position = quantity.position ?? logits.length - 1
  const row = logits[position] ?? []
  const idOf = (token: object) => ('id' in token ? Number(token.id) : Number.NaN)
  if (quantity.kind === 'log-prob') return logProbs(row)[idOf(quantity.token)] ?? Number.NaN
  if (quantity.kind === 'logit-difference') return (row[idOf(quantity.token)] ?? Number.NaN) - (row[idOf(quantity.other)] ?? Number.NaN)
  const [clean, changed] = [logProbs(base.logits[position] ?? []), logProbs(row)]
  return clean.reduce((sum, logProb, id) => sum + Math.exp(logProb) * (logProb - (changed[id] ?? Number.NaN)), 0)
}

/** A patch in the reference: at a place of a layer, some positions and perhaps one head take what the source has `from` a position. */
function patched({ site, layer, position, head, from }: PatchCell, source: ReadonlyMap<string, number[][]>, heads: number): Flow {
  return (place, at, x) => {
    if (place !== site || at !== layer) return x
    const other = source.get(`${site} ${layer}`) ?? []
    return x.map((features, where) => {
      if (position !== null && where !== position) return features
      const size = features.length / heads
      const theirs = other[from ?? where] ?? []
      return features.map((value, place) => (head === null || Math.floor(place / size) === head ? (theirs[place] ?? Number.NaN) : value))
    })
  }
}

const quantities: readonly Quantity[] = [
  { kind: 'log-prob', token: { id: 7 } },
  { kind: 'logit-difference', token: { id: 7 }, other: { id: 21 }, position: 5 },
  { kind: 'loss' },
  { kind: 'kl' }
]

/** Families by how blocks are built: norms behind sublayers and shared heads; one matrix, learned positions; sublayers side by side. */
const models = ['gemma2-tiny', 'gpt2-tiny', 'pythia-tiny'] as const

describe('every cell equals the patched forward pass in double precision', () => {
  const cases = [...models.map(id => ({ id, isCrowded: false })), { id: 'gpt2-tiny', isCrowded: true }]
  for (const { id, isCrowded } of cases) {
    test(`${id}, with room for ${isCrowded ? 'a few sessions' : 'all'}`, async () => {
      let mostOpen = 0
      const pause = async () => {
        mostOpen = Math.max(mostOpen, few.held.sessions)
      }
      const { model, base: ids, source, prompt, sourcePrompt } = await pairOf(id)
      const run = await referenceOf(model)
      const [baseRun, sourceRun] = [recorded(run, ids), recorded(run, source)]
      const base = { ids, logits: baseRun.logits }
      const logits = new Map<string, number[][]>()
      const patchedLogits = (cell: PatchCell, heads: number) => {
        const key = JSON.stringify(cell)
        const known = logits.get(key) ?? run(ids, patched(cell, sourceRun.found, heads))
        logits.set(key, known)
        return known
      }
      const places = patchSite.options.filter(site => id !== 'pythia-tiny' || site !== 'resid_mid')
      for (const quantity of quantities) {
        // A reading changes what flows, and neither log-probs nor differences.
        const isFirst = quantity.kind === 'log-prob'
        const processing = isFirst ? [...processingFlag.options] : []
        const sites: AskedGrid[] = [...places.map(site => ({ site })), ...(isFirst ? [{ site: 'z' as const, head: 1 }] : [])]
        const asked = { model, prompt, source: sourcePrompt, quantity, sites, processing }
        const found = await grids(asked, pause, undefined, isCrowded ? crowded : state)
        const baseValue = measured(quantity, baseRun.logits, base)
        const sourceValue = measured(quantity, sourceRun.logits, base)
        expect(Math.abs(Number(found.base) - baseValue)).toBeLessThanOrEqual(tolerance)
        expect(Math.abs(Number(found.source) - sourceValue)).toBeLessThanOrEqual(tolerance)
        let largest = 0
        for (const { site, head, axis, effects, normalised } of found.sites) {
          for (const [layer, row] of effects.entries()) {
            expect(row).toHaveLength(axis === 'head' ? found.heads : ids.length)
            for (const [place, effect] of row.entries()) {
              const at = axis === 'head' ? { position: null, head: place } : { position: place, head }
              const expected = measured(quantity, patchedLogits({ site, layer, ...at, from: null }, found.heads), base) - baseValue
              largest = Math.max(largest, Math.abs(expected))
              const where = `${quantity.kind}, ${gridName({ site, head })} in layer ${layer} at ${place}`
              expect(Math.abs(Number(effect) - expected), where).toBeLessThanOrEqual(2 * tolerance)
              expect(Number(normalised?.[layer]?.[place]), where).toBeCloseTo(Number(effect) / (sourceValue - baseValue), 2)
            }
          }
        }
        expect(largest).toBeGreaterThan(0.02)
      }
      if (isCrowded) expect(mostOpen).toBeLessThan(10)
    })
  }

  test('and so does one from another position', async () => {
    const { model, base: ids, source, prompt, sourcePrompt } = await pairOf('gemma2-tiny')
    const run = await referenceOf(model)
    const [baseRun, sourceRun] = [recorded(run, ids), recorded(run, source)]
    const base = { ids, logits: baseRun.logits }
    for (const cell of [
      { site: 'resid_pre', layer: 1, position: 2, head: null, from: 4 },
      { site: 'mlp_out', layer: 0, position: 5, head: null, from: 1 },
      { site: 'z', layer: 1, position: 3, head: 2, from: 5 },
      { site: 'z', layer: 0, position: 3, head: null, from: null }
    ] as const) {
      for (const quantity of quantities) {
        const found = await one({ model, prompt, source: sourcePrompt, quantity, cell })
        const expected = measured(quantity, run(ids, patched(cell, sourceRun.found, 4)), base)
        expect(Math.abs(Number(found.patched) - expected), `${JSON.stringify(cell)} ${quantity.kind}`).toBeLessThanOrEqual(tolerance)
      }
    }
  })
})

/** The first tokens of two golden prompts, as many as both have, and the log-probs of the peers behind the last of them. */
async function goldenPair({ model, reading }: { readonly model: string; readonly reading: string }) {
  const [base, source] = [await promptOf(model, 'p0'), await promptOf(model, 'p1')]
  const length = Math.min(base.ids.length, source.ids.length)
  const behind = async (prompt: string, file: string) => {
    const { shape, data } = expectValues(
      file,
      (await tensorsOf(golden('runs', model, prompt, path.basename(file)))).get('output.log_probs')
    )
    const vocabulary = shape[2] ?? 0
    return [...data.subarray((length - 1) * vocabulary, length * vocabulary)]
  }
  return {
    job: {
      model: golden('models', model),
      prompt: { ids: base.ids.slice(0, length) },
      source: { ids: source.ids.slice(0, length) },
      ...readingOf(reading)
    },
    length,
    base: await behind('p0', base.variants[reading]?.file ?? ''),
    source: await behind('p1', source.variants[reading]?.file ?? '')
  }
}

const goldenCases = [
  ...index.models.map(({ id }) => ({ model: id, reading: 'processed' })),
  { model: 'gemma2-tiny', reading: 'no_processing__hf_layer_order' }
]

describe('what the peers computed of both prompts', () => {
  test.each(goldenCases)('$model, $reading: the last residual stream alone makes the source of the base', async asked => {
    const { job, length, base, source } = await goldenPair(asked)
    const quantity: Quantity = { kind: 'log-prob', token: { id: 7 } }
    const { layers, ...found } = await grids({ ...job, quantity, sites: [{ site: 'resid_post' }] })
    const difference = (source[7] ?? Number.NaN) - (base[7] ?? Number.NaN)
    expect(Math.abs(Number(found.base) - (base[7] ?? Number.NaN))).toBeLessThanOrEqual(5e-4)
    expect(Math.abs(Number(found.sites[0]?.effects[layers - 1]?.[length - 1]) - difference)).toBeLessThanOrEqual(1e-3)
    // Whatever else is patched in the last layer is never read.
    expect(found.sites[0]?.effects[layers - 1]?.slice(0, -1).map(effect => Math.abs(Number(effect)) < 2e-5)).toEqual(
      Array(length - 1).fill(true)
    )
    // All of the stream, anywhere, is the source's run; so are its predictions.
    const whole = await one({ ...job, quantity, cell: { site: 'resid_post', layer: 0, position: null } })
    expect(Math.abs(Number(whole.patched) - (source[7] ?? Number.NaN))).toBeLessThanOrEqual(5e-4)
    const best = source.indexOf(Math.max(...source))
    expect(whole.predictions.patched[0]).toMatchObject({ id: best, logProb: expect.closeTo(source[best] ?? Number.NaN, 3) })
    expect(whole.predictions.base[0]?.id).toBe(base.indexOf(Math.max(...base)))
  })
})

describe('patches', async () => {
  const { model, base: ids, prompt, sourcePrompt } = await pairOf('gemma2-tiny')
  const quantity: Quantity = { kind: 'logit-difference', token: { id: 7 }, other: { id: 21 } }
  const job = { model, prompt, source: sourcePrompt, quantity }
  const sites: AskedGrid[] = [{ site: 'resid_pre' }, { site: 'z' }, { site: 'mlp_out' }]
  const whole = await grids({ ...job, sites })
  const numbers = ({ sites }: InferredPatching) => sites.flatMap(({ effects }) => effects.flat()).map(fromMaybeNumber)

  test.each([1, 3, 100])('give the same in batches of %i rows', async batchRows => {
    const cut = await grids({ ...job, sites, batchRows })
    expect(cut.rows).toBe(whole.rows)
    const expected = numbers(whole)
    for (const [place, number] of numbers(cut).entries())
      expect(Math.abs((number ?? Number.NaN) - (expected[place] ?? Number.NaN))).toBeLessThanOrEqual(2e-5)
  })

  test('of a prompt by itself change nothing', async () => {
    for (const site of patchSite.options) {
      for (const position of [3, null]) {
        const { effect, normalised } = await one({ ...job, source: prompt, cell: { site, layer: 1, position } })
        expect(Math.abs(Number(effect)), `${site} at ${position}`).toBeLessThanOrEqual(2e-5)
        expect(normalised).toBeNull()
      }
    }
    const same = await grids({ ...job, source: prompt, sites })
    expect(new Set(numbers(same))).toEqual(new Set([0]))
    expect(same.sites.map(({ normalised }) => normalised)).toEqual([null, null, null])
  })

  test('leave out what cannot matter: before the first token that differs, and behind the quantity', async () => {
    const {
      rows,
      sites: [grid],
      layers
    } = await grids({ ...job, quantity: { ...quantity, position: 3 }, sites: [{ site: 'resid_pre' }] })
    expect(rows).toBe(3 * layers)
    for (const row of grid?.effects.slice(1) ?? []) expect(row.map(effect => effect === 0)).toEqual([true, false, false, false, true, true])
  })

  test('arrive layer by layer, behind both runs, and are the result', async () => {
    const steps: PatchingStep[] = []
    await grids({ ...job, sites }, undefined, step => steps.push(step))
    expect(steps[0]).toMatchObject({ type: 'start', start: { base: whole.base, source: whole.source, layers: whole.layers } })
    const cells = steps.flatMap(step => (step.type === 'cells' ? [step] : []))
    expect(cells.map(({ layer, place }) => [layer, place])).toEqual(
      Array.from({ length: whole.layers }, (_, layer) => sites.map((_, place) => [layer, place])).flat()
    )
    for (const { place, layer, effects } of cells) expect(effects).toEqual(whole.sites[place]?.effects[layer])
  })

  test('stop where they are cancelled, between two batches', async () => {
    const stages: string[] = []
    const cancelled = grids({ ...job, sites, batchRows: 2 }, async stage => {
      stages.push(stage)
      if (stage.startsWith('4 of ')) throw new Error('cancelled here')
    })
    await expect(cancelled).rejects.toThrow('cancelled here')
    expect(stages.at(-1)).toMatch(/^4 of \d+ cells, resid_pre in layer 0/)
  })

  test.each<[string, () => Promise<unknown>, object]>([
    [
      'a source of another length, naming both counts and the tokens that differ',
      () => grids({ ...job, source: { ids: [...ids.slice(0, 3), 50, 51, ...ids.slice(4)] }, sites }),
      {
        kind: 'patching/lengths',
        field: 'source',
        message: new RegExp(
          `^the prompt has ${ids.length} tokens and the source ${ids.length + 1}: from position 3 on the prompt has .*\\(${ids[3]}\\) where the source has .*\\(50\\) .*\\(51\\)$`
        )
      }
    ],
    [
      'an empty source',
      () => grids({ ...job, source: { ids: [] }, sites }),
      { kind: 'run/empty-prompt', field: 'source', message: /^the source:/ }
    ],
    [
      'a head that is not there',
      () => grids({ ...job, sites: [{ site: 'z', head: 99 }] }),
      { kind: 'patching/head', message: /no head 99/ }
    ],
    [
      'a layer that is not there',
      () => one({ ...job, cell: { site: 'z', layer: 99, position: 0 } }),
      { kind: 'patching/cell', field: 'layer' }
    ],
    [
      'a position that is not there',
      () => one({ ...job, cell: { site: 'z', layer: 0, position: 99 } }),
      { kind: 'patching/cell', field: 'position' }
    ],
    [
      'a source position that is not there',
      () => one({ ...job, cell: { site: 'z', layer: 0, position: 0, from: 99 } }),
      { kind: 'patching/cell', field: 'from' }
    ],
    [
      'resid_mid where sublayers are parallel',
      async () => grids({ ...job, model: golden('models', 'pythia-tiny'), sites: [{ site: 'resid_mid' }] }),
      { kind: 'patching/site', message: /pythia-tiny has no resid_mid/ }
    ]
  ])('refuse %s', async (_, ask, error) => {
    await expect(ask()).rejects.toMatchObject(error)
  })
})
