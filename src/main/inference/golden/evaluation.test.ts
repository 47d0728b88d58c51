/** Every metric that fixtures/golden has of an SAE, by the textbook and by SAELens, from whole evaluations of its prompts. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type EvaluationResult, saelensMetrics } from '../../../contract/evaluation.ts'
import { evaluateHere } from '../../engine/evaluation-fixture.ts'
import { expectValues, golden, goldenProvider, promptOf, readingOf, tensorsOf, type Values } from './golden-data.ts'
import { isTranscoder, membersOf, type SaeEntry, saeCase, saeIndex } from './sae-cases.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-golden-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

const saelens = z.object(Object.fromEntries(Object.keys(saelensMetrics.shape).map(name => [name, z.number()])))
const metrics = z.record(
  z.string(),
  z.strictObject({
    saelens_run_evals__all_tokens: saelens.strict(),
    saelens_run_evals__ignore_first_id: saelens.strict(),
    feature_density: z.array(z.number()),
    plain: z.strictObject({
      l0_mean: z.number(),
      mse_per_element: z.number(),
      sq_err_per_token: z.number(),
      explained_variance: z.number(),
      cosine_mean: z.number()
    })
  })
)

async function evaluatePrompt(entry: SaeEntry, variant: string, ids: readonly number[]): Promise<EvaluationResult> {
  const [sae] = membersOf(entry)
  const file = path.join(folder, `${entry.id}.${variant}.json`)
  await fs.writeFile(file, JSON.stringify([ids]))
  return evaluateHere({
    model: golden('models', entry.model),
    sae,
    corpus: { kind: 'ids', file },
    countSpecial: true,
    specialIds: [ids[0]],
    featureDensity: true,
    provider: goldenProvider,
    ...readingOf(variant)
  })
}

function expectRelative(name: string, actual: unknown, expected: number): void {
  expect(typeof actual, name).toBe('number')
  expect(Math.abs(Number(actual) - expected), `${name}: ${actual} for ${expected}`).toBeLessThanOrEqual(1e-3 * Math.abs(expected))
}

function expectSaelens(name: string, ours: Readonly<Record<string, unknown>>, expected: Readonly<Record<string, number>>): void {
  expect(Object.keys(ours).sort(), name).toEqual(Object.keys(expected).sort())
  for (const [metric, value] of Object.entries(expected)) {
    if (metric !== 'ce_loss_score') expectRelative(`${name} ${metric}`, ours[metric], value)
  }
  // It divides by small differences: it is held to the losses that stand beside it.
  const loss = (way: string) => Number(ours[`ce_loss_${way}`])
  const score = (loss('with_ablation') - loss('with_sae')) / (loss('with_ablation') - loss('without_sae'))
  expect(ours.ce_loss_score, `${name} ce_loss_score`).toBeCloseTo(score, 9)
}

describe('SAEs evaluated on a prompt of golden ids', () => {
  const entries = saeIndex.saes.filter(entry => entry.metrics_file !== undefined)
  test('are all that have metrics', async () => {
    const recorded = (await fs.readdir(golden('sae_runs'), { recursive: true })).filter(name => path.basename(name) === 'metrics.json')
    expect(entries.map(({ id }) => path.join(id, 'metrics.json')).sort()).toEqual(recorded.sort())
  })

  for (const entry of entries) {
    test(entry.id, async () => {
      const recorded = metrics.parse(JSON.parse(await fs.readFile(golden(entry.metrics_file ?? ''), 'utf8')))
      expect(Object.keys(recorded).length).toBeGreaterThan(0)
      for (const [key, expected] of Object.entries(recorded)) {
        const [variant = '', prompt = ''] = key.split('/')
        const { ids } = await promptOf(entry.model, prompt)
        const result = await evaluatePrompt(entry, variant, ids)
        const { plain } = expected
        expect([result.tokens, result.positions, result.predictions, result.sequences]).toEqual([ids.length, ids.length, ids.length - 1, 1])
        expectRelative(`${key} l0`, result.l0, plain.l0_mean)
        expectRelative(`${key} mse`, result.mse, plain.mse_per_element)
        expectRelative(`${key} squared error`, result.squaredError, plain.sq_err_per_token)
        expectRelative(`${key} explained variance`, result.explainedVariance, plain.explained_variance)
        expectRelative(`${key} cosine`, result.cosineSimilarity, plain.cosine_mean)

        const all = expected.saelens_run_evals__all_tokens
        expectSaelens(`${key} all tokens`, result.saelens.all_tokens, all)
        expectSaelens(`${key} without the first id`, result.saelens.exclude_special_tokens, expected.saelens_run_evals__ignore_first_id)
        // What is the same by the textbook as in SAELens over all tokens.
        expectRelative(`${key} l1`, result.l1, all.l1 ?? Number.NaN)
        expectRelative(`${key} clean loss`, result.ceClean, all.ce_loss_without_sae ?? Number.NaN)
        expectRelative(`${key} spliced loss`, result.ceSpliced, all.ce_loss_with_sae ?? Number.NaN)
        expectRelative(`${key} loss of zeros`, result.ceZeroAblated, all.ce_loss_with_ablation ?? Number.NaN)
        expectRelative(`${key} KL`, result.klDivergence, all.kl_div_with_sae ?? Number.NaN)
        expectRelative(`${key} KL of zeros`, result.klZeroAblated, all.kl_div_with_ablation ?? Number.NaN)

        const density = result.featureDensity?.all_tokens ?? []
        expect(density).toHaveLength(expected.feature_density.length)
        for (const [feature, value] of expected.feature_density.entries()) expect(density[feature]).toBeCloseTo(value, 5)
        expect(result.features).toEqual({ total: density.length, fired: expected.feature_density.filter(value => value > 0).length })
      }
    })
  }
})

function meanOf(values: Iterable<number>): number {
  const list = [...values]
  return list.reduce((sum, value) => sum + value, 0) / list.length
}

/** The mean loss that a golden run's log-probs give. */
function lossOf(expected: ReadonlyMap<string, Values>, ids: readonly number[]): number {
  const logProbs = expectValues('log-probs', expected.get('output.log_probs'))
  const vocabulary = logProbs.shape[2] ?? 0
  return meanOf(ids.slice(1).map((id, position) => -(logProbs.data[position * vocabulary + id] ?? Number.NaN)))
}

