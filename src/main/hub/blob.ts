/**
 * Fetches one file's content into the cache. It grows under a name of its own, goes on after a break where it stopped, is compared
 * with the size and the hash that the hub states, and only then gets its name: nothing half-written is ever to be seen as whole.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { SpliceError } from '../../contract/errors.ts'
import { connectionError, isPassing, readChunk } from '../transfer/connection.ts'
import { isThere } from './cache.ts'
import { cancelled, hub, request } from './request.ts'

/** How long no byte may come before the request is made anew, in ms. */
export const defaultPatience = 45_000
/** Requests in a row that bring no byte before the download fails; how long to wait before each, in ms. */
const retryAfter = [500, 1000, 2000, 4000]
/** A partial file of huggingface_hub that has not grown for so long has no writer any more; ms. */
const abandonedAfter = 10 * 60_000

export interface BlobSource {
  readonly url: string
  /** The file's path in its repository, for messages. */
  readonly what: string
  readonly sizeBytes: number
  /** sha256 of an LFS file, else the git blob id (sha1 over `blob <size>\0` and the content). */
  readonly hash: { readonly kind: 'sha256' | 'git'; readonly hex: string }
  readonly token: string | null
}

export interface BlobProgress {
  readonly signal: AbortSignal | undefined
  /** How long no byte may come before the request is made anew, in ms. */
  readonly patience: number
  /** Bytes of the file that are on this disk; `fetched` are those that this call has brought. */
  onBytes(done: number, fetched: number): void
  /** All bytes are here; they are compared with the hash. */
  onChecking(): void
}

