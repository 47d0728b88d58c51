/** Answers to a prompt, scored: decides the reading and sends the job to inference. */
import type { AnswersEvent, AnswersRequest, AnswersResult } from '../../contract/answers.ts'
import { runRequest } from '../../contract/run.ts'
import { withProgress } from './progress.ts'
import { jobOf, type RunServices } from './runs.ts'

/** The events of a test: its progress, then its result. Ending the iteration early cancels it. */
export function testPrompt(request: AnswersRequest, services: RunServices, signal?: AbortSignal): AsyncGenerator<AnswersEvent, void> {
  return withProgress(
    signal,
    async (abort, onProgress): Promise<AnswersResult> => {
      const { model, saes, prompt, variants, processing, layerOrder, provider } = request
      const asRun = runRequest.parse({ model, saes, prompt, variants, processing, layerOrder, provider })
      const { job, flags, reason } = await jobOf(asRun, services)
      const answersJob = { ...request, processing: [...flags], saes: job.saes, cacheFolder: job.cacheFolder }
      const { mappedBytes: _, ...result } = await services.inference.answers(answersJob, abort, onProgress)
      return { ...result, processing: [...flags], processingReason: reason }
    },
    result => ({ type: 'result' as const, result })
  )
}
