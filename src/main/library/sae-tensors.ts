/** The tensors of an SAE, whatever its format and architecture call them. */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Sae } from '../sae/sae.ts'

function isStoredTensor(value: object): value is StoredTensor {
  return 'byteLength' in value && 'dtype' in value && 'shape' in value && 'offset' in value
}

/** How deep a description nests its tensors. */
const depth = 3

/** All tensors that the description of an SAE holds, in its order, each once. */
export function tensorsOf(sae: Sae): StoredTensor[] {
  const found = new Set<StoredTensor>()
  function visit(value: unknown, left: number): void {
    if (typeof value !== 'object' || value === null || left < 0) return
    if (isStoredTensor(value)) found.add(value)
    else for (const inner of Object.values(value)) visit(inner, left - 1)
  }
  visit(sae, depth)
  return [...found]
}
