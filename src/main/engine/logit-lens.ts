/** The logit lens as clients ask for it: decides the reading as a run does, then reads. */
import type { LensEvent, LensRequest, LensResult } from '../../contract/logit-lens.ts'
import { withProgress } from './progress.ts'
import { jobOf, type RunServices } from './runs.ts'

/** A run read through the lens: its progress, then its result. Ending the iteration early cancels the work. */
export function readLens({ run, ...options }: LensRequest, services: RunServices, signal?: AbortSignal): AsyncGenerator<LensEvent, void> {
  return withProgress(
    signal,
    async (abort, onProgress): Promise<LensResult> => {
      const { job, flags, from, reason } = await jobOf(run, services)
      const { mappedBytes: _, ...lens } = await services.inference.lens({ ...options, job }, abort, onProgress)
      return { ...lens, processing: [...flags], processingFrom: from, processingReason: reason }
    },
    result => ({ type: 'result' as const, result })
  )
}
