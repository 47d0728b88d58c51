/** Effects of ablations against what TransformerLens and SAELens computed with and without the feature, and against plain runs of the same. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type AttributionRequest, attributionRequest } from '../../../contract/attribution.ts'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import type { Quantity } from '../../../contract/quantity.ts'
import type { FeatureEdit, Variant } from '../../../contract/run.ts'
import { attribute } from '../attribution.ts'
import { CompiledPlans } from '../compiled.ts'
import type { AttributionJob, InferenceJob, InferredAttribution } from '../messages.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget, type StageBudget } from '../plan.ts'
import type { Pause } from '../run.ts'
import {
  expectValues,
  golden,
  goldenProvider,
  logSoftmax,
  promptOf,
  readingOf,
  requireGoldenProvider,
  runAndSave,
  tensorsOf,
  type Values,
  variantOf
} from './golden-data.ts'
import { clean, membersOf, type SaeRun, saeCase, saeIndex } from './sae-cases.ts'

const cacheFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-attribution-'))
afterAll(() => fs.rm(cacheFolder, { recursive: true, force: true }))

/** The peers' log-probs are good to 7e-5 each; an effect is a difference of two. */
const tolerance = 5e-4

type Asked = Pick<AttributionJob, 'model' | 'prompt' | 'sae' | 'processing' | 'layerOrder'> & Partial<AttributionRequest>

async function attributed(
  asked: Omit<Asked, 'quantity'> & { readonly quantity: Quantity },
  budget: StageBudget = defaultBudget,
  pause: Pause = async () => undefined
): Promise<InferredAttribution> {
  const { processing, sae, ...rest } = asked
  const {
    processing: _,
    sae: __,
    keepWith: ___,
    ...request
  } = attributionRequest.parse({ ...rest, sae: { name: sae.name, path: sae.path } })
  const result = await attribute(
    { ...request, processing, sae, provider: goldenProvider, cacheFolder },
    { models: new OpenModels(), plans: new CompiledPlans(), budget },
    pause
  )
  requireGoldenProvider(goldenProvider, result)
  return result
}

/** One SAE, its prompt and reading. */
async function jobOf(id: string, modelVariant: string, prompt: string) {
  const entry = saeCase(id)
  const { ids, variants } = await promptOf(entry.model, prompt)
  const [sae] = membersOf(entry)
  if (sae === undefined) throw new Error(`${id} has no SAE`)
  const job = { model: golden('models', entry.model), prompt: { ids }, sae, ...readingOf(modelVariant) }
  return { entry, ids, job, cleanFile: golden('runs', entry.model, prompt, variants[modelVariant]?.file ?? '') }
}

function logProbOf(values: Values, position: number, id: number): number {
  return values.data[position * (values.shape[2] ?? 0) + id] ?? Number.NaN
}

const ablations = saeIndex.edits.flatMap(entry => {
  const { edit, sae } = entry
  return !Array.isArray(edit) && edit.kind === 'ablate' && edit.positions === 'all' && typeof sae === 'string'
    ? [{ ...entry, edit, sae }]
    : []
})

describe('effects equal the difference of the peers’ runs', () => {
  test('there are cases with and without the error term', () => {
    expect(new Set(ablations.map(({ error_term }) => error_term))).toEqual(new Set([true, false]))
  })

  for (const { sae, model_variant, prompt, edit, error_term, file } of ablations) {
    test(file, async () => {
      const { entry, ids, job, cleanFile } = await jobOf(sae, model_variant, prompt)
      const spliced = entry.runs?.find((run: SaeRun) => run.prompt === prompt && run.model_variant === model_variant)?.file
      const logProbs = async (from: string) => expectValues(from, (await tensorsOf(from)).get('output.log_probs'))
      const unablated = await logProbs(error_term ? cleanFile : golden(spliced ?? ''))
      const ablated = await logProbs(golden(file))
      const last = ids.length - 1
      for (const [position, id] of [
        [last, 7],
        [last, 101],
        [3, ids[4] ?? 0]
      ] as const) {
        const quantity: Quantity = { kind: 'log-prob', token: { id }, position }
        const { base, effects } = await attributed({ ...job, quantity, features: [edit.feature], errorTerm: error_term })
        expect(Math.abs(Number(base) - logProbOf(unablated, position, id))).toBeLessThanOrEqual(tolerance)
        const expected = logProbOf(ablated, position, id) - logProbOf(unablated, position, id)
        expect(Math.abs(Number(effects[0]?.effect) - expected), `token ${id} at ${position}`).toBeLessThanOrEqual(tolerance)
      }
      const { effects } = await attributed({
        ...job,
        quantity: { kind: 'logit-difference', token: { id: 7 }, other: { id: 101 } },
        features: [edit.feature],
        errorTerm: error_term
      })
      const difference = (values: Values) => logProbOf(values, last, 7) - logProbOf(values, last, 101)
      expect(Math.abs(Number(effects[0]?.effect) - (difference(ablated) - difference(unablated)))).toBeLessThanOrEqual(2 * tolerance)

      const loss = (values: Values) => ids.slice(1).reduce((sum, id, at) => sum - logProbOf(values, at, id), 0) / last
      const whole = await attributed({ ...job, quantity: { kind: 'loss' }, features: [edit.feature], errorTerm: error_term })
      expect(Math.abs(Number(whole.base) - loss(unablated))).toBeLessThanOrEqual(tolerance)
      expect(Math.abs(Number(whole.effects[0]?.effect) - (loss(ablated) - loss(unablated)))).toBeLessThanOrEqual(tolerance)

      const cleanLogProbs = await logProbs(cleanFile)
      const divergence = (values: Values) => {
        let sum = 0
        for (let id = 0; id < (values.shape[2] ?? 0); id++) {
          const logProb = logProbOf(cleanLogProbs, 3, id)
          sum += Math.exp(logProb) * (logProb - logProbOf(values, 3, id))
        }
        return sum
      }
      const kl = await attributed({ ...job, quantity: { kind: 'kl', position: 3 }, features: [edit.feature], errorTerm: error_term })
      expect(Math.abs(Number(kl.base) - divergence(unablated))).toBeLessThanOrEqual(tolerance)
      expect(Math.abs(Number(kl.effects[0]?.effect) - (divergence(ablated) - divergence(unablated)))).toBeLessThanOrEqual(tolerance)
    })
  }
})

