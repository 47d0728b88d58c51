/** What features of SAEs do on one's own text: what is asked, how far it is, and what comes of it. */
import { z } from 'zod'
import { evaluationProgress } from './evaluation.ts'
import { layerOrder, precision, processing, processingFlag, provider, runSae } from './run.ts'

/** A share of a harvest: parts `index` of `of`, counted from 1, hold all of it together. */
export const shard = z.object({ index: z.int().min(1), of: z.int().min(1).max(10_000) })
export type Shard = z.infer<typeof shard>

/** A name of a source, or of what stands in one. */
export const sourceName = z
  .string()
  .regex(/^[A-Za-z0-9._-]+$/, 'letters, digits, dots, dashes and underscores alone')
  .max(80)

/**
 * A harvest: how often each feature of some SAEs fires on a text, how strongly, and where. `texts` are files or folders; a file has a
 * document per line, a JSON object with a `text` per line (.jsonl, .ndjson), or is a JSON array of arrays of token ids (.json); in
 * folders, .txt, .md, .jsonl and .ndjson are read.
 */
export const harvestRequest = z.object({
  model: z.string(),
  saes: z.array(runSae.omit({ source: true })).min(1),
  texts: z.array(z.string()).min(1),
  /** How many tokens are read at most, BOS included. */
  tokens: z.int().min(1),
  shard: shard.optional(),
  documents: z.enum(['joined', 'apart']).default('joined'),
  prependBos: z.boolean().default(true),
  /** The longest sequence, in tokens. Without it the shortest that an SAE was trained with, else 1024; of ids what the model takes. */
  context: z.int().min(2).optional(),
  /** Tokens of one pass. Without it 2048, fewer for wide SAEs. */
  batchTokens: z.int().min(1).optional(),
  /** Whether special tokens count. */
  countSpecial: z.boolean().default(false),
  /** Strongest examples of each feature, examples of each of eight intervals of its activation, and tokens around each. */
  top: z.int().min(0).max(100).default(20),
  perInterval: z.int().min(0).max(50).default(5),
  before: z.int().min(0).max(100).default(20),
  after: z.int().min(0).max(100).default(11),
  processing: processing.default('auto'),
  layerOrder: layerOrder.default('checkpoint'),
  provider: provider.default('auto'),
  precision: precision.optional(),
  /** What its sources are called, instead of `own`. */
  name: sourceName.optional(),
  /** Where it is kept. Without it in the home, and there only until the mirror has it; a shard always stays. */
  file: z.string().min(1).optional(),
  /** Most memory for what is counted, in bytes; half of what is free without it. */
  memoryLimit: z.int().min(1).optional(),
  /** Forgets what is kept of it, in place of going on. */
  anew: z.boolean().default(false)
})
export type HarvestRequest = z.infer<typeof harvestRequest>

/** What a harvest will take, and where it will go. Memory is what is held of all features, whatever the number of tokens. */
export const harvestPlan = z.object({
  features: z.int(),
  bytesPerFeature: z.int(),
  memoryBytes: z.number(),
  memoryLimit: z.number(),
  /** Settings with which it would fit, where it does not. */
  smaller: z.object({ top: z.int(), perInterval: z.int(), memoryBytes: z.number() }).nullable(),
  texts: z.object({ files: z.int(), bytes: z.number() }),
  context: z.int(),
  batchTokens: z.int(),
  /** Sources that it will fill, `modelId/layer`, and of these which are there from an earlier harvest; none for a shard. */
  sources: z.array(z.object({ sae: z.string(), source: z.string(), replaces: z.boolean() })),
  file: z.string(),
  /** Tokens that are in the file already, where it goes on. */
  tokensKept: z.int().nullable()
})
export type HarvestPlan = z.infer<typeof harvestPlan>

export const harvestProgress = evaluationProgress.extend({ stage: z.enum(['opening', 'running', 'writing']) })
export type HarvestProgress = z.infer<typeof harvestProgress>

export const harvestedText = z.object({ path: z.string(), bytes: z.number() })

/** An SAE of a harvest: where it read, and the source that is made of it. */
export const harvestedSae = z.object({
  name: z.string(),
  path: z.string(),
  hook: z.string(),
  hookOut: z.string().nullable(),
  features: z.int().positive(),
  source: z.string()
})
export type HarvestedSae = z.infer<typeof harvestedSae>

