import { z } from 'zod'
import { harvestAbout } from './harvest.ts'

export const searchMode = z.enum(['substring', 'words'])
export type SearchMode = z.infer<typeof searchMode>

const between = z.object({ from: z.number().optional(), to: z.number().optional() })

/** What a search is narrowed to; what is left out narrows nothing. */
export const searchFilter = z.object({
  model: z.string().optional(),
  /** A source's name without its layer, such as `gemmascope-res-16k`. */
  release: z.string().optional(),
  /** `modelId/layer`, or the layer's name alone, in whichever model. */
  source: z.string().optional(),
  /** Layer numbers, both ends included. */
  layers: between.optional(),
  explainer: z.string().optional(),
  /** Kind of explanation, such as `oai_token-act-pair`. */
  type: z.string().optional(),
  /** Whether the mirror has statistics of the feature. */
  hasStatistics: z.boolean().optional(),
  /** Share of tokens on which the feature fires, both ends included. Features without statistics have none. */
  density: between.optional()
})
export type SearchFilter = z.infer<typeof searchFilter>

/**
 * A search over the mirror. `substring` finds what pandas' `str.contains(q, case=False, regex=False)` finds, in the order of
 * import, source by source; `words` is ranked. `after` is the `nextKey` of the page before; `skip` hits behind it are passed over.
 * `countFor` is how long it may count beyond the page, in ms: hits in all are a lower bound where that is too short.
 */
export const searchRequest = searchFilter.extend({
  query: z.string(),
  mode: searchMode.default('substring'),
  limit: z.int().min(1).max(1000).default(50),
  after: z.string().optional(),
  skip: z.int().min(0).max(200_000).optional(),
  countFor: z.number().min(0).max(60_000).default(150)
})
export type SearchRequest = z.infer<typeof searchRequest>

/** The same question, asked for its number of hits alone. */
export const countRequest = searchRequest.omit({ limit: true, after: true, skip: true })
export type CountRequest = z.infer<typeof countRequest>

/** Hits by name; an explanation without an explainer, or without a type, counts under the empty name. */
export const facets = z.object({
  model: z.record(z.string(), z.int()),
  source: z.record(z.string(), z.int()),
  explainer: z.record(z.string(), z.int()),
  type: z.record(z.string(), z.int())
})
export type Facets = z.infer<typeof facets>

/** How many hits there are: where `totalIsExact` is false there are at least so many. */
export const countResult = z.object({ total: z.int(), totalIsExact: z.boolean(), facets, milliseconds: z.number() })
export type CountResult = z.infer<typeof countResult>

/** A mistake in a query of words: what is wrong with [start, end) of it, in UTF-16 units. The hits are those of the rest. */
export const queryProblem = z.object({ message: z.string(), start: z.int(), end: z.int() })
export type QueryProblem = z.infer<typeof queryProblem>

/**
 * `layer` is Neuronpedia's name for the source within its model; `matches` are [start, end) in UTF-16 units of `description`;
 * `density` is the share of tokens on which the feature fires, null where the mirror does not know it.
 */
