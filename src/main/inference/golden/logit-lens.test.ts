/** Every case of `logit_lens[]` in fixtures/golden/index.json against TransformerLens, and the lens of variants. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import { CompiledPlans } from '../compiled.ts'
import { readLens } from '../lens.ts'
import type { InferenceJob, LensJob } from '../messages.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget, type StageBudget } from '../plan.ts'
import {
  expectClose,
  expectValues,
  golden,
  goldenProvider,
  logSoftmax,
  promptOf,
  readingOf,
  requireGoldenProvider,
  tensorsOf,
  type Values,
  variantOf
} from './golden-data.ts'
import { clean, editOf, membersOf, saeCase, saeIndex, splicesOf } from './sae-cases.ts'

const { logit_lens: cases } = z
  .object({
    logit_lens: z.array(
      z.object({
        model: z.string(),
        model_variant: z.string(),
        prompt: z.string(),
        labels: z.array(z.string()),
        soft_cap: z.number().nullable(),
        file: z.string()
      })
    )
  })
  .parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))

/** One block a stage, pieces of some 16 token ids, a position at a time. */
const manyStages: StageBudget = { parameters: 1000, rows: 1 }

/** Reads a lens in this process, with the whole logits that it saved. */
async function lensOf(
  job: Pick<InferenceJob, 'model' | 'prompt' | 'variants' | 'processing' | 'layerOrder'> & Partial<InferenceJob>,
  options: Partial<LensJob> = {},
  budget: StageBudget = defaultBudget
) {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-lens-'))
  try {
    const file = path.join(folder, 'lens.safetensors')
    const rest = { topK: 5, topFeatures: 5, metricPositions: 'no-special', provider: goldenProvider, hooks: 'all' } as const
    const whole: InferenceJob = { saes: [], ...rest, cacheFolder: folder, save: { file }, ...job }
    const state = { models: new OpenModels(), plans: new CompiledPlans(), budget }
    const lens = await readLens({ job: whole, positions: null, softCap: true, ...options }, state, async () => undefined)
    requireGoldenProvider(whole.provider, lens)
    return { lens, saved: await tensorsOf(file) }
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
}

type Lens = Awaited<ReturnType<typeof lensOf>>['lens']

/** What cells have to say, worked out of whole logits [layer, position, vocabulary] in double precision. */
function expectCells(lens: Lens, variant: string, logits: Values, ids: readonly number[]): void {
  const [layers = 0, positions = 0, vocabulary = 0] = logits.shape
  const logProbs = logSoftmax(logits).data
  const at = (layer: number, position: number) => {
    const from = (layer * positions + position) * vocabulary
    return { row: logits.data.subarray(from, from + vocabulary), logRow: logProbs.subarray(from, from + vocabulary) }
  }
  const close = (what: string, ours: unknown, theirs: number, tolerance: number) =>
    expect(Math.abs(Number(ours) - theirs), what).toBeLessThanOrEqual(tolerance)
  const its = lens.variants.find(({ name }) => name === variant)
  expect(its?.layers.length).toBe(layers)
  for (const [layer, cells] of (its?.layers ?? []).entries()) {
    for (let position = 0; position < positions; position++) {
      const where = `${cells.label} ${position}`
      const { row, logRow } = at(layer, position)
      const { logRow: finalRow } = at(layers - 1, position)
      const order = [...row.keys()].sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0))
      const top = cells.topK[position] ?? []
      expect(top.length, where).toBe(5)
      for (const [place, { id, logit, logProb }] of top.entries()) {
        // Two tokens may be nearer to each other than the tolerance.
        close(`${where}: the token ${place}`, row[id], row[order[place] ?? 0] ?? Number.NaN, 1e-3)
        close(`${where}: logit ${place}`, fromMaybeNumber(logit), row[id] ?? Number.NaN, 5e-4)
        close(`${where}: log-prob ${place}`, fromMaybeNumber(logProb), logRow[id] ?? Number.NaN, 5e-4)
      }
      const divergence = finalRow.reduce((sum, final, id) => sum + Math.exp(final) * (final - (logRow[id] ?? 0)), 0)
      close(`${where}: KL`, fromMaybeNumber(cells.klToFinal[position] ?? null), Math.max(0, divergence), 5e-4)
      const best = [...finalRow.keys()].reduce((a, b) => ((finalRow[b] ?? 0) > (finalRow[a] ?? 0) ? b : a))
      expect(its?.final[position]?.id, where).toBe(best)
      for (const [standing, id] of [
        [cells.final, best],
        [cells.actual, ids[position + 1]]
      ] as const) {
        if (id === undefined) {
          expect([standing.logProbs[position], standing.ranks[position]]).toEqual([null, null])
          continue
        }
        close(`${where}: log-prob of ${id}`, fromMaybeNumber(standing.logProbs[position] ?? null), logRow[id] ?? Number.NaN, 5e-4)
        const own = row[id] ?? Number.NaN
        const above = (margin: number) => row.filter(value => value > own + margin).length
        const rank = standing.ranks[position] ?? -1
        expect(rank >= above(1e-3) && rank <= above(-1e-3), `${where}: rank ${rank} of ${id}`).toBe(true)
      }
    }
  }
}

