/** Hook points of runs as clients ask for them: all of a variant in numbers, one to look at, or a file of them to fetch. */
import type {
  ActivationEvent,
  ActivationRequest,
  ActivationValues,
  ActivationWindow,
  HookFileEvent,
  HookFileRequest,
  HookRequest,
  HookTableEvent
} from '../../contract/hooks.ts'
import type { HookJob } from '../inference/messages.ts'
import type { HeldFiles } from './held-files.ts'
import { withProgress } from './progress.ts'
import { jobOf, type RunServices, run } from './runs.ts'

async function hookJobOf({ run: request, variant, against }: HookRequest, services: RunServices): Promise<HookJob> {
  const { job } = await jobOf(request, services)
  return { job, variant, against: against ?? null }
}

/** Every cached hook point of a variant in numbers. */
export function listHooks(request: HookRequest, services: RunServices, signal?: AbortSignal): AsyncGenerator<HookTableEvent, void> {
  return withProgress(
    signal,
    async (abort, onProgress) => services.inference.hooks(await hookJobOf(request, services), abort, onProgress),
    table => ({ type: 'result' as const, table })
  )
}

/** Computes one activation and keeps it in the inference process, so that its windows come at once. */
export function openActivation(
  request: ActivationRequest,
  services: RunServices,
  signal?: AbortSignal
): AsyncGenerator<ActivationEvent, void> {
  return withProgress(
    signal,
    async (abort, onProgress) =>
      services.inference.activation(await hookJobOf(request, services), { hook: request.hook, window: null }, abort, onProgress),
    ({ activation }) => ({ type: 'result' as const, activation })
  )
}

/** What a window shows of an activation; one that is no longer kept is computed again. */
export async function activationValues(
  request: ActivationRequest,
  window: ActivationWindow,
  services: RunServices,
  signal?: AbortSignal
): Promise<ActivationValues> {
  const hookJob = await hookJobOf(request, services)
  const { window: answer } = await services.inference.activation(hookJob, { hook: request.hook, window }, signal, () => undefined)
  if (answer === null) throw new Error('the inference process left the window out')
  const { values, norms, ...rest } = answer
  return { ...rest, values: new Blob([values]), norms: norms === null ? null : new Blob([norms]) }
}

/** Runs a request that saves, then holds the file until the iteration ends. */
export function downloadHooks(
  { run: request, logits }: HookFileRequest,
  services: RunServices,
  held: HeldFiles,
  signal?: AbortSignal
): AsyncGenerator<HookFileEvent, void> {
  async function* write(file: string): AsyncGenerator<Extract<HookFileEvent, { type: 'progress' }>, void> {
    for await (const event of run({ ...request, save: { file, logits } }, services, signal)) if (event.type === 'progress') yield event
  }
  return held.hold('safetensors', write, signal)
}