/** Of what a source of one's own was made. `tokens` went through the model, `counted` of them count; `at` is ISO 8601. */
export const harvestAbout = z.object({
  model: z.object({ name: z.string(), path: z.string() }),
  sae: harvestedSae.omit({ source: true }),
  /** The first of the files, and how many there are. */
  texts: z.array(harvestedText),
  files: z.int(),
  tokens: z.int(),
  counted: z.int(),
  sequences: z.int(),
  context: z.int(),
  documents: z.enum(['joined', 'apart']),
  countSpecial: z.boolean(),
  processing: z.array(z.string()),
  /** Tokens around an example's token. */
  before: z.int(),
  after: z.int(),
  at: z.string()
})
export type HarvestAbout = z.infer<typeof harvestAbout>

/** Of what a source of one's own was made, line by line: what it is called, and what it is. */
export function describeHarvest(about: HarvestAbout): (readonly [name: string, text: string])[] {
  const { model, sae, texts, files, tokens, counted, sequences, context, documents, countSpecial, processing, at } = about
  const count = (value: number) => value.toLocaleString('en-US')
  const more = files > texts.length ? ` and ${count(files - texts.length)} more files` : ''
  return [
    ['harvested', `${at.slice(0, 10)}, from text of your own`],
    ['text', `${texts.map(({ path }) => path).join(', ')}${more}`],
    ['tokens', `${count(tokens)}${countSpecial ? '' : `, ${count(counted)} of them counted (special ones are not)`}`],
    ['sequences', `${count(sequences)} of at most ${count(context)}, documents ${documents}`],
    ['model', `${model.name}, ${processing.length === 0 ? 'no processing' : processing.join(', ')}: ${model.path}`],
    ['SAE', `${sae.hookOut === null ? sae.hook : `${sae.hook} to ${sae.hookOut}`}, ${count(sae.features)} features: ${sae.path}`]
  ]
}

export const harvestResult = z.object({
  model: z.object({ name: z.string(), path: z.string() }),
  /** `fired`: features that fired at a counted token; `meanActive`: features that fire at one on average. */
  saes: z.array(harvestedSae.extend({ fired: z.int(), meanActive: z.number() })),
  tokens: z.int(),
  counted: z.int(),
  sequences: z.int(),
  idsLeftOut: z.int(),
  /** Whether the text ended before so many tokens as were asked for. */
  textEnded: z.boolean(),
  shard: shard.nullable(),
  /** Where it is kept; null where the mirror alone has it. */
  file: z.string().nullable(),
  /** Whether the mirror has it. */
  inMirror: z.boolean(),
  memoryBytes: z.number(),
  context: z.int(),
  processing: z.array(processingFlag),
  processingReason: z.string(),
  provider: z.string(),
  providerReason: z.string(),
  warnings: z.array(z.string()),
  /** Time that was spent on it, over all its beginnings. */
  seconds: z.number()
})
export type HarvestResult = z.infer<typeof harvestResult>

export const harvestEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('plan'), plan: harvestPlan }),
  harvestProgress,
  z.object({ type: z.literal('result'), result: harvestResult })
])
export type HarvestEvent = z.infer<typeof harvestEvent>

/** Parts to put together. The mirror gets the whole, unless it is to go into a file alone. */
export const harvestMergeRequest = z.object({
  files: z.array(z.string()).min(1),
  name: sourceName.optional(),
  /** A file that is to hold the whole. */
  out: z.string().min(1).optional(),
  toMirror: z.boolean().default(true),
  memoryLimit: z.int().min(1).optional()
})
export type HarvestMergeRequest = z.infer<typeof harvestMergeRequest>

/** What came of parts that were put together; `missing` names shards that were not among them. */
export const harvestMergeResult = harvestResult
  .pick({ model: true, saes: true, tokens: true, counted: true, sequences: true, inMirror: true, memoryBytes: true, warnings: true })
  .extend({ parts: z.int(), file: z.string().nullable(), seconds: z.number() })
export type HarvestMergeResult = z.infer<typeof harvestMergeResult>

export const harvestMergeEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), result: harvestMergeResult })
])
export type HarvestMergeEvent = z.infer<typeof harvestMergeEvent>

/** A harvest that was begun and not ended, as the home keeps it; `request` asks for it again. */
export const unfinishedHarvest = z.object({
  file: z.string(),
  request: harvestRequest,
  tokens: z.int(),
  changedAt: z.string()
})
export type UnfinishedHarvest = z.infer<typeof unfinishedHarvest>
