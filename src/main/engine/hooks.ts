/** Hook points of runs as clients ask for them: all of a variant in numbers, one to look at, or a file of them to fetch. */
import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type {
  ActivationEvent,
  ActivationRequest,
  ActivationValues,
  ActivationWindow,
  HookFileEvent,
  HookRequest,
  HookTableEvent
} from '../../contract/hooks.ts'
import type { RunRequest } from '../../contract/run.ts'
import type { HookJob } from '../inference/messages.ts'
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

/** Files that are being fetched, by id. They live in a folder of the cache and go when their stream ends. */
export class HookFiles {
  readonly #folder: string
  readonly #files = new Map<string, string>()

  constructor(home: string) {
    this.#folder = path.join(home, 'cache', 'hook-files')
  }

  /**
   * Runs a request that saves, then holds the file until the iteration ends. The engine's process id is part of the file's name:
   * what another engine left behind when it was killed is removed first.
   */
  async *download(request: RunRequest, logits: boolean, services: RunServices, signal?: AbortSignal): AsyncGenerator<HookFileEvent, void> {
    const id = randomUUID()
    await fs.mkdir(this.#folder, { recursive: true })
    await this.#removeOrphans()
    const file = path.join(this.#folder, `${process.pid}-${id}.safetensors`)
    try {
      for await (const event of run({ ...request, save: { file, logits } }, services, signal)) if (event.type === 'progress') yield event
      this.#files.set(id, file)
      yield { type: 'ready', id, bytes: (await fs.stat(file)).size }
      await ended(signal)
    } finally {
      this.#files.delete(id)
      await fs.rm(file, { force: true })
    }
  }

  /** A piece of a file. Throws `hooks/no-download` where the stream of that id has ended. */
  async part({ id, offset, length }: { id: string; offset: number; length: number }): Promise<Blob> {
    const file = this.#files.get(id)
    if (file === undefined) {
      throw new SpliceError('hooks/no-download', 'the file to fetch is no longer held', { hint: 'Start the download again.' })
    }
    const handle = await fs.open(file)
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset)
      return new Blob([buffer.subarray(0, bytesRead)])
    } finally {
      await handle.close()
    }
  }

  async #removeOrphans(): Promise<void> {
    for (const name of await fs.readdir(this.#folder)) {
      const owner = Number(name.split('-')[0])
      if (!isAlive(owner)) await fs.rm(path.join(this.#folder, name), { force: true })
    }
  }
}

function isAlive(processId: number): boolean {
  try {
    return Number.isInteger(processId) && processId > 0 && process.kill(processId, 0)
  } catch {
    return false
  }
}

/** Settles when a signal aborts. */
function ended(signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    if (signal === undefined || signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
