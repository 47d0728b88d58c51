/** What a pass is fed of its variants: where each takes an SAE's output, what it does to which features, and what it adds. */
import type { Tensor } from 'onnxruntime-node'
import type { Variant } from '../../contract/run.ts'
import { editInputs, editRowsOf, type PassPositions, steeringInputs, steeringRowsOf, type TokensOf } from './edit-rows.ts'
import { onnxRuntime } from './sessions.ts'
import { type PlannedSae, spliceInputs } from './stage-graph.ts'
import { spliceRowsOf } from './variants.ts'

/** Tensors by the names of graph inputs, for the positions of a pass. */
export async function variantFeeds(
  saes: readonly PlannedSae[],
  variants: readonly Variant[],
  tokensOf: TokensOf,
  positions: PassPositions
): Promise<Map<string, Tensor>> {
  const { Tensor } = await onnxRuntime()
  const feeds = new Map<string, Tensor>()
  for (const sae of saes) {
    if (sae.spliced) {
      const { mask, gate } = spliceRowsOf(sae, variants, tokensOf, positions)
      const inputs = spliceInputs(sae.name)
      feeds.set(inputs.mask, new Tensor('bool', mask, [variants.length, positions.length, 1]))
      feeds.set(inputs.gate, new Tensor('float32', gate, [variants.length, 1, 1]))
    }
    if (sae.edited) {
      const { dims, feature, factor, offset } = editRowsOf(sae, variants, tokensOf, positions)
      const inputs = editInputs(sae.name)
      feeds.set(inputs.feature, new Tensor('int64', feature, dims))
      feeds.set(inputs.factor, new Tensor('float32', factor, dims))
      feeds.set(inputs.offset, new Tensor('float32', offset, dims))
    }
    if (sae.steered) {
      const { dims, feature, before, after } = steeringRowsOf(sae, variants, tokensOf, positions)
      const inputs = steeringInputs(sae.name)
      feeds.set(inputs.feature, new Tensor('int64', feature, [dims[0], dims[2]]))
      feeds.set(inputs.before, new Tensor('float32', before, dims))
      feeds.set(inputs.after, new Tensor('float32', after, dims))
    }
  }
  return feeds
}
