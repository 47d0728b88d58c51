/** Every SAE of fixtures/golden/index.json, read and spliced, against what SAELens computed on the same files. */
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
  promptOf,
  readingOf,
  runAndSave,
  tensorsOf,
  type Values,
  variantOf
} from './golden-data.ts'
import { clean, isTranscoder, membersOf, recordedFiles, type SaeEntry, type SaeRun, saeCase, saeIndex, splicesOf } from './sae-cases.ts'

type Run = Awaited<ReturnType<typeof runAndSave>>['result']

/** Files of golden runs that some test has compared with. */
const compared = new Set<string>()

function readGolden(file: string): Promise<Map<string, Values>> {
  compared.add(file)
  return tensorsOf(golden(file))
}

/** KL(clean, spliced) at every position, in nats. */
function expectDivergence(result: Run, expected: Values): void {
  const divergence = result.comparison.find(({ variant }) => variant === 'spliced')?.klDivergence.map(fromMaybeNumber) ?? []
  const ours = { shape: expected.shape, data: Float32Array.from(divergence, value => value ?? Number.NaN) }
  expectClose('kl', ours, expected, 5e-4, 1e-4)
}

async function expectSpliced(entry: SaeEntry, run: SaeRun): Promise<void> {
  const { ids } = await promptOf(entry.model, run.prompt)
  const saes = membersOf(entry)
  const { result, saved } = await runAndSave({
    model: golden('models', entry.model),
    prompt: { ids },
    saes,
    variants: [clean, splicesOf('spliced', saes, false), splicesOf('with-error', saes, true)],
    ...readingOf(run.model_variant)
  })
  expect(result.saes.map(({ hook }) => hook)).toEqual(entry.hooks)

  const expected = await readGolden(run.file)
  const spliced = variantOf(saved, 'spliced')
  if (run.cache_order !== undefined) expect([...spliced.keys()].filter(name => name !== 'logits')).toEqual(run.cache_order)
  for (const hook of entry.hooks) expect(spliced.has(hook), `${hook} is replaced`).toBe(false)
  for (const [name, values] of expected) {
    if (name.startsWith('output.')) continue
    expectHook(name, spliced.get(name), values)
    if (name.endsWith('hook_sae_acts_post')) expectSameActive(name, spliced.get(name), values)
  }
  expectOutputs(result, 'spliced', spliced.get('logits'), expected, ids)
  expectDivergence(result, expectValues('kl', expected.get('output.kl_clean_vs_spliced_per_token')))

  const expectedError = await readGolden(run.file_error_term ?? '')
  const withError = variantOf(saved, 'with-error')
  for (const [name, values] of expectedError) {
    if (name === 'output.logits') expectClose(name, withError.get('logits'), values, 5e-4, 0)
    else expectHook(name, withError.get(name), values)
  }
}

describe('SAEs equal SAELens, without and with the error term', () => {
  for (const entry of saeIndex.saes.filter(candidate => !isTranscoder(candidate))) {
    for (const run of entry.runs ?? []) {
      test(`${entry.id} ${run.prompt} ${run.model_variant}`, () => expectSpliced(entry, run))
    }
  }
  for (const { variant, sae_runs: runs } of saeIndex.extra_variants) {
    for (const run of runs ?? []) {
      test(`${run.sae} ${run.prompt} ${variant}`, () => expectSpliced(saeCase(run.sae), { ...run, model_variant: variant }))
    }
  }
})

