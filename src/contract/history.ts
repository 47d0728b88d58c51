/** The run history: every run is kept with what it was asked for and what it gave, so that it is shown again without its model. */
import { z } from 'zod'
import { maybeNumber } from './numbers.ts'
import { runRequest, runResult } from './run.ts'

/** A run's name in the history: ten hexadecimal digits. */
export const runId = z.string().regex(/^[0-9a-f]{10}$/)

/** A label that a person gives to runs. */
export const runTag = z.string().trim().min(1).max(40)

/** What a list says of a kept run. */
export const keptRun = z.object({
  id: runId,
  /** When it was kept, ms since 1970. */
  createdAt: z.number(),
  /** Given by a person; null without. */
  name: z.string().nullable(),
  pinned: z.boolean(),
  notes: z.string(),
  tags: z.array(runTag),
  /** The prompt as it was written, or as its tokens read. */
  prompt: z.string(),
  tokens: z.int(),
  model: z.object({ name: z.string(), path: z.string() }),
  /** `label` names an SAE as people do: its source's layer, or the end of its path. */
  saes: z.array(z.object({ name: z.string(), label: z.string(), hook: z.string() })),
  /** Each variant's loss and mean KL against clean (nats), null where it has none. */
  variants: z.array(z.object({ name: z.string(), loss: maybeNumber, meanKl: maybeNumber })),
  /** What it takes on the disk. */
  bytes: z.int(),
  /** The version of Splice that ran it. */
  version: z.string()
})
export type KeptRun = z.infer<typeof keptRun>

/** Which runs: all words of `text` occur in name, prompt, notes, tags, model or SAEs, whatever their case. */
export const historyFilter = z.object({
  text: z.string().default(''),
  model: z.string().optional(),
  sae: z.string().optional(),
  tag: z.string().optional(),
  pinned: z.boolean().optional()
})

/** A page of them, pinned ones first, then the newest; `after` is the `nextKey` of the page before. */
export const historyRequest = historyFilter.extend({ limit: z.int().min(1).max(500).default(100), after: z.string().optional() })
export type HistoryRequest = z.infer<typeof historyRequest>

export const historyPage = z.object({
  runs: z.array(keptRun),
  /** How many there are on all pages. */
  total: z.int(),
  nextKey: z.string().nullable()
})
export type HistoryPage = z.infer<typeof historyPage>

const counted = z.object({ name: z.string(), runs: z.int() })

/** The whole history: how much there is, and what to filter by, most frequent first. */
export const historySummary = z.object({
  file: z.string(),
  runs: z.int(),
  pinned: z.int(),
  /** Of the file. */
  bytes: z.number(),
  models: z.array(counted),
  saes: z.array(counted),
  tags: z.array(counted)
})
export type HistorySummary = z.infer<typeof historySummary>

/** A kept run, whole. */
export const openedRun = z.object({ kept: keptRun, request: runRequest, result: runResult })
export type OpenedRun = z.infer<typeof openedRun>

/** What a person says of a run; what is not named stays. */
export const historyChange = z.object({
  id: runId,
  name: z.string().trim().max(120).nullable().optional(),
  notes: z.string().max(100_000).optional(),
  tags: z.array(runTag).max(50).optional(),
  pinned: z.boolean().optional()
})
export type HistoryChange = z.infer<typeof historyChange>

/** Runs to remove or to bring back. */
export const runIds = z.object({ ids: z.array(runId).min(1).max(10_000) })

/** Emptying the history for good; pinned runs stay unless `pinned`. */
export const historyClearing = z.object({ pinned: z.boolean().default(false) })
