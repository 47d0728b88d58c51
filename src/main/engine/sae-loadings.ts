/** What the SAEs of a run say of how their model is loaded, and of how they do. */
import type { ProcessingChoice } from '../../contract/readings.ts'
import type { Processing, PublishedMetrics, RunSae } from '../../contract/run.ts'
import { publishedMetrics } from '../library/published-metrics.ts'
import { type KnownSae, readingFacts, releaseOf } from '../library/releases.ts'
import { openSae } from '../sae/open.ts'
import type { Sae } from '../sae/sae.ts'
import { readProcessing, type SaeLoading } from './processing.ts'

/** An SAE of a run as its files and its release have it. */
export interface OpenedSae {
  readonly sae: Sae
  readonly known: KnownSae | null
  readonly loading: SaeLoading
  readonly published: PublishedMetrics
}

/** Opens an SAE by its headers. Throws what is wrong with it, before the model is opened. */
export async function openRunSae({ name, path, hook, hookOut, normFactor }: RunSae): Promise<OpenedSae> {
  const known = await releaseOf(path)
  const sae = await openSae(path, { hook, hookOut, normFactor, release: readingFacts(known) })
  const loading = {
    name,
    release: known?.release ?? null,
    ownKwargs: sae.modelFromPretrainedKwargs,
    releaseKwargs: known?.modelFromPretrainedKwargs ?? null,
    keepsOwnKwargs: sae.keepsOwnKwargs
  }
  return { sae, known, loading, published: await publishedMetrics(sae, known) }
}

/** The processing that a run of these SAEs would have, and what each asks for. Throws what is wrong with an SAE. */
export async function processingOf(processing: Processing, saes: readonly RunSae[]): Promise<ProcessingChoice> {
  const opened = await Promise.all(saes.map(openRunSae))
  return readProcessing(
    processing,
    opened.map(({ loading }) => loading)
  )
}
