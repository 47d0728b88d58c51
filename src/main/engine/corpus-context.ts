/** How long the sequences of a text are where nobody says so. */
import type { Sae } from '../sae/sae.ts'

/** The longest sequence of a text where neither the person nor the SAE's config says one: what SAELens trains most SAEs with. */
export const usualContext = 1024

/** What an SAE's config says of the sequences that it was trained on. */
export function trainedContext({ config }: Sae): number | null {
  const { metadata } = config
  const nested = typeof metadata === 'object' && metadata !== null && 'context_size' in metadata ? metadata.context_size : null
  const stated = config.context_size ?? nested
  return typeof stated === 'number' && Number.isSafeInteger(stated) && stated >= 2 ? stated : null
}