/** One SAE of each place that a splice can stand at, and transcoders. */
const places = [
  'gemma2-tiny.gemma_scope_transcoder_l1',
  ...new Map(
    saeIndex.saes
      .filter(({ members, runs, path: at }) => members === undefined && at !== undefined && (runs?.length ?? 0) > 0)
      .map(entry => [`${entry.model} ${entry.hooks[0]?.replace(/^blocks\.\d+\./, '')}`, entry.id])
  ).values()
]

/** The same by plain variants of a run: the log-prob of a token that follows, for every ablation. */
async function byRuns(job: Awaited<ReturnType<typeof jobOf>>['job'], variants: Variant[], position: number): Promise<Map<string, number>> {
  const { sae, ...rest } = job
  const whole: Pick<InferenceJob, 'saes' | 'variants'> = { saes: [sae], variants: [clean, ...variants] }
  const { saved } = await runAndSave({ ...rest, ...whole, hooks: 'none' })
  return new Map(
    variants.map(({ name }) => [name, logProbOf(logSoftmax(expectValues(name, variantOf(saved, name).get('logits'))), position, 7)])
  )
}

describe('effects equal those of plain variants', () => {
  for (const id of new Set(places)) {
    test(id, async () => {
      const run = saeCase(id).runs?.[0]
      const { job, ids } = await jobOf(id, run?.model_variant ?? 'no_processing', run?.prompt ?? 'p0')
      const position = ids.length - 1
      const quantity: Quantity = { kind: 'log-prob', token: { id: 7 } }
      for (const scope of ['all', 'each'] as const) {
        const found = await attributed({ ...job, quantity, scope, top: 9, errorTerm: scope === 'all' })
        expect(found.effects.length).toBeGreaterThan(0)
        const splices = [{ sae: job.sae.name, errorTerm: scope === 'all', positions: 'all' as const }]
        const edit = (index: number, at: number | null): FeatureEdit => ({
          sae: job.sae.name,
          feature: index,
          kind: 'set',
          value: 0,
          positions: scope === 'all' || at === null ? 'all' : [[at, at + 1]]
        })
        const variants = found.effects.map(({ index, position: at }) => ({
          name: `${index}@${at}`,
          splices,
          edits: [edit(index, at)]
        }))
        const expected = await byRuns(job, [{ name: 'base', splices }, ...variants], position)
        const base = expected.get('base') ?? Number.NaN
        expect(Math.abs(Number(found.base) - base)).toBeLessThanOrEqual(1e-4)
        for (const { index, position: at, effect } of found.effects) {
          const other = (expected.get(`${index}@${at}`) ?? Number.NaN) - base
          expect(Math.abs(Number(effect) - other), `${index} at ${at}`).toBeLessThanOrEqual(1e-4)
        }
      }
    })
  }
})

