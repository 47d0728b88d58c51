import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BucketServer, pageSize, startBucketServer } from '../../../e2e/bucket-server.ts'
import { explanationRows } from '../../../fixtures/synthetic-explanations.ts'
import { type SyncRequest, type SyncState, syncRequest } from '../../contract/sync.ts'
import { Syncs } from '../engine/syncs.ts'
import { type Mirror, openMirror } from '../explanations/mirror.ts'

const patience = { tries: 4, firstWait: 5, longestWait: 20 }

/** Files of a source as the bucket has them. */
function filesOf(model: string, layer: string, rows: number, perFile: number, seed: number): Record<string, Buffer> {
  const all = [...explanationRows({ rows, seed, width: 4096, vocabulary: 500, model })].map(row => ({ ...row, layer }))
  const files: Record<string, Buffer> = {}
  for (let at = 0; at * perFile < rows; at++) {
    const lines = all.slice(at * perFile, (at + 1) * perFile).map(row => JSON.stringify(row))
    files[`v1/${model}/${layer}/explanations/batch-${at}.jsonl.gz`] = gzipSync(lines.join('\n'))
  }
  return files
}

const statistics = (model: string, layer: string, features: number) =>
  gzipSync(
    Array.from({ length: features }, (_, index) =>
      JSON.stringify({ modelId: model, layer, index: String(index), frac_nonzero: 0.1, maxActApprox: 2 })
    ).join('\n')
  )
const activations = (model: string, layer: string) =>
  gzipSync(JSON.stringify({ modelId: model, layer, index: '3', tokens: ['a'], values: [1], maxValue: 1, maxValueTokenIndex: 0 }))

const makeObjects = (): Record<string, Buffer> => ({
  ...filesOf('one', '0-alpha-res', 900, 300, 1),
  ...filesOf('one', '1-alpha-res', 500, 500, 2),
  ...filesOf('one', '1-beta-mlp', 400, 200, 3),
  ...filesOf('two', '0-alpha-res', 300, 100, 4),
  'v1/one/0-alpha-res/features/batch-0.jsonl.gz': statistics('one', '0-alpha-res', 50),
  'v1/one/0-alpha-res/activations/batch-0.jsonl.gz': activations('one', '0-alpha-res'),
  'v1/one/0-alpha-res/explanations/README.md': Buffer.from('none of ours'),
  'index.html': Buffer.from('none of ours')
})

let folder = ''
let server: BucketServer
let mirror: Mirror
let syncs: Syncs
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-sync-'))
  server = await startBucketServer(makeObjects())
  mirror = await openMirror(path.join(folder, 'mirror.sqlite'))
  syncs = new Syncs(folder, mirror, () => undefined, patience)
})
afterEach(async () => {
  await syncs.close()
  await mirror.close()
  await server.close()
  await fs.rm(folder, { recursive: true, force: true })
})

type Selection = SyncRequest['selection']
const one: Selection = { kind: 'sources', sources: ['one/0-alpha-res'] }
const all: Selection = { kind: 'all' }
const request = (selection: Selection, more: Partial<SyncRequest> = {}): SyncRequest =>
  syncRequest.parse({ selection, endpoint: server.url, ...more })

/** Syncs to the end, whatever that is. */
async function sync(selection: Selection, more: Partial<SyncRequest> = {}): Promise<SyncState> {
  syncs.start(request(selection, more))
  return until(state => state.endedAt !== null)
}

async function until(isIt: (state: SyncState) => boolean): Promise<SyncState> {
  for await (const state of syncs.watch(undefined)) if (state !== null && isIt(state)) return state
  throw new Error('the sync ended before')
}

async function estimate(selection: Selection, more: Partial<SyncRequest> = {}) {
  for await (const event of syncs.plan(request(selection, more), undefined)) if (event.type === 'result') return event.estimate
  throw new Error('there is no estimate')
}

const counts = async () => Object.fromEntries((await mirror.sources()).map(({ source, explanations }) => [source, explanations]))
const left = async () => (await fs.readdir(path.join(folder, 'cache', 'sync')).catch(() => [])).filter(name => name !== 'lock')
const everything = { 'one/0-alpha-res': 900, 'one/1-alpha-res': 500, 'one/1-beta-mlp': 400, 'two/0-alpha-res': 300 }
const batch = (at: number) => `v1/one/0-alpha-res/explanations/batch-${at}.jsonl.gz`