describe('transcoders, which stand in at another hook point than they read', () => {
  const runs = [
    ...saeIndex.spliced_transcoders.filter(({ error_term: errorTerm }) => !errorTerm),
    ...saeIndex.saes.filter(isTranscoder).flatMap(entry => (entry.runs ?? []).map(run => ({ ...run, sae: entry.id })))
  ]
  for (const run of runs) {
    test(`${run.sae} ${run.prompt} ${run.model_variant}`, async () => {
      const entry = saeCase(run.sae)
      const { ids } = await promptOf(entry.model, run.prompt)
      const expected = await tensorsOf(golden(run.file))
      const result = await evaluatePrompt(entry, run.model_variant, ids)
      const [hook = '', hookOut = entry.hook_out ?? ''] = entry.hooks
      expect([result.sae.hook, result.sae.hookOut]).toEqual([hook, hookOut])

      const [target, output] = ['target', 'output'].map(part => expectValues(part, expected.get(`transcoder.${part}`)).data)
      const acts = expectValues('acts', expected.get(`${hook}.hook_sae_acts_post`)).data
      const squares = [...(target ?? [])].map((value, at) => (value - (output?.[at] ?? Number.NaN)) ** 2)
      expectRelative('mse', result.mse, meanOf(squares))
      expectRelative('l0', result.l0, acts.filter(value => value > 0).length / ids.length)
      expectRelative('l1', result.l1, acts.reduce((sum, value) => sum + value, 0) / ids.length)
      expectRelative('spliced loss', result.ceSpliced, lossOf(expected, ids))
      const clean = await tensorsOf(golden('runs', entry.model, run.prompt, `${run.model_variant}.safetensors`))
      expectRelative('clean loss', result.ceClean, lossOf(clean, ids))
      const divergence = expected.get('output.kl_clean_vs_spliced_per_token')
      if (divergence !== undefined) expectRelative('KL', result.klDivergence, meanOf(divergence.data))
    })
  }

  test.each([
    ['gpt2-tiny.transcoder', 'gpt2-tiny.standard_mlp_out', 'processed'],
    ['gemma3-tiny.gemma_scope_2_transcoder_l2', 'gemma3-tiny.gemma_scope_2_mlp_out_l2', 'no_processing']
  ])('%s: zeros in the place of its output are those in the place of an SAE there, %s', async (transcoder, sae, variant) => {
    const recorded = metrics.parse(JSON.parse(await fs.readFile(golden(saeCase(sae).metrics_file ?? ''), 'utf8')))
    for (const prompt of ['p0', 'p1']) {
      const { ids } = await promptOf(saeCase(sae).model, prompt)
      const { ceZeroAblated, klZeroAblated, saelens: ours } = await evaluatePrompt(saeCase(transcoder), variant, ids)
      const expected = recorded[`${variant}/${prompt}`]?.saelens_run_evals__all_tokens
      expectRelative('loss of zeros', ceZeroAblated, expected?.ce_loss_with_ablation ?? Number.NaN)
      expectRelative('KL of zeros', klZeroAblated, expected?.kl_div_with_ablation ?? Number.NaN)
      expectRelative('the same for SAELens', ours.all_tokens.ce_loss_with_ablation, expected?.ce_loss_with_ablation ?? Number.NaN)
    }
  })
})
