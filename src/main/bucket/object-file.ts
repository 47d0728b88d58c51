/**
 * Fetches one object into a file. It grows under a name of its own that tells its ETag, goes on after a break where it stopped as
 * long as the ETag is the same, and only gets its name when its size, and its MD5 where the ETag is one, are what the server states.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { readChunk } from '../transfer/connection.ts'
import type { BucketObject } from './listing.ts'
import { type Patience, withRetries } from './retry.ts'
import { ask, broken, bucket, cancelled, type PassingError } from './service.ts'

export interface ObjectOptions {
  readonly endpoint: string
  readonly signal: AbortSignal
  readonly patience: Patience
  /** How long no byte may come before the request is made anew, in ms. */
  readonly stallAfter: number
  /** Bytes that are here, and those of them that this call has brought. */
  onBytes(done: number, fetched: number): void
  onWait(failure: PassingError, ms: number): void
}

/** The folder of one version of an object, below which its path is as in the bucket. */
export function versionFolder(folder: string, { key, etag }: Pick<BucketObject, 'key' | 'etag'>): string {
  return path.join(folder, createHash('sha256').update(`${key} ${etag}`).digest('hex').slice(0, 16))
}

function placeOf(folder: string, object: Pick<BucketObject, 'key' | 'etag'>): string {
  return path.join(versionFolder(folder, object), ...object.key.split('/'))
}

const partialOf = (file: string) => `${file}.partial`

/** The MD5 that an ETag is, in hex; null for objects that were uploaded in parts. */
function md5Of(etag: string): string | null {
  return /^[0-9a-f]{32}$/i.test(etag) ? etag.toLowerCase() : null
}

/** The object is another one than was listed: it has to be asked for anew. */
class ChangedError extends Error {
  readonly now: BucketObject
  constructor(now: BucketObject) {
    super('changed')
    this.now = now
  }
}

/** A file that grows at its end. */
class Growing {
  readonly #handle: fs.FileHandle
  #md5: Hash = createHash('md5')
  done = 0

  private constructor(handle: fs.FileHandle) {
    this.#handle = handle
  }

  static async open(file: string, most: number, signal: AbortSignal): Promise<Growing> {
    await fs.mkdir(path.dirname(file), { recursive: true })
    const handle = await fs.open(file, 'a+')
    const growing = new Growing(handle)
    try {
      const { size } = await handle.stat()
      if (size > most) await growing.clear()
      else if (size > 0) {
        for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
          if (signal.aborted) throw cancelled()
          growing.#md5.update(chunk)
          growing.done += chunk.length
        }
      }
      return growing
    } catch (thrown) {
      await handle.close()
      throw thrown
    }
  }

  async clear(): Promise<void> {
    await this.#handle.truncate(0)
    this.#md5 = createHash('md5')
    this.done = 0
  }

  async append(bytes: Uint8Array): Promise<void> {
    let written = 0
    // Opened for appending: a write goes to the end.
    while (written < bytes.length) written += (await this.#handle.write(bytes, written)).bytesWritten
    this.#md5.update(bytes)
    this.done += bytes.length
  }

  md5(): string {
    return this.#md5.copy().digest('hex')
  }

  async sync(): Promise<void> {
    await this.#handle.sync()
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }
}

const urlOf = (endpoint: string, key: string) => `${endpoint}/${key.split('/').map(encodeURIComponent).join('/')}`