describe('a sync', () => {
  test.each<[string, () => Selection, Record<string, number>]>([
    [
      'sources by name',
      () => ({ kind: 'sources', sources: ['one/1-beta-mlp', 'two/0-alpha-res'] }),
      { 'one/1-beta-mlp': 400, 'two/0-alpha-res': 300 }
    ],
    ['a model', () => ({ kind: 'model', model: 'two' }), { 'two/0-alpha-res': 300 }],
    ['a release', () => ({ kind: 'model', model: 'one', release: 'alpha-res' }), { 'one/0-alpha-res': 900, 'one/1-alpha-res': 500 }],
    ['everything', () => all, everything]
  ])('brings %s, once', async (_, selection, expected) => {
    const rows = Object.values(expected).reduce((sum, count) => sum + count, 0)
    const done = await sync(selection())
    expect(done).toMatchObject({ state: 'done', error: null, filesFailed: 0, rows: { imported: rows, skipped: 0, rejected: 0 } })
    expect(done.filesDone).toBe(done.fileCount)
    expect(done).toMatchObject({ doneBytes: done.totalBytes, fetchedBytes: done.totalBytes })
    expect(await counts()).toEqual(expected)
    expect(await left()).toEqual([])
    server.requests.length = 0
    expect(await sync(selection())).toMatchObject({ state: 'done', fileCount: 0, fetchedBytes: 0 })
    expect(server.fetched()).toEqual([])
    expect((await mirror.check()).problems).toEqual([])
  })

  test('fetches only what has changed since', async () => {
    await sync(one)
    const rows = [...explanationRows({ rows: 310, seed: 77, width: 4096, vocabulary: 500, model: 'one' })].map(row => ({
      ...row,
      layer: '0-alpha-res'
    }))
    server.objects[batch(1)] = gzipSync(rows.map(row => JSON.stringify(row)).join('\n'))
    server.objects[batch(3)] = gzipSync(JSON.stringify({ ...rows[0], id: 'another', description: 'one more' }))
    expect(await estimate(one)).toMatchObject({ files: 4, knownFiles: 2 })
    server.requests.length = 0
    expect(await sync(one)).toMatchObject({ state: 'done', fileCount: 2, rows: { imported: 311, skipped: 0 } })
    expect(new Set(server.fetched())).toEqual(new Set([batch(1), batch(3)]))
  })

  test('brings statistics, examples and embeddings where they are asked for', async () => {
    expect(await sync(one)).toMatchObject({ rows: { imported: 900, embeddings: 0 } })
    const page = () => mirror.feature('one/0-alpha-res', 3)
    expect(await page()).toMatchObject({ statistics: null, examples: [] })
    expect(await sync(one, { features: true })).toMatchObject({ state: 'done', fileCount: 1, rows: { imported: 50 } })
    expect(await page()).toMatchObject({ statistics: { density: 0.1 }, examples: [] })
    expect(await sync(one, { features: true, activations: true })).toMatchObject({ state: 'done', fileCount: 1 })
    expect((await page()).examples).toHaveLength(1)
    expect(await sync(one, { embeddings: true })).toMatchObject({
      state: 'done',
      fileCount: 3,
      rows: { imported: 0, skipped: 900, embeddings: 900 }
    })
    expect(await sync(one, { embeddings: true })).toMatchObject({ fileCount: 0 })
  })

  test('keeps the files where it is told to', async () => {
    const keepIn = path.join(folder, 'kept')
    await sync(one, { keepIn })
    for (const at of [0, 1, 2]) expect(await fs.readFile(path.join(keepIn, ...batch(at).split('/')))).toEqual(server.objects[batch(at)])
    expect(await left()).toEqual([])
  })

  test('says before what it takes, and asks and writes nothing else', async () => {
    const bytes = [0, 1, 2].reduce((sum, at) => sum + (server.objects[batch(at)]?.length ?? 0), 0)
    const found = await estimate(one)
    expect(found).toMatchObject({ sources: 1, files: 3, knownFiles: 0, downloadBytes: bytes })
    expect(found.mirrorBytes).toBeGreaterThan(bytes / 10)
    expect(found.diskBytes).toBeGreaterThan(found.mirrorBytes)
    expect(found.freeBytes).toBeGreaterThan(0)
    expect(found.seconds).toBeGreaterThan(0)
    expect(server.fetched()).toHaveLength(1)
    expect(await counts()).toEqual({})
    expect(await left()).toEqual([])
  })

  test('lists page by page', async () => {
    for (let at = 0; at < 2 * pageSize + 40; at++) {
      const row = { modelId: 'many', layer: '0-x', index: at, id: `many-${at}`, description: `number ${at}` }
      server.objects[`v1/many/0-x/explanations/batch-${at}.jsonl.gz`] = gzipSync(JSON.stringify(row))
    }
    const done = await sync({ kind: 'model', model: 'many' })
    expect(done).toMatchObject({ state: 'done', fileCount: 2 * pageSize + 40, rows: { imported: 2 * pageSize + 40 } })
    const pages = server.requests.filter(({ path: asked }) => asked.includes('explanations'))
    expect(pages.filter(({ path: asked }) => asked.includes('continuation-token'))).toHaveLength(2)
  })
})

