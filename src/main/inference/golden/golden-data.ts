/** Reads fixtures/golden: what TransformerLens and SAELens compute, and the comparisons that its README asks for. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { z } from 'zod'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import { type ProcessingFlag, processingFlag } from '../../../contract/run.ts'
import { readSafetensors } from '../../checkpoint/safetensors.ts'
import { readTensor } from '../../checkpoint/values.ts'
import { CompiledPlans } from '../compiled.ts'
import type { InferenceJob, InferenceResult } from '../messages.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget, type StageBudget } from '../plan.ts'
import { runJob } from '../run.ts'

const goldenFolder = fileURLToPath(new URL('../../../../fixtures/golden', import.meta.url))

/** A path below the golden folder. */
export function golden(...parts: string[]): string {
  return path.join(goldenFolder, ...parts)
}

const ids = z.object({ ids: z.array(z.int()) })

const indexSchema = z.object({
  models: z.array(
    z.object({ id: z.string(), path: z.string(), variants: z.array(z.string()), prompts: z.array(z.object({ id: z.string() })) })
  ),
  extra_variants: z.array(
    z.object({
      model: z.string(),
      variant: z.string(),
      cache_order: z.array(z.string()),
      runs: z.array(z.object({ prompt: z.string(), file: z.string() }))
    })
  ),
  tl_state: z.array(z.object({ model: z.string(), variant: z.string(), file: z.string() }))
})

export const index = indexSchema.parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))

const runFile = ids.extend({ variants: z.record(z.string(), z.object({ file: z.string(), cache_order: z.array(z.string()).optional() })) })

/** A prompt's ids and what was cached of each variant, in order. */
export async function promptOf(model: string, prompt: string) {
  return runFile.parse(JSON.parse(await fs.readFile(golden('runs', model, `${prompt}.json`), 'utf8')))
}

export interface Values {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** All tensors of a safetensors file, read with this project's own reader. */
export async function tensorsOf(file: string): Promise<Map<string, Values>> {
  const { tensors } = await readSafetensors(file)
  const entries = await Promise.all(
    [...tensors.values()].map(async tensor => [tensor.name, { shape: tensor.shape, data: await readTensor(tensor) }] as const)
  )
  return new Map(entries)
}

/** TransformerLens's flags behind a golden variant's name: all, none, or the one in `<flag>_only`. */
function processingOf(name: string): ProcessingFlag[] {
  if (name === 'processed') return [...processingFlag.options]
  return name === 'no_processing' ? [] : [processingFlag.parse(name.replace(/_only$/, ''))]
}

/** Processing and layer order behind a golden variant's name. Throws for a name that is none. */
export function readingOf(variant: string): Pick<InferenceJob, 'processing' | 'layerOrder'> {
  const [name = '', order] = variant.split('__')
  return { processing: processingOf(name), layerOrder: order === 'hf_layer_order' ? 'checkpoint' : 'transformer-lens' }
}

/** Runs a job in this process and gives its result with what it saved. */
export async function runAndSave(
  job: Pick<InferenceJob, 'model' | 'prompt' | 'variants' | 'processing' | 'layerOrder'> & Partial<InferenceJob>,
  budget: StageBudget = defaultBudget
) {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-golden-'))
  try {
    const file = path.join(folder, 'run.safetensors')
    const whole: InferenceJob = {
      saes: [],
      topK: 10,
      topFeatures: 20,
      metricPositions: 'no-special',
      provider: 'cpu',
      cacheFolder: folder,
      hooks: 'all',
      save: { file },
      ...job
    }
    const result: InferenceResult = await runJob(
      whole,
      { models: new OpenModels(), plans: new CompiledPlans(), budget },
      async () => undefined
    )
    return { result, saved: await tensorsOf(file) }
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
}

/** A variant's saved tensors, in order, without the variant in front of their names; logits last. */
export function variantOf(saved: ReadonlyMap<string, Values>, variant: string): Map<string, Values> {
  const prefix = `${variant}/`
  return new Map([...saved].flatMap(([name, values]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), values]] : [])))
}

/** `|a - b| <= absolute + relative * max|b|` everywhere; infinities in the same places. Names the worst element. */
export function expectClose(name: string, actual: Values | undefined, expected: Values, absolute: number, relative: number): void {
  expect(actual?.shape, `${name}: shape`).toEqual(expected.shape)
  if (actual === undefined) return
  const largest = expected.data.reduce((max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max), 0)
  const tolerance = absolute + relative * largest
  let worst = 0
  let where = -1
  for (const [place, value] of expected.data.entries()) {
    const other = actual.data[place] ?? Number.NaN
    const difference = Object.is(value, other) || (value === other && !Number.isFinite(value)) ? 0 : Math.abs(value - other)
    if (!(difference <= worst)) {
      worst = difference
      where = place
    }
  }
  const message = `${name}: largest difference ${worst} at element ${where} (${actual.data[where]} for ${expected.data[where]})`
  expect(worst, message).toBeLessThanOrEqual(tolerance)
}

