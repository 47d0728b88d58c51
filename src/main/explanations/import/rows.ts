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
/** Files of one column type, such as .csv, have empty text where there is nothing. */
const optionalText = z.string().nullish()

export const explanationRow = z.object({
  ...where,
  description: z.string(),
  id: optionalText,
  explanationModelName: optionalText,
  typeName: optionalText,
  authorId: optionalText
})
export type ExplanationRow = z.infer<typeof explanationRow>

export const exampleRow = z.object({
  tokens: z.array(z.string()),
  values: z.array(z.number()),
  maxValue: z.number(),
  maxValueTokenIndex: z.int().nonnegative()
})
export type ExampleRow = z.infer<typeof exampleRow>

const numbers = z.array(z.number()).nullish()
const texts = z.array(z.string()).nullish()

export const featureRow = z.object({
  ...where,
  maxActApprox: z.number().nullish(),
  frac_nonzero: z.number().nullish(),
  freq_hist_data_bar_heights: numbers,
  freq_hist_data_bar_values: numbers,
  logits_hist_data_bar_heights: numbers,
  logits_hist_data_bar_values: numbers,
  pos_str: texts,
  pos_values: numbers,
  neg_str: texts,
  neg_values: numbers,
  activations: z.array(exampleRow).nullish()
})
export type FeatureRow = z.infer<typeof featureRow>

export const activationRow = exampleRow.extend(where)
export type ActivationRow = z.infer<typeof activationRow>

/** What a row turned out to be, or why it is none that can be imported. */
export type RecognisedRow =
  | { kind: 'explanation'; row: ExplanationRow }
  | { kind: 'feature'; row: FeatureRow }
  | { kind: 'activation'; row: ActivationRow }
  | { kind: 'rejected'; reason: string }

function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0]
  const field = issue?.path.join('.') ?? ''
  return field === '' ? (issue?.message ?? 'not a row') : `${field}: ${issue?.message ?? 'not valid'}`
}

const featureFields = ['maxActApprox', 'frac_nonzero', 'pos_str', 'freq_hist_data_bar_heights']

/** Recognises a parsed row by its fields. `source` fills in where the row itself does not say which source it belongs to. */
export function recogniseRow(value: unknown, source: { modelId: string; layer: string } | null = null): RecognisedRow {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'rejected', reason: 'not a JSON object' }
  const row = source === null || ('modelId' in value && 'layer' in value) ? value : { ...source, ...value }
  if ('description' in row) {
    const parsed = explanationRow.safeParse(row)
    return parsed.success ? { kind: 'explanation', row: parsed.data } : { kind: 'rejected', reason: firstProblem(parsed.error) }
  }
  if (featureFields.some(field => field in row)) {
    const parsed = featureRow.safeParse(row)
    return parsed.success ? { kind: 'feature', row: parsed.data } : { kind: 'rejected', reason: firstProblem(parsed.error) }
  }
  if ('tokens' in row && 'values' in row) {
    const parsed = activationRow.safeParse(row)
    return parsed.success ? { kind: 'activation', row: parsed.data } : { kind: 'rejected', reason: firstProblem(parsed.error) }
  }
  return {
    kind: 'rejected',
    reason: 'neither an explanation (description), nor a feature (maxActApprox, frac_nonzero, pos_str), nor an activation (tokens, values)'
  }
}

/** A feature's statistics as the mirror keeps them, beside maximum and density. */
export const storedDetails = z.object({
  histogram: z.array(z.tuple([z.number(), z.number()])),
  logitHistogram: z.array(z.tuple([z.number(), z.number()])).default([]),
  top: z.array(z.tuple([z.string(), z.number()])),
  bottom: z.array(z.tuple([z.string(), z.number()]))
})
export const storedExamples = z.array(exampleRow)
