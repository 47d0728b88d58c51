/** A feature by its SAE's weights, and where it fired in runs that are kept. */
import path from 'node:path'
import type {
  ComparedSae,
  FeatureWeightsEvent,
  FeatureWeightsRequest,
  Firing,
  Firings,
  FiringsRequest
} from '../../contract/feature-weights.ts'
import { historyRequest } from '../../contract/history.ts'
import { fromMaybeNumber } from '../../contract/numbers.ts'
import type { RunResult } from '../../contract/run.ts'
import { readingFacts, releaseOf } from '../library/releases.ts'
import type { History } from '../runs/history.ts'
import type { InferenceProcess } from './inference-process.ts'
import { withProgress } from './progress.ts'

export interface WeightsServices {
  readonly inference: InferenceProcess
  readonly home: string
}

/** Kept runs that are looked through, and tokens shown on either side of one where a feature fired. */
const mostRuns = 60
const around = 6

/** What the weights say of a feature: progress, then the answer. Ending the iteration early cancels the work. */
export function readWeights(
  { model, sae, others, feature, count }: FeatureWeightsRequest,
  { inference, home }: WeightsServices,
  signal?: AbortSignal
): AsyncGenerator<FeatureWeightsEvent, void> {
  const known = async (one: ComparedSae) => ({ ...one, release: readingFacts(await releaseOf(one.path)) })
  return withProgress(
    signal,
    async (abort, onProgress) => {
      const job = { model, sae: await known(sae), others: await Promise.all(others.map(known)), feature, count }
      return inference.featureWeights({ ...job, cacheFolder: path.join(home, 'cache') }, abort, onProgress)
    },
    weights => ({ type: 'result' as const, weights })
  )
}

/** Where a feature fired in a run, in the variant that comes first. */
function firingsIn(run: string, { tokens, saes, variants }: RunResult, { path: saePath, source, feature }: FiringsRequest): Firing[] {
  const sae = saes.find(candidate => candidate.path === saePath || (source !== null && candidate.source === source))
  const variant = variants[0]?.name ?? ''
  const lists = sae?.byVariant[variant]?.features ?? []
  return lists.flatMap((features, position) => {
    const activation = fromMaybeNumber(features.find(({ index }) => index === feature)?.activation ?? null)
    if (activation === null || !Number.isFinite(activation)) return []
    const start = Math.max(0, position - around)
    return [{ run, variant, position, activation, tokens: tokens.slice(start, position + around + 1), at: position - start }]
  })
}

/** Where a feature fired in the newest runs that are kept, the strongest first; a run that cannot be read is passed over. */
export async function firingsOf(request: FiringsRequest, history: History): Promise<Firings> {
  const { runs } = await history.list(historyRequest.parse({ limit: mostRuns }))
  const found: Firing[] = []
  const seen = new Set<string>()
  let looked = 0
  for (const { id, saes } of runs) {
    if (saes.length === 0) continue
    let result: RunResult
    try {
      result = (await history.open(id)).result
    } catch {
      // The list of runs says what is wrong with it.
      continue
    }
    looked += 1
    const text = result.tokens.map(token => token.id).join()
    // The same prompt again says nothing new.
    if (seen.has(text)) continue
    const its = firingsIn(id, result, request)
    if (its.length > 0) seen.add(text)
    found.push(...its)
  }
  found.sort((a, b) => b.activation - a.activation)
  return { firings: found.slice(0, request.limit), runs: looked }
}