export const searchHit = z.object({
  id: z.string(),
  model: z.string(),
  layer: z.string(),
  index: z.int(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable(),
  density: z.number().nullable(),
  matches: z.array(z.tuple([z.int(), z.int()]))
})
export type SearchHit = z.infer<typeof searchHit>

/** `passed` hits were passed over; `startKey` asks for this page again without passing over any, null where it is the first. */
export const searchResult = z.object({
  total: z.int(),
  totalIsExact: z.boolean(),
  passed: z.int(),
  startKey: z.string().nullable(),
  nextKey: z.string().nullable(),
  milliseconds: z.number(),
  hits: z.array(searchHit),
  problem: queryProblem.nullable()
})
export type SearchResult = z.infer<typeof searchResult>

/** Which feature: `source` is `modelId/layer`. */
export const featureKey = z.object({ source: z.string(), index: z.int().nonnegative() })
export type FeatureKey = z.infer<typeof featureKey>

export const explanation = z.object({
  id: z.string(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable(),
  author: z.string().nullable()
})
export type Explanation = z.infer<typeof explanation>

export const featureExample = z.object({
  tokens: z.array(z.string()),
  values: z.array(z.number()),
  maxValue: z.number(),
  maxValueTokenIndex: z.int()
})
export type FeatureExample = z.infer<typeof featureExample>

export const tokenEffect = z.object({ token: z.string(), value: z.number() })

export const featureStatistics = z.object({
  maxActivation: z.number().nullable(),
  /** Share of tokens on which it fires. */
  density: z.number().nullable(),
  activationHistogram: z.array(z.object({ value: z.number(), count: z.number() })),
  /** How many tokens of the vocabulary get which logit from its decoder direction. */
  logitHistogram: z.array(z.object({ value: z.number(), count: z.number() })),
  topLogits: z.array(tokenEffect),
  bottomLogits: z.array(tokenEffect)
})
export type FeatureStatistics = z.infer<typeof featureStatistics>

/** All the mirror knows of one feature. `known` is false when the mirror has no row of it. */
export const featurePage = z.object({
  source: z.string(),
  index: z.int(),
  known: z.boolean(),
  explanations: z.array(explanation),
  statistics: featureStatistics.nullable(),
  examples: z.array(featureExample),
  previousIndex: z.int().nullable(),
  nextIndex: z.int().nullable(),
  /** Of what the source was made, where it is one of one's own. */
  harvest: harvestAbout.nullable(),
  /** Neuronpedia's page of this feature; null for sources that are not on Neuronpedia, such as the demo's. */
  neuronpediaUrl: z.string().nullable()
})
export type FeaturePage = z.infer<typeof featurePage>

export const sourceSummary = z.object({
  source: z.string(),
  model: z.string(),
  layer: z.string(),
  /** Null where its name does not begin with one. */
  layerNumber: z.int().nullable(),
  /** The source's name without its layer. */
  release: z.string(),
  explanations: z.int(),
  /** Distinct features with an explanation. */
  features: z.int(),
  /** Features with statistics. */
  statistics: z.int(),
  /** Explanations with an embedding, for finding similar ones. */
  embeddings: z.int(),
  explainers: z.array(z.string()),
  /** About how much of the mirror's file it takes. */
  bytes: z.number(),
  /** Of what it was made, where it is one of one's own, harvested from text. */
  harvest: harvestAbout.nullable()
})
export type SourceSummary = z.infer<typeof sourceSummary>

/** Which source, and how many features its SAE has, where the person knows. */
export const overviewRequest = z.object({ source: z.string(), width: z.int().positive().optional() })
export type OverviewRequest = z.infer<typeof overviewRequest>

/** A source's explanations in numbers, as one would count them in a notebook. */
export const sourceOverview = sourceSummary.extend({
  /** Features of its SAE, and who says so: the request, an SAE on this disk, or statistics of every feature. */
  width: z.object({ features: z.int(), from: z.enum(['request', 'sae', 'statistics']) }).nullable(),
  /** Null where the width is not known. */
  withoutExplanation: z.int().nullable(),
  /** The first few of them. */
  firstWithout: z.array(z.int()),
  /** Explanations by explainer and by type, most first; null counts those that name none. */
  byExplainer: z.array(z.object({ name: z.string().nullable(), explanations: z.int(), features: z.int() })),
  byType: z.array(z.object({ name: z.string().nullable(), explanations: z.int(), features: z.int() })),
  /** Features with more than one explanation. */
  withSeveral: z.int(),
  /** Distinct texts; the other explanations repeat one of them word for word. */
  distinctDescriptions: z.int(),
  /** Explanations that say of a feature what another one says of it word for word. */
  duplicates: z.int(),
  /** Texts that most explanations share. */
  commonest: z.array(z.object({ description: z.string(), explanations: z.int() }))
})
export type SourceOverview = z.infer<typeof sourceOverview>

/**
 * What to find explanations like: those of a feature, or one of them by its id. `within` narrows what is looked through. Explanations
 * of the feature itself are never among the hits.
 */
export const similarRequest = featureKey.extend({
  explanation: z.string().optional(),
  within: searchFilter.pick({ model: true, release: true, source: true, layers: true }).default({}),
  limit: z.int().min(1).max(1000).default(50)
})
export type SimilarRequest = z.infer<typeof similarRequest>

/** An explanation with the cosine of the angle between its embedding and the nearest one of those asked for. */
export const similarHit = searchHit.omit({ matches: true, density: true }).extend({ similarity: z.number() })
export type SimilarHit = z.infer<typeof similarHit>

export const similarResult = z.object({
  /** The explanations asked for that have an embedding. */
  of: z.array(explanation),
  /** Nearest first. */
  hits: z.array(similarHit),
  /** Embeddings that were looked through. */
  compared: z.int(),
  milliseconds: z.number()
})
export type SimilarResult = z.infer<typeof similarResult>

/** Files and folders to import; with `embeddings`, those in the files are kept, for finding similar explanations. */
export const importRequest = z.object({ paths: z.array(z.string()).min(1), embeddings: z.boolean().default(false) })

/** `embeddings` are those that were kept, also of explanations that were there already. */
export const importSummary = z.object({
  imported: z.int(),
  skipped: z.int(),
  rejected: z.int(),
  embeddings: z.int(),
  seconds: z.number()
})
export type ImportSummary = z.infer<typeof importSummary>

/** Rows of a file of rejects: from which file and line they are, and why they are no rows. `more` where there are further ones. */
export const rejectsRequest = z.object({ file: z.string(), limit: z.int().min(1).max(1000).default(100) })
export const rejectedRows = z.object({
  rows: z.array(z.object({ file: z.string(), line: z.int(), reason: z.string() })),
  more: z.boolean()
})
export type RejectedRows = z.infer<typeof rejectedRows>

/** How far an import is: rows handled so far, those skipped included, and its share of all bytes. */
export const importProgress = z.object({
  file: z.string(),
  rows: z.int(),
  fraction: z.number().min(0).max(1),
  rowsPerSecond: z.number(),
  /** Null before anything is known. */
  secondsLeft: z.number().nullable(),
  /** What became of the rows so far. */
  soFar: importSummary
})
export type ImportProgress = z.infer<typeof importProgress>

export const importEvent = z.discriminatedUnion('type', [
  importProgress.extend({ type: z.literal('progress') }),
  z.object({ type: z.literal('result'), result: importSummary, rejectsFile: z.string().nullable() })
])
export type ImportEvent = z.infer<typeof importEvent>
