/**
 * Fetches files of the bucket, several at once, and hands each whole one to the import while the next ones come. What waits for its
 * import is bounded; a file is removed, or kept where it was asked for, once all of it is in the mirror.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { type ErrorData, SpliceError, toErrorData } from '../../contract/errors.ts'
import type { ImportProgress, ImportSummary } from '../../contract/explanations.ts'
import type { SyncedFile } from '../../contract/sync.ts'
import { addressOf } from '../bucket/keys.ts'
import type { BucketObject } from '../bucket/listing.ts'
import { dropObject, fetchObject } from '../bucket/object-file.ts'
import type { Patience } from '../bucket/retry.ts'
import { bucket, cancelled } from '../bucket/service.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { ToWriter } from '../explanations/writer-jobs.ts'
import { isPassing } from '../transfer/connection.ts'
import { type PlannedFile, windowBytes } from './plan.ts'

/** Files fetched at once. */
const atOnce = 4
/** Files in a row that fail although they were tried again and again, before it is no fault of theirs. */
const mostFailures = 3
/** How long no byte may come before a request is made anew, in ms. */
const stallAfter = 45_000

export interface SyncOptions {
  readonly mirror: Mirror
  readonly endpoint: string
  readonly folder: string
  readonly withEmbeddings: boolean
  readonly keepIn: string | undefined
  readonly patience: Patience
  readonly stallAfter?: number
  readonly signal: AbortSignal
  /** Whenever a file's bytes or state changed; `fetched` are new bytes. */
  onFile(file: SyncedFile, fetched: number): void
  onImport(progress: ImportProgress): void
}

interface Taken {
  readonly object: BucketObject
  readonly file: string
  readonly listed: BucketObject
}

export class Sync {
  readonly #options: SyncOptions
  readonly #waiting: PlannedFile[]
  /** Files that were handed to the import, by the name that the mirror knows them by. */
  readonly #taken = new Map<string, Taken>()
  readonly #failure = new AbortController()
  readonly #signal: AbortSignal
  #send: ((message: ToWriter) => void) | null = null
  readonly #unsent: ToWriter[] = []
  #bytesHere = 0
  #wake: (() => void)[] = []
  #failedInARow = 0
  #tidying: Promise<void> = Promise.resolve()

  constructor(files: readonly PlannedFile[], options: SyncOptions) {
    this.#options = options
    this.#waiting = [...files]
    this.#signal = AbortSignal.any([options.signal, this.#failure.signal])
    this.#signal.addEventListener('abort', () => this.#wakeAll(), { once: true })
  }