describe('an attribution', async () => {
  const [entry] = ablations
  if (entry === undefined) throw new Error('the golden index has no ablations')
  const { job, ids } = await jobOf(entry.sae, entry.model_variant, entry.prompt)
  const quantity: Quantity = { kind: 'log-prob', token: { id: 7 } }
  const whole = await attributed({ ...job, quantity, top: 12, pairs: 4, groups: [{ name: 'two', features: [entry.edit.feature, 1] }] })
  const effectsOf = ({ effects, groups, pairs }: InferredAttribution) => [
    ...[...effects].sort((a, b) => a.index - b.index).map(({ index, effect }) => [index, fromMaybeNumber(effect)]),
    ...groups.map(({ name, effect }) => [name, fromMaybeNumber(effect)]),
    ...[...pairs].map(({ first, second, effect }) => [`${[first.index, second.index].sort()}`, fromMaybeNumber(effect)]).sort()
  ]

  for (const batchRows of [1, 3, 100]) {
    for (const budget of [defaultBudget, { parameters: 1000, rows: 9 }]) {
      test(`gives the same in batches of ${batchRows} rows and stages of ${budget.parameters} parameters`, async () => {
        const groups = [{ name: 'two', features: [1, entry.edit.feature] }]
        const cut = await attributed({ ...job, quantity, top: 12, pairs: 4, groups, batchRows }, budget)
        expect(cut.effects.map(({ index }) => index)).toHaveLength(12)
        for (const [place, [what, effect]] of effectsOf(cut).entries()) {
          const [other, expected] = effectsOf(whole)[place] ?? []
          expect(what).toBe(other)
          expect(Math.abs(Number(effect) - Number(expected)), String(what)).toBeLessThanOrEqual(2e-5)
        }
      })
    }
  }

  test('ranks by effect, whatever its sign, among the most active', () => {
    const sizes = whole.effects.map(({ effect }) => Math.abs(Number(effect)))
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a))
    expect(sizes.at(0)).toBeGreaterThan(sizes.at(-1) ?? 0)
    expect(whole.active).toBeGreaterThan(12)
  })

  test('takes the features of the most active positions, special tokens left out, from the SAE as the peers compute it', async () => {
    const run = saeCase(entry.sae).runs?.find(each => each.prompt === entry.prompt && each.model_variant === entry.model_variant)
    const tensors = await tensorsOf(golden(run?.file ?? ''))
    const acts = expectValues('acts', [...tensors].find(([name]) => name.endsWith('hook_sae_acts_post'))?.[1])
    const dSae = acts.shape[2] ?? 0
    const strongest = new Map<number, number>()
    for (let position = 1; position < ids.length; position++) {
      for (let index = 0; index < dSae; index++) {
        const activation = acts.data[position * dSae + index] ?? 0
        if (activation > (strongest.get(index) ?? 0)) strongest.set(index, activation)
      }
    }
    const expected = [...strongest].sort(([, a], [, b]) => b - a).slice(0, 12)
    expect(whole.active).toBe(strongest.size)
    expect(whole.effects.map(({ index }) => index).sort()).toEqual(expected.map(([index]) => index).sort())
    for (const { index, activation } of whole.effects) {
      expect(Math.abs(Number(activation) - (strongest.get(index) ?? 0))).toBeLessThanOrEqual(1e-3 * Math.max(1, Number(activation)))
    }
  })

  test('says of pairs what plain runs of both ablations give', async () => {
    const splices = [{ sae: job.sae.name, errorTerm: true, positions: 'all' as const }]
    const edit = (feature: number): FeatureEdit => ({ sae: job.sae.name, feature, kind: 'set', value: 0, positions: 'all' })
    const variants = whole.pairs.map(({ first, second }) => ({
      name: `${first.index} ${second.index}`,
      splices,
      edits: [edit(first.index), edit(second.index)]
    }))
    const expected = await byRuns(job, [{ name: 'base', splices }, ...variants], ids.length - 1)
    expect(whole.pairs).toHaveLength(6)
    for (const { first, second, effect, interaction } of whole.pairs) {
      const other = (expected.get(`${first.index} ${second.index}`) ?? Number.NaN) - (expected.get('base') ?? Number.NaN)
      expect(Math.abs(Number(effect) - other)).toBeLessThanOrEqual(1e-4)
      const alone = [first, second].map(({ index }) => Number(whole.effects.find(each => each.index === index)?.effect))
      expect(Number(interaction)).toBeCloseTo(Number(effect) - (alone[0] ?? 0) - (alone[1] ?? 0), 9)
    }
  })

  test('stops where it is cancelled, between two batches', async () => {
    const stages: string[] = []
    const cancelled = attributed({ ...job, quantity, top: 12, batchRows: 2 }, defaultBudget, async stage => {
      stages.push(stage)
      if (stage.startsWith('6 of 14 rows')) throw new Error('cancelled here')
    })
    await expect(cancelled).rejects.toThrow('cancelled here')
    expect(stages.at(-1)).toMatch(/^6 of 14 rows/)
    expect(stages.filter(stage => stage.includes('shared'))).toHaveLength(2)
  })

  test.each<[string, Partial<AttributionRequest>, object]>([
    ['a position beyond the prompt', { quantity: { ...quantity, position: 99 } }, { kind: 'run/target', message: /no position 99/ }],
    ['an id that is not there', { quantity: { kind: 'log-prob', token: { id: 1e6 } } }, { kind: 'run/token-id', message: /1000000/ }],
    ['a token against itself', { quantity: { kind: 'logit-difference', token: { id: 7 }, other: { id: 7 } } }, { kind: 'run/target' }],
    ['text without a tokenizer', { quantity: { kind: 'log-prob', token: { text: 'a' } } }, { kind: 'tokenizer/missing' }],
    ['a feature that is not there', { features: [99999] }, { kind: 'run/target', message: /feature 99999 is none/ }],
    ['a loss of one token', { prompt: { ids: [2] }, quantity: { kind: 'loss' } }, { kind: 'run/target', message: /no loss/ }]
  ])('refuses %s', async (_, change, error) => {
    await expect(attributed({ ...job, quantity, ...change } as Parameters<typeof attributed>[0])).rejects.toMatchObject(error)
  })
})
