import fs from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import {
  expectClose,
  expectHook,
  expectOutputs,
  expectSameActive,
  expectValues,
  golden,
  index,
  promptOf,
  readingOf,
  runAndSave,
  tensorsOf,
  variantOf
} from './golden-data.ts'

const clean = { name: 'clean', splices: [] }

const gemmaScopeSaes = index.saes.filter(sae => sae.model === 'gemma2-tiny' && ['gemma_scope_npz', 'multi'].includes(sae.format))

/** The SAEs of a case: one, or the members of a case with several. */
function saesOf(id: string): { name: string; path: string }[] {
  const sae = index.saes.find(candidate => candidate.id === id)
  if (sae?.members !== undefined) return sae.members.flatMap(saesOf)
  return [{ name: (sae?.id ?? '').replaceAll('.', '-'), path: golden(sae?.path ?? '') }]
}

describe('Gemma Scope SAEs equal SAELens, without and with the error term', () => {
  for (const sae of gemmaScopeSaes) {
    for (const run of sae.runs) {
      test(`${sae.id} ${run.prompt} ${run.model_variant}`, async () => {
        const { ids } = await promptOf(sae.model, run.prompt)
        const saes = saesOf(sae.id)
        const { result, saved } = await runAndSave({
          model: golden('models', sae.model),
          prompt: { ids },
          saes,
          variants: [
            clean,
            { name: 'spliced', splices: saes.map(({ name }) => ({ sae: name, errorTerm: false, positions: 'all' as const })) },
            { name: 'with-error', splices: saes.map(({ name }) => ({ sae: name, errorTerm: true, positions: 'all' as const })) }
          ],
          ...readingOf(run.model_variant)
        })
        expect(result.saes.map(({ hook }) => hook)).toEqual(sae.hooks)

        const expected = await tensorsOf(golden(run.file))
        const spliced = variantOf(saved, 'spliced')
        for (const [name, values] of expected) {
          if (name.startsWith('output.')) continue
          expectHook(name, spliced.get(name), values)
          if (name.endsWith('hook_sae_acts_post')) expectSameActive(name, spliced.get(name), values)
        }
        for (const hook of sae.hooks) expect(spliced.has(hook), `${hook} is replaced`).toBe(false)
        expectOutputs(result, 'spliced', spliced.get('logits'), expected, ids)
        const divergence = result.comparison.find(({ variant }) => variant === 'spliced')?.klDivergence.map(fromMaybeNumber) ?? []
        const expectedKl = expectValues('kl', expected.get('output.kl_clean_vs_spliced_per_token'))
        expectClose(
          'kl',
          { shape: expectedKl.shape, data: Float32Array.from(divergence, value => value ?? Number.NaN) },
          expectedKl,
          5e-4,
          1e-4
        )

        const expectedError = await tensorsOf(golden(run.file_error_term ?? ''))
        const withError = variantOf(saved, 'with-error')
        for (const [name, values] of expectedError) {
          if (name === 'output.logits') expectClose(name, withError.get('logits'), values, 5e-4, 0)
          else expectHook(name, withError.get(name), values)
        }
      })
    }
  }
})

const plainMetrics = z.object({
  plain: z.object({ l0_mean: z.number(), mse_per_element: z.number(), explained_variance: z.number(), cosine_mean: z.number() })
})

describe('metrics are the textbook ones', () => {
  for (const sae of gemmaScopeSaes.filter(candidate => candidate.metrics_file !== undefined)) {
    test(`${sae.id} over all tokens`, async () => {
      const metrics = z.record(z.string(), plainMetrics).parse(JSON.parse(await fs.readFile(golden(sae.metrics_file ?? ''), 'utf8')))
      for (const [key, { plain }] of Object.entries(metrics)) {
        const [variant = '', prompt = ''] = key.split('/')
        const { ids } = await promptOf(sae.model, prompt)
        const saes = saesOf(sae.id)
        const { result } = await runAndSave({
          model: golden('models', sae.model),
          prompt: { ids },
          saes,
          variants: [clean],
          metricPositions: 'all',
          ...readingOf(variant)
        })
        const reading = result.saes[0]?.byVariant.clean
        const close = (name: string, actual: number | null, expected: number) =>
          expect(Math.abs((actual ?? Number.NaN) - expected), `${key} ${name}`).toBeLessThanOrEqual(1e-3 * Math.abs(expected))
        close('l0', fromMaybeNumber(reading?.l0 ?? null), plain.l0_mean)
        close('mse', fromMaybeNumber(reading?.mse ?? null), plain.mse_per_element)
        close('explained variance', fromMaybeNumber(reading?.explainedVariance ?? null), plain.explained_variance)
        close('cosine', fromMaybeNumber(reading?.cosineSimilarity ?? null), plain.cosine_mean)
      }
    })
  }
})

