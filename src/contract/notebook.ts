/** What a person keeps: lists of features, notes on features, searches. It lives apart from the mirror and outlives it. */
import { z } from 'zod'
import { featureKey, searchFilter, searchMode } from './explanations.ts'

export const listName = z.string().trim().min(1).max(120)
export const noteText = z.string().max(100_000)

/** A list by its name; `features` is how many are in it. Times are in ms since 1970. */
export const featureList = z.object({ id: z.int(), name: z.string(), features: z.int(), changedAt: z.number() })
export type FeatureList = z.infer<typeof featureList>

export const featureNote = z.object({ text: z.string(), changedAt: z.number() })
export type FeatureNote = z.infer<typeof featureNote>

/** What is kept of one feature: its note, and the ids of the lists it is in. */
export const featureMarks = featureKey.extend({ note: featureNote.nullable(), lists: z.array(z.int()) })
export type FeatureMarks = z.infer<typeof featureMarks>

/** Features of one list, or without `list` all that are kept; with `query`, those whose note or address contains it, in upper or lower case. */
export const entriesRequest = z.object({ list: z.int().optional(), query: z.string().default('') })
export type EntriesRequest = z.infer<typeof entriesRequest>

/** A kept feature with its first explanation in the mirror, null where it has none. `addedAt` is when it came into the list asked for. */
export const notebookEntry = featureMarks.extend({ addedAt: z.number().nullable(), explanation: z.string().nullable() })
export type NotebookEntry = z.infer<typeof notebookEntry>

/** Most features that one request adds, removes or looks up. */
const someFeatures = z.array(featureKey).max(10_000)
export const marksRequest = z.object({ features: someFeatures })
export const listChange = z.object({ list: z.int(), features: someFeatures })
export const noteChange = featureKey.extend({ text: noteText })

/** Lists and notes as a file: what an export writes and an import reads. */
export const notebookFile = z.object({
  format: z.literal('splice-notebook'),
  version: z.literal(1),
  lists: z.array(z.object({ name: listName, features: z.array(featureKey.extend({ addedAt: z.number() })) })),
  notes: z.array(featureKey.extend({ text: noteText, changedAt: z.number() }))
})
export type NotebookFile = z.infer<typeof notebookFile>

/** What an import brought: lists that are new, features that are new in their lists, notes that are new or longer than before. */
export const notebookImport = z.object({ lists: z.int(), features: z.int(), notes: z.int() })
export type NotebookImport = z.infer<typeof notebookImport>

/** A search as it was asked. */
export const keptQuestion = searchFilter.extend({ query: z.string(), mode: searchMode })
export type KeptQuestion = z.infer<typeof keptQuestion>

export const savedSearch = z.object({ name: listName, question: keptQuestion, at: z.number() })
export type SavedSearch = z.infer<typeof savedSearch>
export const recentSearch = z.object({ question: keptQuestion, at: z.number() })
export type RecentSearch = z.infer<typeof recentSearch>

/** Saved ones by name; recent ones, the latest first, each once. */
export const keptSearches = z.object({ saved: z.array(savedSearch), recent: z.array(recentSearch) })
export type KeptSearches = z.infer<typeof keptSearches>