  /**
   * Fetches and imports all files; those that cannot be had are told by `onFile` and passed over. Throws `sync/...` and what the import
   * throws; what is in the mirror stays there, and what was fetched stays for the next time.
   */
  async run(): Promise<{ result: ImportSummary; rejectsFile: string | null }> {
    const { mirror, withEmbeddings, signal, onImport } = this.#options
    const bytes = this.#waiting.reduce((sum, { object }) => sum + object.bytes, 0)
    const importing = mirror.importAsTheyCome(bytes, withEmbeddings, {
      signal: this.#signal,
      onImportProgress: onImport,
      onFile: name => this.#imported(name),
      onStart: send => {
        this.#send = send
        for (const message of this.#unsent.splice(0)) send(message)
      }
    })
    importing.catch(thrown => this.#fail(thrown))
    const lanes = await Promise.allSettled(Array.from({ length: Math.min(atOnce, this.#waiting.length) }, () => this.#lane()))
    this.#tell({ type: 'end' })
    // An import whose turn has not come ends by itself when it does.
    if (signal.aborted && this.#send === null) throw cancelled()
    const outcome = await importing.then(
      value => ({ value }),
      (thrown: unknown) => ({ thrown })
    )
    await this.#tidying
    if (signal.aborted) throw cancelled()
    const failure = this.#failure.signal.aborted ? this.#failure.signal.reason : lanes.find(lane => lane.status === 'rejected')?.reason
    if (failure !== undefined) throw failure
    if ('thrown' in outcome) throw outcome.thrown
    return outcome.value
  }

  #fail(thrown: unknown): void {
    if (!this.#failure.signal.aborted) this.#failure.abort(thrown)
  }

  #tell(message: ToWriter): void {
    if (this.#send === null) this.#unsent.push(message)
    else this.#send(message)
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** Waits until there is room for a file among those that wait for their import. */
  async #roomFor(bytes: number): Promise<void> {
    while (this.#bytesHere > 0 && this.#bytesHere + bytes > windowBytes && !this.#signal.aborted) {
      await new Promise<void>(resolve => this.#wake.push(resolve))
    }
    this.#bytesHere += bytes
  }

  async #lane(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#roomFor(next.object.bytes)
      if (this.#signal.aborted) throw cancelled()
      try {
        await this.#bring(next.object)
        this.#failedInARow = 0
      } catch (thrown) {
        this.#bytesHere -= next.object.bytes
        this.#wakeAll()
        this.#passOver(next.object, thrown)
      }
    }
  }

  /** Notes a file that cannot be had, where that is its own fault; else throws. */
  #passOver(object: BucketObject, thrown: unknown): void {
    const isItsOwn =
      thrown instanceof SpliceError &&
      ['forbidden', 'not-found', 'corrupt', 'changing', 'answer'].some(end => thrown.kind === `sync/${end}`)
    const mayBeItsOwn = isPassing(bucket, thrown) && !(thrown instanceof SpliceError && thrown.kind === 'sync/offline')
    this.#failedInARow += 1
    if (this.#signal.aborted || !(isItsOwn || (mayBeItsOwn && this.#failedInARow < mostFailures))) {
      this.#fail(thrown)
      throw thrown
    }
    this.#report(object, 0, 'failed', toErrorData(thrown))
  }

  #report(object: BucketObject, doneBytes: number, state: SyncedFile['state'], error: ErrorData | null = null, fetched = 0): void {
    this.#options.onFile({ key: object.key, sizeBytes: object.bytes, doneBytes, state, error }, fetched)
  }

  async #bring(listed: BucketObject): Promise<void> {
    const { endpoint, folder, patience } = this.#options
    let [here, fetchedBefore] = [0, 0]
    const { object, file } = await fetchObject(folder, listed, {
      endpoint,
      patience,
      signal: this.#signal,
      stallAfter: this.#options.stallAfter ?? stallAfter,
      onBytes: (done, fetched) => {
        here = done
        // A file that has changed is counted anew.
        const more = fetched >= fetchedBefore ? fetched - fetchedBefore : fetched
        fetchedBefore = fetched
        this.#report(listed, done, 'downloading', null, more)
      },
      onWait: failure => this.#report(listed, here, 'again', failure.error.toData())
    })
    this.#bytesHere += object.bytes - listed.bytes
    const name = addressOf(object.key)
    this.#taken.set(name, { object, file, listed })
    this.#report(listed, listed.bytes, 'importing')
    this.#tell({ type: 'file', file: { path: file, bytes: object.bytes, name, version: object.etag } })
  }

  /** All of a file is in the mirror. */
  #imported(name: string): void {
    const taken = this.#taken.get(name)
    if (taken === undefined) return
    this.#taken.delete(name)
    this.#report(taken.listed, taken.listed.bytes, 'done')
    this.#tidying = this.#tidying
      .then(() => this.#putAway(taken))
      .catch(thrown => this.#fail(thrown))
      .finally(() => {
        this.#bytesHere -= taken.object.bytes
        this.#wakeAll()
      })
  }

  async #putAway({ object, file }: Taken): Promise<void> {
    const { folder, keepIn } = this.#options
    if (keepIn !== undefined) await keep(file, path.join(keepIn, ...object.key.split('/')))
    await dropObject(folder, object)
  }
}

/** Moves a file, also to another disk, where it is whole or not there. */
async function keep(file: string, target: string): Promise<void> {
  await fs.mkdir(path.dirname(target), { recursive: true })
  try {
    await fs.rename(file, target)
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EXDEV')) throw thrown
    await fs.copyFile(file, `${target}.partial`)
    await fs.rename(`${target}.partial`, target)
  }
}
