/** Every metric that fixtures/golden has of an SAE, by the textbook and by SAELens, from whole evaluations of its prompts. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type EvaluationResult, saelensMetrics } from '../../../contract/evaluation.ts'
import { evaluateHere } from '../../engine/evaluation-fixture.ts'
import { golden, promptOf, readingOf } from './golden-data.ts'
import { membersOf, type SaeEntry, saeIndex } from './sae-cases.ts'

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