/** The object that an answer speaks of, and where its bytes begin. Throws where an answer makes no sense. */
function readHead(response: Response, asked: BucketObject, url: string): { now: BucketObject; start: number } {
  const etag = response.headers.get('etag')?.replace(/^W\//, '').replaceAll('"', '') ?? asked.etag
  const length = response.headers.get('content-length')
  if (response.status !== 206) {
    const bytes = length === null ? asked.bytes : Number(length)
    return { now: { key: asked.key, bytes, etag }, start: 0 }
  }
  const [, start, all] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? []
  if (start === undefined) throw broken(url, new Error('it sends a range and does not say which'))
  return { now: { key: asked.key, bytes: Number(all), etag }, start: Number(start) }
}

/** One request for what is missing; returns when the server has sent what it said. */
async function fetchRest(
  growing: Growing,
  object: BucketObject,
  options: ObjectOptions,
  onFetched: (bytes: number) => void
): Promise<void> {
  const { endpoint, signal, stallAfter } = options
  const url = urlOf(endpoint, object.key)
  const range: Record<string, string> = growing.done > 0 ? { range: `bytes=${growing.done}-`, 'if-match': `"${object.etag}"` } : {}
  const response = await ask(url, object.key, { signal, headers: { 'accept-encoding': 'identity', ...range } }, [412, 416])
  if (response.status === 412 || response.status === 416) {
    await response.body?.cancel().catch(() => undefined)
    // Whatever is here is not the beginning of what is there now.
    await growing.clear()
    throw broken(url, new Error('the file there has changed'))
  }
  const { now, start } = readHead(response, object, url)
  const hasChanged = now.etag !== object.etag || now.bytes !== object.bytes
  if (hasChanged || start !== growing.done) {
    if (!hasChanged && start === 0) await growing.clear()
    else {
      await response.body?.cancel().catch(() => undefined)
      if (hasChanged) throw new ChangedError(now)
      await growing.clear()
      throw broken(url, new Error('it sends another range'))
    }
  }
  const reader = response.body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const { done, value } = await readChunk(bucket, reader, url, { signal, patience: stallAfter }).catch(thrown => {
        throw signal.aborted ? cancelled() : broken(url, thrown)
      })
      if (done) return
      if (growing.done + value.length > object.bytes) {
        await growing.clear()
        throw broken(url, new Error('it sends more bytes than it said'))
      }
      await growing.append(value)
      onFetched(value.length)
      if (signal.aborted) throw cancelled()
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

async function fetchVersion(file: string, object: BucketObject, options: ObjectOptions): Promise<void> {
  const url = urlOf(options.endpoint, object.key)
  let fetched = 0
  for (let isSecondTry = false; ; isSecondTry = true) {
    const growing = await Growing.open(partialOf(file), object.bytes, options.signal)
    try {
      let before = growing.done
      options.onBytes(growing.done, fetched)
      await withRetries(
        async () => {
          before = growing.done
          if (growing.done < object.bytes || object.bytes === 0) {
            await fetchRest(growing, object, options, bytes => {
              fetched += bytes
              options.onBytes(growing.done, fetched)
            })
          }
          if (growing.done < object.bytes) throw broken(url, null)
        },
        {
          signal: options.signal,
          patience: options.patience,
          progressed: () => growing.done > before,
          onWait: options.onWait
        }
      )
      const md5 = md5Of(object.etag)
      if (md5 === null || md5 === growing.md5()) {
        await growing.sync()
        await growing.close()
        await fs.rename(partialOf(file), file)
        return
      }
      await growing.clear()
      // What an earlier try left may be to blame: once more from the start.
      if (!isSecondTry) continue
      throw new SpliceError('sync/corrupt', `${object.key} came with other content than the server states (its MD5 differs)`, {
        file: object.key,
        hint: 'Nothing of it was kept. Sync again; if it happens again, something between here and the bucket changes files.',
        mistake: false
      })
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')) {
        throw new SpliceError('sync/disk-full', `the disk of ${path.dirname(file)} is full`, {
          file,
          hint: 'Make room and sync again; it goes on where it stopped.',
          cause: thrown
        })
      }
      throw thrown
    } finally {
      await growing.close()
    }
  }
}

/** How often an object may change while it is fetched. */
const mostChanges = 3

/**
 * Fetches an object below a folder and gives what it turned out to be, and its file. One that has changed since it was listed is
 * fetched as it is now. Throws `sync/...`; what was fetched before stays, for the next time.
 */
export async function fetchObject(
  folder: string,
  object: BucketObject,
  options: ObjectOptions
): Promise<{ object: BucketObject; file: string }> {
  let asked = object
  for (let changes = 0; ; changes++) {
    const file = placeOf(folder, asked)
    const here = await fs.stat(file).catch(() => null)
    if (here !== null && here.size === asked.bytes) {
      options.onBytes(asked.bytes, 0)
      return { object: asked, file }
    }
    try {
      await fetchVersion(file, asked, options)
      return { object: asked, file }
    } catch (thrown) {
      if (!(thrown instanceof ChangedError)) throw thrown
      await dropObject(folder, asked)
      if (changes === mostChanges) {
        throw new SpliceError('sync/changing', `${object.key} changes all the time`, {
          file: object.key,
          hint: 'Sync again later.',
          mistake: false
        })
      }
      asked = thrown.now
    }
  }
}

/** Bytes of an object that are below a folder. */
export async function bytesHere(folder: string, object: BucketObject): Promise<number> {
  const file = placeOf(folder, object)
  const [whole, partial] = await Promise.all([file, partialOf(file)].map(name => fs.stat(name).catch(() => null)))
  return Math.min(object.bytes, whole?.size ?? partial?.size ?? 0)
}

/** Removes what there is of an object below a folder. */
export async function dropObject(folder: string, object: Pick<BucketObject, 'key' | 'etag'>): Promise<void> {
  await fs.rm(versionFolder(folder, object), { recursive: true, force: true })
}
