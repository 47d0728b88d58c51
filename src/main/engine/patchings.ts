/** Patches between prompts as clients ask for them: decides the reading, has cells patched, keeps grids with the run of their base prompt. */
import type { z } from 'zod'
import type { PatchingEvent, PatchingRequest, PatchingResult, PatchRequest, PatchResult, patchEvent } from '../../contract/patching.ts'
import { runRequest } from '../../contract/run.ts'
import type { PatchingStep } from '../inference/messages.ts'
import type { History } from '../runs/history.ts'
import { type Progress, streamWork, withProgress } from './progress.ts'
import { jobOf, type RunServices } from './runs.ts'

/** What is decided of a request: which processing, and why. */
async function readingOf(request: PatchingRequest | PatchRequest, services: RunServices) {
  const { model, prompt, processing, layerOrder, provider } = request
  const run = runRequest.parse({ model, prompt, processing, layerOrder, provider, variants: [{ name: 'clean', splices: [] }] })
  const { job, flags, reason } = await jobOf(run, services)
  const decided = { processing: job.processing, cacheFolder: job.cacheFolder }
  return { decided, said: { processing: [...flags], processingReason: reason } }
}

/** The events of grids: progress, the two runs, layers as they are done, the result. Ending the iteration early cancels them. */
export function patching(
  request: PatchingRequest,
  services: RunServices & { readonly history: History },
  signal?: AbortSignal
): AsyncGenerator<PatchingEvent, void> {
  return streamWork<Progress | PatchingStep, Extract<PatchingEvent, { type: 'result' }>>(signal, async (abort, report) => {
    const { keepWith, ...asked } = request
    const { decided, said } = await readingOf(request, services)
    const onProgress = (stage: string, fraction: number) => report({ type: 'progress', stage, fraction })
    const { mappedBytes: _, ...found } = await services.inference.patchGrids({ ...asked, ...decided }, abort, onProgress, report)
    const result: PatchingResult = { ...found, ...said }
    return { type: 'result', result, kept: keepWith === undefined ? null : await services.history.keepPatching(keepWith, request, result) }
  })
}

/** The events of one patch: its progress, then its result. */
export function patch(
  request: PatchRequest,
  services: RunServices,
  signal?: AbortSignal
): AsyncGenerator<z.infer<typeof patchEvent>, void> {
  return withProgress(
    signal,
    async (abort, onProgress): Promise<PatchResult> => {
      const { decided, said } = await readingOf(request, services)
      const { mappedBytes: _, ...found } = await services.inference.patchOne({ ...request, ...decided }, abort, onProgress)
      return { ...found, ...said }
    },
    result => ({ type: 'result' as const, result })
  )
}