const compared = new Set<string>()

describe('the lens equals TransformerLens, whole or cut into many stages, pieces and positions', () => {
  for (const { model, model_variant, prompt, labels, soft_cap, file } of cases) {
    for (const [how, budget] of [
      ['whole', defaultBudget],
      ['cut', manyStages]
    ] as const) {
      test(`${file}, ${how}`, async () => {
        const { ids } = await promptOf(model, prompt)
        const job = { model: golden('models', model), prompt: { ids }, variants: [clean], ...readingOf(model_variant) }
        const expected = await tensorsOf(golden(file))
        const uncapped = expectValues('logits', expected.get('logit_lens.logits'))
        const plain = await lensOf(job, { softCap: false }, budget)
        expectClose('logits', plain.saved.get('clean/logit_lens.logits'), uncapped, 5e-4, 0)
        expectCells(plain.lens, 'clean', uncapped, ids)
        expect(plain.lens.softCap).toBe(null)
        expect(plain.lens.variants[0]?.layers.map(({ label }) => label)).toEqual(labels)

        const capped = await lensOf(job, {}, budget)
        expect(capped.lens.softCap).toBe(soft_cap)
        const asModel = soft_cap === null ? uncapped : expectValues('capped', expected.get('logit_lens.logits_soft_capped'))
        expectClose('soft-capped', capped.saved.get('clean/logit_lens.logits'), asModel, 5e-4, 0)
        expectCells(capped.lens, 'clean', asModel, ids)
        compared.add(file)
      })
    }
  }

  test('none is left out', async () => {
    const files = await fs.readdir(golden('logit_lens'))
    expect([...compared].sort()).toEqual(files.map(name => `logit_lens/${name}`).sort())
  })
})

/** The last layer of a variant's saved logits, as a run gives them: [1, position, vocabulary]. */
function finalLogits(saved: ReadonlyMap<string, Values>, variant: string): Values {
  const { shape, data } = expectValues(variant, variantOf(saved, variant).get('logit_lens.logits'))
  const [layers = 1, positions = 0, vocabulary = 0] = shape
  return { shape: [1, positions, vocabulary], data: data.subarray(((layers - 1) * data.length) / layers) }
}