/** A transcoder's run, by the index's list of them or by the entry of the transcoder itself. */
async function expectTranscoded(transcoder: SaeEntry, run: SaeRun, errorTerm: boolean): Promise<void> {
  const { ids } = await promptOf(transcoder.model, run.prompt)
  const saes = membersOf(transcoder)
  const { result, saved } = await runAndSave({
    model: golden('models', transcoder.model),
    prompt: { ids },
    saes,
    variants: [clean, splicesOf('spliced', saes, errorTerm)],
    metricPositions: 'all',
    ...readingOf(run.model_variant)
  })
  const [hook = '', hookOut = transcoder.hook_out ?? ''] = transcoder.hooks
  expect(result.saes.map(sae => [sae.hook, sae.hookOut])).toEqual([[hook, hookOut]])
  const expected = await readGolden(run.file)
  const spliced = variantOf(saved, 'spliced')
  expect([spliced.has(hook), spliced.has(hookOut)], 'the output hook point is replaced, the input is not').toEqual([true, false])
  for (const [name, values] of expected) {
    if (name.startsWith('output.')) continue
    expectHook(name, spliced.get(name), values)
    if (name.endsWith('hook_sae_acts_post')) expectSameActive(name, spliced.get(name), values)
  }
  if (errorTerm) {
    expectClose('logits', spliced.get('logits'), expectValues('logits', expected.get('output.logits')), 5e-4, 0)
    return
  }
  expectOutputs(result, 'spliced', spliced.get('logits'), expected, ids)
  const divergence = expected.get('output.kl_clean_vs_spliced_per_token')
  if (divergence !== undefined) expectDivergence(result, divergence)
  expectTranscoderMetrics(result, expected)
  if (run.plain === undefined) return
  const reading = result.saes[0]?.byVariant.clean
  expectRelative('l0', fromMaybeNumber(reading?.l0 ?? null), run.plain.l0_mean)
  expectRelative('explained variance', fromMaybeNumber(reading?.explainedVariance ?? null), run.plain.explained_variance)
}

test('two SAEs of one hook point, each in a variant of its own', async () => {
  const ids = (await promptOf('gpt2-tiny', 'p1')).ids
  const entries = ['gpt2-tiny.gated', 'gpt2-tiny.topk'].map(saeCase)
  const saes = entries.flatMap(membersOf)
  const { result, saved } = await runAndSave({
    model: golden('models', 'gpt2-tiny'),
    prompt: { ids },
    saes,
    variants: [clean, ...saes.map(sae => splicesOf(sae.name, [sae], false))],
    ...readingOf('processed')
  })
  for (const [place, { id }] of entries.entries()) {
    const name = saes[place]?.name ?? ''
    const expected = await readGolden(`sae_runs/${id}/processed/p1.safetensors`)
    const ours = variantOf(saved, name)
    for (const [tensor, values] of expected) if (!tensor.startsWith('output.')) expectHook(tensor, ours.get(tensor), values)
    expectOutputs(result, name, ours.get('logits'), expected, ids)
  }
})

describe('transcoders', () => {
  for (const entry of saeIndex.saes.filter(isTranscoder)) {
    for (const run of entry.runs ?? []) {
      test(`${entry.id} ${run.prompt} ${run.model_variant}`, () => expectTranscoded(entry, run, false))
    }
  }
  for (const { sae, error_term: errorTerm, ...run } of saeIndex.spliced_transcoders) {
    const name = `${sae} ${run.prompt} ${run.model_variant}, ${errorTerm ? 'with' : 'without'} error term`
    test(name, () => expectTranscoded(saeCase(sae), run, errorTerm))
  }
})

test('of two transcoders, each has its own names', async () => {
  const { ids } = await promptOf('gemma3-tiny', 'p0')
  const [first, second] = ['gemma3-tiny.gemma_scope_2_transcoder_affine_l1', 'gemma3-tiny.gemma_scope_2_transcoder_l2'].map(saeCase)
  const saes = [first, second].flatMap(entry => (entry === undefined ? [] : membersOf(entry)))
  const variants = [clean, splicesOf('spliced', saes, false)]
  const { saved } = await runAndSave({
    model: golden('models', 'gemma3-tiny'),
    prompt: { ids },
    saes,
    variants,
    ...readingOf('no_processing')
  })
  const spliced = variantOf(saved, 'spliced')
  const expected = await readGolden(`sae_runs/${first?.id}/no_processing/p0.safetensors`)
  for (const part of ['target', 'skip', 'output']) {
    expectHook(part, spliced.get(`${first?.hook_out}.transcoder.${part}`), expectValues(part, expected.get(`transcoder.${part}`)))
  }
  expect(spliced.has(`${second?.hook_out}.transcoder.output`)).toBe(true)
  expect([...spliced.keys()].filter(name => name.startsWith('transcoder.'))).toEqual([])
})