describe('what the bucket lists', () => {
  test('are models, and sources of a model', async () => {
    expect(await syncs.list({ endpoint: server.url }, undefined)).toEqual(['one', 'two'])
    expect(await syncs.list({ endpoint: server.url, model: 'one' }, undefined)).toEqual(['0-alpha-res', '1-alpha-res', '1-beta-mlp'])
    expect(await syncs.list({ endpoint: server.url, model: '../..' }, undefined)).toEqual([])
  })

  test('that leads out of the folder is passed over', async () => {
    server.objects['v1/one/../../explanations/batch-0.jsonl.gz'] = gzipSync('{}')
    server.objects['v1/one/0-alpha-res/explanations/batch-..%2f9.jsonl.gz'] = gzipSync('{}')
    expect(await sync({ kind: 'model', model: 'one' })).toMatchObject({ state: 'done', filesFailed: 0 })
    expect((await mirror.counts()).explanations).toBe(1800)
  })
})

describe('a sync whose connections fail', () => {
  test('waits, tries again and loses nothing', async () => {
    server.misbehaviours['*'] = [{ status: 503, retryAfter: '0' }, {}, { status: 500 }]
    server.misbehaviours[batch(0)] = [{ cutAfter: 5000 }, { status: 429, retryAfter: '0' }, { cutAfter: 9000 }]
    server.misbehaviours[batch(1)] = [{ otherBytes: true }]
    server.misbehaviours[batch(2)] = [{ status: 500 }, { tooLong: 7 }]
    expect(await sync(one)).toMatchObject({ state: 'done', filesFailed: 0, rows: { imported: 900, rejected: 0 } })
  })

  test.each<[string, number, string]>([
    ['may not be read', 403, 'sync/forbidden'],
    ['is gone', 404, 'sync/not-found'],
    ['cannot be had', 500, 'sync/server']
  ])('passes over a file that %s, and tells', async (_, status, kind) => {
    server.misbehaviours[batch(1)] = Array(50).fill({ status })
    const done = await sync(one)
    expect(done).toMatchObject({ state: 'done', filesFailed: 1, filesDone: 2, rows: { imported: 600 } })
    expect(done.files[0]).toMatchObject({ key: batch(1), state: 'failed', error: { kind } })
    delete server.misbehaviours[batch(1)]
    expect(await sync(one)).toMatchObject({ state: 'done', fileCount: 1, rows: { imported: 300 } })
  })

  test('ends where nothing can be had any more', async () => {
    for (const at of [0, 1, 2]) server.misbehaviours[batch(at)] = Array(50).fill({ status: 503 })
    expect(await sync(one)).toMatchObject({ state: 'failed', error: { kind: 'sync/busy', mistake: false } })
  })

  test('says at once that there is no network', async () => {
    const endpoint = 'http://127.0.0.1:9'
    expect(await sync(one, { endpoint })).toMatchObject({
      state: 'failed',
      error: { kind: 'sync/offline', message: expect.stringContaining('127.0.0.1:9') }
    })
    await expect(syncs.list({ endpoint }, undefined)).rejects.toMatchObject({ kind: 'sync/offline' })
  })

  test('ends where the listing may not be read', async () => {
    server.misbehaviours['*'] = [{ status: 403 }]
    expect(await sync(one)).toMatchObject({ state: 'failed', error: { kind: 'sync/forbidden', mistake: true } })
  })
})

