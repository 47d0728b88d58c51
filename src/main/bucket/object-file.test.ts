import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type BucketServer, type Misbehaviour, startBucketServer } from '../../../e2e/bucket-server.ts'
import { type BucketObject, listPages } from './listing.ts'
import { fetchObject, type ObjectOptions } from './object-file.ts'

const key = 'v1/m/0-res/explanations/batch-0.jsonl.gz'
const content = randomBytes(300_000)
const patience = { tries: 4, firstWait: 5, longestWait: 20 }

let server: BucketServer
let folder = ''
beforeAll(async () => {
  server = await startBucketServer({})
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-bucket-'))
})
afterAll(async () => {
  await server.close()
  await fs.rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  server.objects[key] = content
  server.requests.length = 0
  delete server.misbehaviours[key]
  delete server.etags[key]
  await fs.rm(folder, { recursive: true, force: true })
})

async function listed(): Promise<BucketObject> {
  const options = { endpoint: server.url, signal: undefined, patience, hasAnswered: { yet: false } }
  for await (const { objects } of listPages(key, null, options)) if (objects[0] !== undefined) return objects[0]
  throw new Error('it is not listed')
}

const options = (more: Partial<ObjectOptions> = {}): ObjectOptions => ({
  endpoint: server.url,
  signal: new AbortController().signal,
  patience,
  stallAfter: 300,
  onBytes: () => undefined,
  onWait: () => undefined,
  ...more
})

/** Fetches while things go wrong, one after the other; gives what came and the ranges that were asked for. */
async function fetchWhile(...wrong: Misbehaviour[]) {
  const object = await listed()
  server.misbehaviours[key] = wrong
  server.requests.length = 0
  const fetched = await fetchObject(folder, object, options())
  return { bytes: await fs.readFile(fetched.file), object: fetched.object, ranges: server.requests.map(({ range }) => range) }
}

/** Names of files below the folder that are not whole. */
const unfinished = async () => (await fs.readdir(folder, { recursive: true })).filter(name => name.endsWith('.partial'))

describe('an object', () => {
  test('comes as it is, at its own path, and is not fetched twice', async () => {
    const object = await listed()
    const { file } = await fetchObject(folder, object, options())
    expect(await fs.readFile(file)).toEqual(content)
    expect(file.endsWith(path.join(...key.split('/')))).toBe(true)
    server.requests.length = 0
    expect((await fetchObject(folder, object, options())).file).toBe(file)
    expect(server.requests).toEqual([])
  })

  test.each<[string, Misbehaviour[], number | null]>([
    ['cut twice', [{ cutAfter: 100_000 }, { cutAfter: 50_000 }], 2],
    ['cut before its first byte', [{ cutAfter: 0 }, { cutAfter: 0 }], 0],
    ['refused for a while', [{ status: 503 }, { status: 500 }, { status: 429, retryAfter: '0' }], 0],
    ['refused in the middle', [{ cutAfter: 100_000 }, { status: 503, retryAfter: '0' }], 2],
    ['stalled', [{ pause: 1500 }], null],
    ['sent whole in place of a range', [{ cutAfter: 100_000 }, { ignoresRanges: true }], 1],
    ['sent from another place than was asked for', [{ cutAfter: 100_000 }, { otherRange: true }], null],
    ['too long', [{ tooLong: 10 }], null],
    ['other bytes, once', [{ otherBytes: true }], 0],
    ['without an ETag', [{ noEtag: true, cutAfter: 100_000 }, { noEtag: true }], 1]
  ])('is whole though it was %s', async (_, wrong, ranges) => {
    const got = await fetchWhile(...wrong)
    expect(got.bytes.equals(content)).toBe(true)
    // Where exactly a cut answer ends is the network's business.
    const starts = got.ranges.flatMap(range => (range === undefined ? [] : [Number(/^bytes=(\d+)-$/.exec(range)?.[1])]))
    expect(starts.every(start => start > 0 && start <= 150_000)).toBe(true)
    if (ranges !== null) expect(starts).toHaveLength(ranges)
    expect(await unfinished()).toEqual([])
  })

  test('that changes between two ranges is fetched as it is now', async () => {
    const other = randomBytes(200_000)
    const { bytes, object } = await fetchWhile({ cutAfter: 100_000, becomes: other })
    expect(bytes.equals(other)).toBe(true)
    expect(object).toMatchObject({ key, bytes: other.length })
    expect(object.etag).toBe((await listed()).etag)
  })

  test('that has changed since it was listed is fetched as it is now', async () => {
    const object = await listed()
    const other = randomBytes(100_000)
    server.objects[key] = other
    const fetched = await fetchObject(folder, object, options())
    expect((await fs.readFile(fetched.file)).equals(other)).toBe(true)
    expect(fetched.object).toEqual(await listed())
  })

  test('that was uploaded in parts has no MD5 to compare', async () => {
    server.etags[key] = 'abcdef0123456789abcdef0123456789-3'
    expect((await fetchWhile({ cutAfter: 1000 })).bytes.equals(content)).toBe(true)
  })

  test('without a byte is a file without a byte', async () => {
    server.objects[key] = Buffer.alloc(0)
    expect((await fetchWhile()).bytes).toHaveLength(0)
  })
})

describe('a fetch fails', () => {
  test.each<[string, Misbehaviour[], string]>([
    ['where it may not be read', [{ status: 403 }], 'sync/forbidden'],
    ['where it is gone', [{ status: 404 }], 'sync/not-found'],
    ['where the server has enough of it', Array(9).fill({ status: 503 }), 'sync/busy'],
    ['where the server is broken', Array(9).fill({ status: 500 }), 'sync/server'],
    ['where its content is never what it should be', Array(9).fill({ otherBytes: true }), 'sync/corrupt']
  ])('%s', async (_, wrong, kind) => {
    await expect(fetchWhile(...wrong)).rejects.toMatchObject({
      kind,
      message: expect.stringContaining(kind === 'sync/corrupt' ? key : '127.0.0.1')
    })
    const whole = (await fs.readdir(folder, { recursive: true }).catch(() => [])).filter(name => name.endsWith('.gz'))
    expect(whole).toEqual([])
  })

  test('when it is cancelled, and goes on from there the next time', async () => {
    const object = await listed()
    server.misbehaviours[key] = [{ pause: 10 }]
    const abort = new AbortController()
    const cut = fetchObject(folder, object, options({ signal: abort.signal, onBytes: done => (done > 60_000 ? abort.abort() : undefined) }))
    await expect(cut).rejects.toMatchObject({ kind: 'sync/cancelled' })
    server.requests.length = 0
    const seen: number[] = []
    const { file } = await fetchObject(folder, object, options({ onBytes: (_, fetched) => seen.push(fetched) }))
    expect((await fs.readFile(file)).equals(content)).toBe(true)
    expect(seen.at(-1)).toBeLessThanOrEqual(content.length - 60_000)
    expect(server.requests).toHaveLength(1)
    expect(server.requests[0]?.range).toMatch(/^bytes=\d{5,}-$/)
  })
})