describe('splices that leave positions alone', () => {
  for (const entry of index.positions.filter(candidate => candidate.model === 'gemma2-tiny')) {
    test(entry.file, async () => {
      const { ids } = await promptOf(entry.model, entry.prompt)
      const saes = [entry.sae].flat().flatMap(saesOf)
      const ranges = ids.flatMap((_, position): [number, number][] =>
        entry.kept_positions.includes(position) ? [] : [[position, position + 1]]
      )
      const { result, saved } = await runAndSave({
        model: golden('models', entry.model),
        prompt: { ids },
        saes,
        variants: [clean, { name: 'spliced', splices: saes.map(({ name }) => ({ sae: name, errorTerm: false, positions: ranges })) }],
        ...readingOf(entry.model_variant)
      })
      const spliced = variantOf(saved, 'spliced')
      const expected = await tensorsOf(golden(entry.file))
      expectClose('logits', spliced.get('logits'), expectValues('logits', expected.get('output.logits')), 5e-4, 0)
      for (const hook of entry.hook) {
        const acts = `${hook}.hook_sae_acts_post`
        expectSameActive(acts, spliced.get(acts), expectValues(acts, expected.get(acts)))
        expectHook(`${hook}.output`, spliced.get(`${hook}.hook_sae_output`), expectValues(hook, expected.get(`${hook}.output`)))
      }
      expect(result.comparison).toHaveLength(1)
    })
  }
})

describe('a run cut into many stages gives the same numbers', () => {
  test('one block a stage, seven pieces of the vocabulary, three positions at a time', async () => {
    const { ids, variants } = await promptOf('gemma2-tiny', 'p0')
    const saes = saesOf('gemma2-tiny.multi_att0_res1_mlp2')
    const splices = (errorTerm: boolean) => saes.map(({ name }) => ({ sae: name, errorTerm, positions: 'all' as const }))
    const job = {
      model: golden('models', 'gemma2-tiny'),
      prompt: { ids },
      saes,
      variants: [clean, { name: 'spliced', splices: splices(false) }, { name: 'with-error', splices: splices(true) }],
      ...readingOf('no_processing')
    }
    const { result, saved } = await runAndSave(job, { parameters: 1000, rows: 9 })
    const expected = await tensorsOf(golden('runs', 'gemma2-tiny', 'p0', variants.no_processing?.file ?? ''))
    const ours = variantOf(saved, 'clean')
    for (const [name, values] of expected) if (!name.startsWith('output.')) expectHook(name, ours.get(name), values)
    expectOutputs(result, 'clean', ours.get('logits'), expected, ids)

    const spliced = await tensorsOf(golden('sae_runs/gemma2-tiny.multi_att0_res1_mlp2/no_processing/p0.safetensors'))
    expectOutputs(result, 'spliced', variantOf(saved, 'spliced').get('logits'), spliced, ids)

    const whole = await runAndSave(job)
    for (const [variant, reading] of Object.entries(whole.result.saes[0]?.byVariant ?? {})) {
      const cut = result.saes[0]?.byVariant[variant]
      expect(cut?.features.map(features => features.map(({ index }) => index))).toEqual(
        reading.features.map(features => features.map(({ index }) => index))
      )
    }
    const divergences = (from: typeof result) => from.comparison.flatMap(({ klDivergence }) => klDivergence.map(fromMaybeNumber))
    for (const [place, value] of divergences(whole.result).entries()) {
      expect(Math.abs((divergences(result)[place] ?? Number.NaN) - (value ?? 0))).toBeLessThanOrEqual(1e-5)
    }
  })
})