/** Output against target, by the textbook: the error over both, the variance of the target alone. */
function expectTranscoderMetrics(result: Run, expected: ReadonlyMap<string, Values>): void {
  const output = expectValues('output', expected.get('transcoder.output'))
  const target = expectValues('target', expected.get('transcoder.target'))
  const width = target.shape[2] ?? 1
  const mean = Array.from({ length: width }, (_, feature) => {
    const column = target.data.filter((_value, place) => place % width === feature)
    return column.reduce((sum, value) => sum + value, 0) / column.length
  })
  const squaredError = target.data.reduce((sum, value, place) => sum + (value - (output.data[place] ?? 0)) ** 2, 0)
  const variance = target.data.reduce((sum, value, place) => sum + (value - (mean[place % width] ?? 0)) ** 2, 0)
  const reading = result.saes[0]?.byVariant.spliced
  expectRelative('mse', fromMaybeNumber(reading?.mse ?? null), squaredError / target.data.length)
  expectRelative('explained variance', fromMaybeNumber(reading?.explainedVariance ?? null), 1 - squaredError / variance)
}

function expectRelative(name: string, actual: number | null, expected: number): void {
  expect(Math.abs((actual ?? Number.NaN) - expected), name).toBeLessThanOrEqual(1e-3 * Math.abs(expected))
}

const plainMetrics = z.object({
  plain: z.object({ l0_mean: z.number(), mse_per_element: z.number(), explained_variance: z.number(), cosine_mean: z.number() })
})

describe('metrics are the textbook ones', () => {
  for (const entry of saeIndex.saes.filter(candidate => candidate.metrics_file !== undefined)) {
    test(`${entry.id} over all tokens`, async () => {
      const metrics = z.record(z.string(), plainMetrics).parse(JSON.parse(await fs.readFile(golden(entry.metrics_file ?? ''), 'utf8')))
      expect(Object.keys(metrics).length).toBeGreaterThan(0)
      for (const [key, { plain }] of Object.entries(metrics)) {
        const [variant = '', prompt = ''] = key.split('/')
        const { ids } = await promptOf(entry.model, prompt)
        const { result } = await runAndSave({
          model: golden('models', entry.model),
          prompt: { ids },
          saes: membersOf(entry),
          variants: [clean],
          metricPositions: 'all',
          ...readingOf(variant)
        })
        const reading = result.saes[0]?.byVariant.clean
        expectRelative(`${key} l0`, fromMaybeNumber(reading?.l0 ?? null), plain.l0_mean)
        expectRelative(`${key} mse`, fromMaybeNumber(reading?.mse ?? null), plain.mse_per_element)
        expectRelative(`${key} explained variance`, fromMaybeNumber(reading?.explainedVariance ?? null), plain.explained_variance)
        expectRelative(`${key} cosine`, fromMaybeNumber(reading?.cosineSimilarity ?? null), plain.cosine_mean)
        const { result: without } = await runAndSave({
          model: golden('models', entry.model),
          prompt: { ids },
          saes: membersOf(entry),
          variants: [clean],
          metricPositions: 'no-special',
          ...readingOf(variant)
        })
        const all = without.saes[0]?.byVariant.clean?.withSpecial
        expect(all?.positions).toBe(ids.length)
        expectRelative(`${key} l0 beside`, fromMaybeNumber(all?.l0 ?? null), plain.l0_mean)
        expectRelative(`${key} explained variance beside`, fromMaybeNumber(all?.explainedVariance ?? null), plain.explained_variance)
      }
    })
  }
})

describe('splices that leave positions alone', () => {
  for (const entry of saeIndex.positions) {
    test(entry.file, async () => {
      const { ids } = await promptOf(entry.model, entry.prompt)
      const saes = [entry.sae].flat().flatMap(id => membersOf(saeCase(id)))
      const covered = ids.flatMap((_, position): [number, number][] =>
        entry.kept_positions.includes(position) ? [] : [[position, position + 1]]
      )
      const { result, saved } = await runAndSave({
        model: golden('models', entry.model),
        prompt: { ids },
        saes,
        variants: [clean, splicesOf('spliced', saes, false, covered)],
        ...readingOf(entry.model_variant)
      })
      const spliced = variantOf(saved, 'spliced')
      const expected = await readGolden(entry.file)
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

test('no golden run is left out', async () => {
  expect([...compared].sort()).toEqual(await recordedFiles())
})
