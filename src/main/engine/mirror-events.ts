/** Work on the mirror as streams: progress, then the result. Whoever watches the engine hears when it begins and ends. */
import type { ImportEvent } from '../../contract/explanations.ts'
import type { MirrorProgress } from '../../contract/mirror.ts'
import type { WorkOptions } from '../explanations/mirror.ts'
import type { EngineServices } from './engine.ts'
import { streamWork } from './progress.ts'

type Services = Pick<EngineServices, 'mirror' | 'announceStatus'>

async function announced<Result>(services: Services, work: Promise<Result>): Promise<Result> {
  services.announceStatus()
  try {
    return await work
  } finally {
    services.announceStatus()
  }
}

/** Imports files and folders. */
export function importEvents(
  services: Services,
  { paths, embeddings }: { readonly paths: readonly string[]; readonly embeddings: boolean },
  signal: AbortSignal | undefined
): AsyncGenerator<ImportEvent, void> {
  return streamWork<ImportEvent, ImportEvent>(signal, async (abort, report) => {
    const options = {
      signal: abort,
      withEmbeddings: embeddings,
      onProgress: (progress: Omit<Extract<ImportEvent, { type: 'progress' }>, 'type'>) => report({ type: 'progress', ...progress })
    }
    return { type: 'result', ...(await announced(services, services.mirror.importFiles(paths, options))) }
  })
}

type WorkEvent<Result> = ({ type: 'progress' } & MirrorProgress) | { type: 'result'; result: Result }

/** Work of the mirror's maintenance. */
export function workEvents<Result>(
  services: Services,
  signal: AbortSignal | undefined,
  work: (options: WorkOptions) => Promise<Result>
): AsyncGenerator<WorkEvent<Result>, void> {
  return streamWork<WorkEvent<Result>, WorkEvent<Result>>(signal, async (abort, report) => {
    const doing = work({ signal: abort, onProgress: progress => report({ type: 'progress', ...progress }) })
    return { type: 'result', result: await announced(services, doing) }
  })
}
