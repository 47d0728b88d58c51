import { z } from 'zod'

export const searchMode = z.enum(['substring', 'words'])
export type SearchMode = z.infer<typeof searchMode>

/**
 * A search over the mirror. `substring` finds what pandas' `str.contains(q, case=False, regex=False)` finds; `words` is ranked.
 * `after` is the `nextKey` of the page before.
 */
export const searchRequest = z.object({
  query: z.string(),
  mode: searchMode.default('substring'),
  model: z.string().optional(),
  source: z.string().optional(),
  explainer: z.string().optional(),
  limit: z.int().min(1).max(1000).default(50),
  after: z.string().optional()
})
export type SearchRequest = z.infer<typeof searchRequest>

/** `layer` is Neuronpedia's name for the source within its model; `matches` are [start, end) in UTF-16 units of `description`. */
export const searchHit = z.object({
  id: z.string(),
  model: z.string(),
  layer: z.string(),
  index: z.int(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable(),
  matches: z.array(z.tuple([z.int(), z.int()]))
})
export type SearchHit = z.infer<typeof searchHit>

export const searchResult = z.object({
  total: z.int(),
  totalIsExact: z.boolean(),
  nextKey: z.string().nullable(),
  milliseconds: z.number(),
  hits: z.array(searchHit)
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
  /** Neuronpedia's page of this feature; null for sources that are not on Neuronpedia, such as the demo's. */
  neuronpediaUrl: z.string().nullable()
})
export type FeaturePage = z.infer<typeof featurePage>

export const sourceSummary = z.object({
  source: z.string(),
  model: z.string(),
  layer: z.string(),
  explanations: z.int(),
  /** Distinct features with an explanation. */
  features: z.int(),
  /** Features with statistics. */
  statistics: z.int(),
  explainers: z.array(z.string())
})
export type SourceSummary = z.infer<typeof sourceSummary>

export const importSummary = z.object({ imported: z.int(), skipped: z.int(), rejected: z.int(), seconds: z.number() })
export type ImportSummary = z.infer<typeof importSummary>

export const importEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), file: z.string(), rows: z.int(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), result: importSummary, rejectsFile: z.string().nullable() })
])
export type ImportEvent = z.infer<typeof importEvent>