/** A hook's values within the golden data's tolerance. */
export function expectHook(name: string, actual: Values | undefined, expected: Values): void {
  expectClose(name, actual, expected, 1e-4, 1e-3)
}

/** The same set of active features. */
export function expectSameActive(name: string, actual: Values | undefined, expected: Values): void {
  const active = (values: Values | undefined) => [...(values?.data ?? []).entries()].flatMap(([place, value]) => (value > 0 ? [place] : []))
  expect(active(actual), `${name}: active features`).toEqual(active(expected))
}

/** Log-probs over the vocabulary of logits [1, position, vocabulary], in double precision. */
export function logSoftmax(logits: Values): Values {
  const vocabulary = logits.shape[2] ?? 0
  const data = new Float32Array(logits.data.length)
  for (let start = 0; start < data.length; start += vocabulary) {
    const row = logits.data.subarray(start, start + vocabulary)
    const maximum = row.reduce((max, value) => Math.max(max, value), Number.NEGATIVE_INFINITY)
    const logSum = maximum + Math.log(row.reduce((sum, value) => sum + Math.exp(value - maximum), 0))
    for (const [place, value] of row.entries()) data[start + place] = value - logSum
  }
  return { shape: logits.shape, data }
}

/** A tensor that the golden data must have. */
export function expectValues(name: string, values: Values | undefined): Values {
  if (values === undefined) throw new Error(`the golden data has no ${name}`)
  return values
}

/** Logits, log-probs, ranks, losses and best predictions of a variant against the golden outputs. */
export function expectOutputs(
  result: InferenceResult,
  variant: string,
  logits: Values | undefined,
  expected: Map<string, Values>,
  ids: number[]
): void {
  const expectedLogProbs = expectValues('log_probs', expected.get('output.log_probs'))
  expectClose('logits', logits, expectValues('logits', expected.get('output.logits')), 5e-4, 0)
  if (logits !== undefined) expectClose('log_probs', logSoftmax(logits), expectedLogProbs, 5e-4, 0)
  const ours = result.variants.find(candidate => candidate.name === variant)
  const vocabulary = expectedLogProbs.shape[2] ?? 0
  for (const [position, id] of ids.entries()) {
    if (position === 0) {
      expect(ours?.logProbs[0]).toBeNull()
      continue
    }
    const row = expectedLogProbs.data.subarray((position - 1) * vocabulary, position * vocabulary)
    const actual = fromMaybeNumber(ours?.logProbs[position] ?? null)
    expect(Math.abs((actual ?? Number.NaN) - (row[id] ?? 0)), `log-prob of token ${position}`).toBeLessThanOrEqual(5e-4)
    expect(ours?.ranks[position], `rank of token ${position}`).toBe(row.filter(value => value > (row[id] ?? 0)).length)
    const best = row.indexOf(Math.max(...row))
    const predicted = ours?.topK[position - 1]?.[0]
    expect(predicted?.id, `best prediction after ${position - 1}`).toBe(best)
    const logit = expected.get('output.logits')?.data[(position - 1) * vocabulary + best] ?? Number.NaN
    expect(Math.abs((fromMaybeNumber(predicted?.logit ?? null) ?? Number.NaN) - logit), `its logit`).toBeLessThanOrEqual(5e-4)
  }
  const losses = ours?.logProbs.slice(1).map(logProb => -(fromMaybeNumber(logProb) ?? Number.NaN)) ?? []
  const perToken = ids.slice(1).map((id, position) => -(expectedLogProbs.data[position * vocabulary + id] ?? Number.NaN))
  // Some golden files leave the losses to their log-probs.
  const recorded = expected.get('output.loss_per_token')?.data ?? Float32Array.from(perToken)
  expectClose(
    'loss per token',
    { shape: [losses.length], data: Float32Array.from(losses) },
    { shape: [recorded.length], data: recorded },
    5e-4,
    0
  )
  const loss = recorded.reduce((sum, value) => sum + value, 0) / recorded.length
  expect(Math.abs((fromMaybeNumber(ours?.loss ?? null) ?? Number.NaN) - loss)).toBeLessThanOrEqual(5e-4)
}