function newHash(source: BlobSource): Hash {
  return source.hash.kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${source.sizeBytes}\0`)
}

/** The name under which a file grows. */
export function partialName(blob: string): string {
  return `${blob}.splice.incomplete`
}

/** Takes over what huggingface_hub has left behind, unless ours has more or somebody still writes it. */
async function adoptPartial(blob: string): Promise<void> {
  const theirs = `${blob}.incomplete`
  const [their, our] = await Promise.all([theirs, partialName(blob)].map(file => fs.stat(file).catch(() => null)))
  if (their == null || Date.now() - their.mtimeMs < abandonedAfter || their.size <= (our?.size ?? 0)) return
  await fs.rename(theirs, partialName(blob)).catch(() => undefined)
}

/** A file that grows at its end, with the hash of what it holds. */
class Partial {
  readonly #file: string
  readonly #source: BlobSource
  #handle: fs.FileHandle
  #hash: Hash
  done = 0

  private constructor(file: string, source: BlobSource, handle: fs.FileHandle) {
    this.#file = file
    this.#source = source
    this.#handle = handle
    this.#hash = newHash(source)
  }

  /** Opens what is there already, hashing it. */
  static async open(file: string, source: BlobSource, signal: AbortSignal | undefined): Promise<Partial> {
    const handle = await fs.open(file, 'a+')
    const partial = new Partial(file, source, handle)
    try {
      const { size } = await handle.stat()
      if (size > source.sizeBytes) await partial.clear()
      else if (size > 0) {
        for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
          if (signal?.aborted) throw cancelled()
          partial.#hash.update(chunk)
          partial.done += chunk.length
        }
      }
      return partial
    } catch (thrown) {
      await handle.close()
      throw thrown
    }
  }

  async clear(): Promise<void> {
    await this.#handle.truncate(0)
    this.#hash = newHash(this.#source)
    this.done = 0
  }

  async append(bytes: Uint8Array): Promise<void> {
    let written = 0
    // Opened for appending: a write goes to the end.
    while (written < bytes.length) written += (await this.#handle.write(bytes, written)).bytesWritten
    this.#hash.update(bytes)
    this.done += bytes.length
  }

  hex(): string {
    return this.#hash.copy().digest('hex')
  }

  async moveTo(blob: string): Promise<void> {
    await this.#handle.sync()
    await this.#handle.close()
    await fs.rename(this.#file, blob)
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  async remove(): Promise<void> {
    await this.close()
    await fs.rm(this.#file, { force: true })
  }
}

function wrongSize(source: BlobSource, given: number): SpliceError {
  return new SpliceError('hub/size', `${source.what} should have ${source.sizeBytes} bytes, but the server gives ${given}`, {
    file: source.what,
    hint: 'Nothing of it was kept. Start the download again; if it happens again, something between here and the hub changes files.',
    mistake: false
  })
}

/** Where an answer's bytes begin; 0 where the server sends the whole file. Throws `hub/size` where it speaks of another file. */
function startOf(response: Response, source: BlobSource): number {
  if (response.status !== 206) {
    const length = response.headers.get('content-length')
    if (length !== null && response.headers.get('content-encoding') === null && Number(length) !== source.sizeBytes) {
      throw wrongSize(source, Number(length))
    }
    return 0
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '')
  if (range === null) throw wrongSize(source, 0)
  if (range[2] !== '*' && Number(range[2]) !== source.sizeBytes) throw wrongSize(source, Number(range[2]))
  return Number(range[1])
}

/** One request for what is missing; returns when the server has sent what it said. */
async function fetchRest(partial: Partial, source: BlobSource, progress: BlobProgress, onFetched: (bytes: number) => void): Promise<void> {
  const { url, token, what, sizeBytes } = source
  const { signal } = progress
  const headers = { 'accept-encoding': 'identity', ...(partial.done > 0 ? { range: `bytes=${partial.done}-` } : {}) }
  const response = await request(url, { what, signal, token, headers }, [416])
  if (response.status === 416) {
    await response.body?.cancel()
    await partial.clear()
    throw new SpliceError('hub/cut', `${what}: the server has no such range`, { mistake: false })
  }
  try {
    const start = startOf(response, source)
    // A server that knows no ranges sends all of it again.
    if (start !== partial.done) await partial.clear()
    if (start !== partial.done) throw new SpliceError('hub/cut', `${what}: the server sends another range`, { mistake: false })
  } catch (thrown) {
    await response.body?.cancel()
    throw thrown
  }
  const reader = response.body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const { done, value } = await readChunk(hub, reader, url, progress)
      if (done) return
      if (partial.done + value.length > sizeBytes) throw wrongSize(source, partial.done + value.length)
      await partial.append(value)
      onFetched(value.length)
      if (signal?.aborted) throw cancelled()
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** Fetches until the file is whole; after a break it goes on, as long as each few requests bring something. */
async function fetchAll(partial: Partial, source: BlobSource, progress: BlobProgress): Promise<void> {
  let fetched = 0
  let inVain = 0
  progress.onBytes(partial.done, 0)
  while (partial.done < source.sizeBytes) {
    const before = partial.done
    let failure: unknown = null
    try {
      await fetchRest(partial, source, progress, bytes => {
        fetched += bytes
        progress.onBytes(partial.done, fetched)
      })
      if (partial.done < source.sizeBytes) failure = connectionError(hub, source.url, null, true)
    } catch (thrown) {
      if (!isPassing(hub, thrown)) throw thrown
      failure = thrown
    }
    if (failure === null) continue
    inVain = partial.done > before ? 0 : inVain + 1
    const pause = retryAfter[inVain]
    if (pause === undefined) throw failure
    await wait(pause, undefined, progress.signal === undefined ? {} : { signal: progress.signal }).catch(() => {
      throw cancelled()
    })
  }
}

function noRoom(file: string, cause: unknown): SpliceError {
  return new SpliceError('hub/disk-full', `the disk of ${path.dirname(file)} is full`, {
    file,
    hint: 'Make room, or name another cache with HF_HUB_CACHE, and start again; it goes on where it stopped.',
    cause
  })
}

/**
 * Fetches a file to `blob`, unless it is there. What was fetched before a failure or cancellation stays and is gone on with the next
 * time. Call it while holding the file's lock. Throws `hub/...`; with `hub/size` and `hub/corrupt` nothing is kept.
 */
export async function fetchBlob(blob: string, source: BlobSource, progress: BlobProgress): Promise<void> {
  if (await isThere(blob, source.sizeBytes)) return
  await fs.mkdir(path.dirname(blob), { recursive: true })
  await adoptPartial(blob)
  for (let isSecondTry = false; ; isSecondTry = true) {
    const partial = await Partial.open(partialName(blob), source, progress.signal)
    const resumed = partial.done > 0
    try {
      await fetchAll(partial, source, progress)
      progress.onChecking()
      if (partial.hex() === source.hash.hex) {
        await partial.moveTo(blob)
        return
      }
      await partial.remove()
      // What an earlier try left may be to blame: once more from the start.
      if (resumed && !isSecondTry) continue
      throw new SpliceError('hub/corrupt', `${source.what} came with other content than the hub states (${source.hash.kind} differs)`, {
        file: source.what,
        hint: 'Nothing of it was kept. Start the download again; if it happens again, something between here and the hub changes files.',
        mistake: false
      })
    } catch (thrown) {
      if (thrown instanceof SpliceError && thrown.kind === 'hub/size') await partial.remove()
      else await partial.close()
      if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')) throw noRoom(blob, thrown)
      throw thrown
    }
  }
}
