/** Reads fixtures/golden, what TransformerLens and SAELens compute, and runs its cases in this process. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type ProcessingFlag, type Provider, processingFlag, provider } from '../../../contract/run.ts'
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

/** What runs the cases: the CPU, unless the whole of them is held to the golden data on another provider. */
export const goldenProvider = provider.exclude(['auto']).parse(process.env.SPLICE_GOLDEN_PROVIDER ?? 'cpu')

/** Throws where something else ran than was to be compared: a device that fails gives way to the CPU. */
export function requireGoldenProvider(asked: Provider, ran: { readonly provider: string; readonly warnings?: readonly string[] }): void {
  if (asked !== goldenProvider || ran.provider === asked) return
  throw new Error(`${asked} was to be compared, but ${ran.provider} ran: ${ran.warnings?.join('; ') ?? ''}`)
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
      provider: goldenProvider,
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
    requireGoldenProvider(whole.provider, result)
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