describe('the lens of variants', () => {
  for (const budget of [defaultBudget, manyStages]) {
    test(`ends in what the peers' spliced models predict, ${budget === manyStages ? 'cut' : 'whole'}`, async () => {
      const { ids } = await promptOf('gemma2-tiny', 'p1')
      const saes = membersOf(saeCase('gemma2-tiny.gemma_scope_res_l1'))
      const variants = [clean, splicesOf('spliced', saes, false), splicesOf('with-error', saes, true)]
      const job = { model: golden('models', 'gemma2-tiny'), prompt: { ids }, saes, variants, ...readingOf('processed') }
      const { lens, saved } = await lensOf(job, {}, budget)
      const spliced = await tensorsOf(golden('sae_runs/gemma2-tiny.gemma_scope_res_l1/processed/p1.safetensors'))
      expectClose('spliced', finalLogits(saved, 'spliced'), expectValues('logits', spliced.get('output.logits')), 5e-4, 0)
      for (const { name } of variants) {
        expectCells(lens, name, expectValues(name, saved.get(`${name}/logit_lens.logits`)), ids)
      }
      // Variants are the same up to the splice after block 1, and part behind it.
      const [ofClean, ofSpliced, ofError] = lens.variants.map(({ layers }) => layers.map(({ topK }) => topK.flat()))
      expect(ofSpliced?.slice(0, 2)).toEqual(ofClean?.slice(0, 2))
      for (const layer of [2, 3, 4]) expect(ofSpliced?.[layer]).not.toEqual(ofClean?.[layer])
      const [whole, kept] = ['clean', 'with-error'].map(name => expectValues(name, saved.get(`${name}/logit_lens.logits`)))
      if (whole === undefined || kept === undefined) throw new Error('nothing was saved')
      expectClose('the error term restores every layer', kept, whole, 1e-3, 0)
      expect(ofError?.length).toBe(5)
    })
  }

  test('looks behind a splice at hook_resid_pre', async () => {
    const { ids } = await promptOf('gpt2-tiny', 'p1')
    const saes = membersOf(saeCase('gpt2-tiny.blocks.1.hook_resid_pre'))
    const variants = [clean, splicesOf('spliced', saes, false)]
    const job = { model: golden('models', 'gpt2-tiny'), prompt: { ids }, saes, variants, ...readingOf('processed') }
    const { lens, saved } = await lensOf(job)
    const spliced = await tensorsOf(golden('sae_runs/gpt2-tiny.blocks.1.hook_resid_pre/processed/p1.safetensors'))
    expectClose('spliced', finalLogits(saved, 'spliced'), expectValues('logits', spliced.get('output.logits')), 5e-4, 0)
    const top = (variant: number, layer: number) => lens.variants[variant]?.layers[layer]?.topK
    expect(top(1, 0)).toEqual(top(0, 0))
    expect(top(1, 1)).not.toEqual(top(0, 1))
  })

  test('follows edits, of spliced variants and of steered ones', async () => {
    const kinds = ['scale', 'steer'] as const
    for (const kind of kinds) {
      const entry = saeIndex.edits.find(({ edit, model }) => !Array.isArray(edit) && edit.kind === kind && model === 'gemma2-tiny')
      if (entry === undefined || Array.isArray(entry.edit) || Array.isArray(entry.sae)) throw new Error(`no edit ${kind}`)
      const { ids } = await promptOf(entry.model, entry.prompt)
      const saes = membersOf(saeCase(entry.sae))
      const base = entry.spliced ? splicesOf('edited', saes, entry.error_term) : { ...clean, name: 'edited' }
      const edited = { ...base, edits: [editOf(entry.edit, saes[0]?.name ?? '')] }
      const job = { model: golden('models', entry.model), prompt: { ids }, saes, variants: [clean, edited] }
      const { saved } = await lensOf({ ...job, ...readingOf(entry.model_variant) })
      const expected = expectValues('logits', (await tensorsOf(golden(entry.file))).get('output.logits'))
      expectClose(entry.file, finalLogits(saved, 'edited'), expected, 5e-4, 0)
    }
  })
})

describe('positions', () => {
  const job = async () => {
    const { ids } = await promptOf('gemma2-tiny', 'p1')
    return { model: golden('models', 'gemma2-tiny'), prompt: { ids }, variants: [clean], ...readingOf('processed') }
  }

  test('are those of the whole prompt', async () => {
    const whole = await lensOf(await job())
    const some = await lensOf(await job(), { positions: [3, 6] })
    expect(some.lens.positions).toEqual([3, 6])
    expect(some.saved.get('clean/logit_lens.logits')?.shape).toEqual([5, 3, 112])
    for (const [layer, { topK, actual }] of (some.lens.variants[0]?.layers ?? []).entries()) {
      const its = whole.lens.variants[0]?.layers[layer]
      expect(topK.map(top => top.map(({ id }) => id))).toEqual(its?.topK.slice(3, 6).map(top => top.map(({ id }) => id)))
      expect(actual.ranks).toEqual(its?.actual.ranks.slice(3, 6))
    }
  })

  test.each([[[3, 3]], [[8, 10]], [[5, 4]]] as [number, number][][])('%j are refused', async positions => {
    await expect(lensOf(await job(), { positions })).rejects.toMatchObject({ kind: 'run/positions' })
  })

  test('are as few as the answer holds', async () => {
    const variants = Array.from({ length: 120 }, (_, at) => ({ name: `clean ${at}`, splices: [] }))
    const many = { ...(await job()), variants, topK: 100 }
    await expect(lensOf(many)).rejects.toMatchObject({ kind: 'lens/too-large', field: 'positions' })
    await expect(lensOf(many, { positions: [0, 1] })).resolves.toMatchObject({ lens: { positions: [0, 1] } })
  })
})
