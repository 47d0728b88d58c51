/** Reads fixtures/golden: what TransformerLens and SAELens compute, and the comparisons that its README asks for. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { z } from 'zod'
import { processingFlag } from '../../../contract/run.ts'
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
const saeRun = z.object({ prompt: z.string(), model_variant: z.string(), file: z.string(), file_error_term: z.string().optional() })

const indexSchema = z.object({
  models: z.array(
    z.object({ id: z.string(), path: z.string(), variants: z.array(z.string()), prompts: z.array(z.object({ id: z.string() })) })
  ),
  saes: z.array(
    z.object({
      id: z.string(),
      model: z.string(),
      format: z.string(),
      path: z.string().optional(),
      hooks: z.array(z.string()),
      members: z.array(z.string()).optional(),
      metrics_file: z.string().optional(),
      runs: z.array(saeRun)
    })
  ),
  positions: z.array(
    z.object({
      sae: z.union([z.string(), z.array(z.string())]),
      model: z.string(),
      hook: z.array(z.string()),
      model_variant: z.string(),
      prompt: z.string(),
      kept_positions: z.array(z.int()),
      file: z.string()
    })
  )
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

/** Processing and layer order behind a golden variant's name. */
export function readingOf(variant: string): Pick<InferenceJob, 'processing' | 'layerOrder'> {
  const [name = '', order] = variant.split('__')
  return {
    processing: name === 'processed' ? [...processingFlag.options] : [],
    layerOrder: order === 'hf_layer_order' ? 'checkpoint' : 'transformer-lens'
  }
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
