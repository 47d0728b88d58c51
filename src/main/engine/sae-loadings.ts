/** What the SAEs of a run say of how their model is loaded. */

import type { ProcessingChoice } from '../../contract/readings.ts'
import type { Processing, RunSae } from '../../contract/run.ts'
import { type KnownSae, readingFacts, releaseOf } from '../library/releases.ts'
import { openSae } from '../sae/open.ts'
import { readProcessing, type SaeLoading } from './processing.ts'

/** What each SAE's config and release state. Throws what is wrong with an SAE, before the model is opened. */
export async function loadingsOf(saes: readonly RunSae[], releases: readonly (KnownSae | null)[]): Promise<SaeLoading[]> {
  return Promise.all(
    saes.map(async ({ name, path, hook, hookOut, normFactor }, index) => {
      const known = releases[index] ?? null
      const sae = await openSae(path, { hook, hookOut, normFactor, release: readingFacts(known) })
      return {
        name,
        release: known?.release ?? null,
        ownKwargs: sae.modelFromPretrainedKwargs,
        releaseKwargs: known?.modelFromPretrainedKwargs ?? null,
        keepsOwnKwargs: sae.keepsOwnKwargs
      }
    })
  )
}

/** The processing that a run of these SAEs would have, and what each asks for. Throws what is wrong with an SAE. */
export async function processingOf(processing: Processing, saes: readonly RunSae[]): Promise<ProcessingChoice> {
  const releases = await Promise.all(saes.map(sae => releaseOf(sae.path)))
  return readProcessing(processing, await loadingsOf(saes, releases))
}