describe('what the bucket does not have', () => {
  test.each<[Selection, string]>([
    [{ kind: 'sources', sources: ['one/0-alpha-res', 'one/9-nothing'] }, 'one/9-nothing'],
    [{ kind: 'sources', sources: ['one/../two'.replace('/two', '')] }, 'one/..'],
    [{ kind: 'model', model: 'three' }, 'three'],
    [{ kind: 'model', model: 'one', release: 'gamma' }, 'alpha-res, beta-mlp']
  ])('is a mistake that names it: %j', async (selection, named) => {
    expect(await sync(selection)).toMatchObject({
      state: 'failed',
      error: { kind: 'sync/nothing', mistake: true, message: expect.stringContaining(named) }
    })
    expect(await counts()).toEqual({})
  })
})

test('a file whose zip is broken gives what can be read, and is not fetched again while it is the same', async () => {
  const whole = server.objects[batch(0)] ?? Buffer.alloc(0)
  server.objects[batch(0)] = whole.subarray(0, whole.length / 2)
  const done = await sync(one)
  expect(done.state).toBe('done')
  expect(done.rows.rejected).toBeGreaterThanOrEqual(1)
  expect(await fs.readFile(done.rejectsFile ?? '', 'utf8')).toMatch(/batch-0\.jsonl\.gz.*cannot be read further/)
  expect(await sync(one)).toMatchObject({ fileCount: 0 })
  server.objects[batch(0)] = whole
  expect(await sync(one)).toMatchObject({ fileCount: 1 })
  expect(await counts()).toEqual({ 'one/0-alpha-res': 900 })
})

describe('a sync that is stopped', () => {
  const slowly = () => {
    for (const at of [0, 1, 2]) server.misbehaviours[batch(at)] = [{ pause: 20 }]
  }
  /** Large enough that it takes a while. */
  beforeEach(() => Object.assign(server.objects, filesOf('one', '0-alpha-res', 900, 300, 1)))

  test('by a pause goes on where it was', async () => {
    slowly()
    syncs.start(request(one))
    await until(state => state.fetchedBytes > 100_000)
    const paused = await syncs.pause()
    expect(paused.state).toBe('paused')
    const asked = server.requests.length
    await wait(150)
    expect(server.requests).toHaveLength(asked)
    // The mirror's writer is free meanwhile.
    expect((await mirror.check()).problems).toEqual([])
    for (const at of [0, 1, 2]) delete server.misbehaviours[batch(at)]
    syncs.resume()
    const done = await until(state => state.endedAt !== null)
    expect(done).toMatchObject({ state: 'done', rows: { imported: 900 } })
    expect(done.fetchedBytes).toBe(done.totalBytes)
  })

  test('by a cancel keeps what it has for the next one', async () => {
    slowly()
    syncs.start(request(one))
    await until(state => state.fetchedBytes > 100_000)
    expect(() => syncs.start(request(one))).toThrow(/under way/)
    const cancelled = await syncs.cancel()
    expect(cancelled).toMatchObject({ state: 'cancelled', error: null })
    expect((await left()).length).toBeGreaterThan(0)
    for (const at of [0, 1, 2]) delete server.misbehaviours[batch(at)]
    const done = await sync(one)
    expect(done).toMatchObject({ state: 'done' })
    expect(done.fetchedBytes).toBeLessThanOrEqual(done.totalBytes - 100_000)
    expect(await counts()).toEqual({ 'one/0-alpha-res': 900 })
    expect(await left()).toEqual([])
    await expect(syncs.pause()).rejects.toMatchObject({ kind: 'sync/none' })
  })

  test('while another process syncs waits for it', async () => {
    const lock = path.join(folder, 'cache', 'sync', 'lock')
    await fs.mkdir(path.dirname(lock), { recursive: true })
    const other = new Syncs(folder, mirror, () => undefined, patience)
    for (const at of [0, 1, 2]) server.misbehaviours[batch(at)] = [{ pause: 60 }, { pause: 60 }]
    syncs.start(request(one))
    await until(state => state.state === 'running')
    other.start(request(one))
    await expect.poll(() => other.state?.state, { interval: 5, timeout: 30_000 }).toBe('waiting')
    await until(state => state.endedAt !== null)
    for await (const state of other.watch(undefined)) if (state?.endedAt != null) break
    expect(other.state).toMatchObject({ state: 'done', fileCount: 0 })
    await other.close()
  })
})
