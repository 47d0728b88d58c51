/** A source in numbers, with the width that an SAE on this disk tells. */
import type { OverviewRequest, SourceOverview } from '../../contract/explanations.ts'
import type { EngineServices } from './engine.ts'

/** Throws `mirror/no-source`. */
export async function overviewOf({ library, mirror }: EngineServices, { source, width }: OverviewRequest): Promise<SourceOverview> {
  if (width !== undefined) return mirror.overview(source, { features: width, from: 'request' })
  const sae = (await library.onDisk()).saes.find(one => one.source === source)
  return mirror.overview(source, sae === undefined ? null : { features: sae.dSae, from: 'sae' })
}
