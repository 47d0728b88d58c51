/**
 * The rows that files of explanations hold, recognised by content. Field names are Neuronpedia's, in its old export (a JSON
 * array of explanations) as in its bulk files (one JSON object a line); `layer` is the source's name within its model.
 */
import { z } from 'zod'

const index = z.union([
  z.int().nonnegative(),
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
])
const where = { modelId: z.string().min(1), layer: z.string().min(1), index }

export const explanationRow = z.object({
  ...where,
  description: z.string(),
  id: z.string().nullish(),
  explanationModelName: z.string().nullish(),
  typeName: z.string().nullish(),
  authorId: z.string().nullish()
})
export type ExplanationRow = z.infer<typeof explanationRow>

export const exampleRow = z.object({
  tokens: z.array(z.string()),
  values: z.array(z.number()),
  maxValue: z.number(),
  maxValueTokenIndex: z.int().nonnegative()
})

export const featureRow = z.object({
  ...where,
  maxActApprox: z.number().nullish(),
  frac_nonzero: z.number().nullish(),
  freq_hist_data_bar_heights: z.array(z.number()).default([]),
  freq_hist_data_bar_values: z.array(z.number()).default([]),
  pos_str: z.array(z.string()).default([]),
  pos_values: z.array(z.number()).default([]),
  neg_str: z.array(z.string()).default([]),
  neg_values: z.array(z.number()).default([]),
  activations: z.array(exampleRow).default([])
})
export type FeatureRow = z.infer<typeof featureRow>

/** What a row turned out to be, or why it is none that can be imported. */
export type RecognisedRow =
  | { kind: 'explanation'; row: ExplanationRow }
  | { kind: 'feature'; row: FeatureRow }
  | { kind: 'rejected'; reason: string }

function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0]
  const field = issue?.path.join('.') ?? ''
  return field === '' ? (issue?.message ?? 'not a row') : `${field}: ${issue?.message ?? 'not valid'}`
}

/** Recognises a parsed row by its fields. */
export function recogniseRow(value: unknown): RecognisedRow {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'rejected', reason: 'not a JSON object' }
  if ('description' in value) {
    const parsed = explanationRow.safeParse(value)
    return parsed.success ? { kind: 'explanation', row: parsed.data } : { kind: 'rejected', reason: firstProblem(parsed.error) }
  }
  if ('maxActApprox' in value || 'frac_nonzero' in value || 'pos_str' in value) {
    const parsed = featureRow.safeParse(value)
    return parsed.success ? { kind: 'feature', row: parsed.data } : { kind: 'rejected', reason: firstProblem(parsed.error) }
  }
  return { kind: 'rejected', reason: 'neither an explanation (description) nor a feature (maxActApprox, frac_nonzero, pos_str)' }
}

/** A feature's statistics and examples as the mirror keeps them, beside maximum and density. */
export const storedDetails = z.object({
  histogram: z.array(z.tuple([z.number(), z.number()])),
  top: z.array(z.tuple([z.string(), z.number()])),
  bottom: z.array(z.tuple([z.string(), z.number()]))
})
export const storedExamples = z.array(exampleRow)
