import { z } from 'zod'
import { modelSummary, saeSummary } from './library.ts'

/** A tensor as its file's header says; `shape` is the stored one. */
export const inspectedTensor = z.object({
  name: z.string(),
  dtype: z.string(),
  shape: z.array(z.int()),
  sizeBytes: z.number(),
  file: z.string()
})
export type InspectedTensor = z.infer<typeof inspectedTensor>

const common = { path: z.string(), tensors: z.array(inspectedTensor) }
const config = z.record(z.string(), z.unknown())

/**
 * What a path holds, checked as far as headers allow. `config` of a model is by HookedTransformerConfig's names, as far as known;
 * that of an SAE is the one that lies beside its weights.
 */
export const inspection = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('model'), ...common, model: modelSummary, config }),
  z.object({ kind: z.literal('sae'), ...common, sae: saeSummary, config }),
  z.object({
    kind: z.literal('weights'),
    ...common,
    container: z.enum(['safetensors', 'npz', 'torch']),
    metadata: z.record(z.string(), z.string())
  })
])
export type Inspection = z.infer<typeof inspection>
