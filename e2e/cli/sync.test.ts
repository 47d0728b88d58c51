/** `splice sync` against a server that speaks the bucket's S3: to the end, once, stopped, refused, and what it would take. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { explanationRows } from '../../fixtures/synthetic-explanations.ts'
import { type BucketServer, startBucketServer } from '../bucket-server.ts'
import { splice, startSplice, temporaryFolder } from '../command-line.ts'

const home = temporaryFolder()

function fileOf(model: string, layer: string, rows: number, seed: number): Buffer {
  const lines = [...explanationRows({ rows, seed, width: 1024, vocabulary: 500, model })].map(row => JSON.stringify({ ...row, layer }))
  return gzipSync(lines.join('\n'))
}

const objects = {
  'v1/one/0-alpha-res/explanations/batch-0.jsonl.gz': fileOf('one', '0-alpha-res', 400, 1),
  'v1/one/0-alpha-res/explanations/batch-1.jsonl.gz': fileOf('one', '0-alpha-res', 300, 2),
  'v1/one/1-alpha-res/explanations/batch-0.jsonl.gz': fileOf('one', '1-alpha-res', 200, 3),
  'v1/one/1-beta-mlp/explanations/batch-0.jsonl.gz': fileOf('one', '1-beta-mlp', 100, 4),
  'v1/two/0-alpha-res/explanations/batch-0.jsonl.gz': fileOf('two', '0-alpha-res', 50, 5)
}
const first = 'v1/one/0-alpha-res/explanations/batch-0.jsonl.gz'

let server: BucketServer
let db = ''
beforeAll(async () => {
  server = await startBucketServer({ ...objects })
})
afterAll(() => server.close())
beforeEach(() => {
  db = join(temporaryFolder(), 'mirror.sqlite')
  Object.assign(server.objects, objects)
  for (const key of Object.keys(server.misbehaviours)) delete server.misbehaviours[key]
  server.requests.length = 0
})

const run = (...args: string[]) => splice(['sync', ...args, '--endpoint', server.url, '--db', db], { home })
const output = z.strictObject({
  files: z.int(),
  filesFailed: z.int(),
  totalBytes: z.number(),
  fetchedBytes: z.number(),
  imported: z.int(),
  skipped: z.int(),
  rejected: z.int(),
  embeddings: z.int(),
  seconds: z.number()
})
async function sync(...args: string[]): Promise<z.infer<typeof output>> {
  const { code, stdout, stderr } = await run(...args, '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return output.parse(JSON.parse(stdout))
}

describe('splice sync', () => {
  test('brings sources, and the next time only what has changed', async () => {
    expect(await sync('one/0-alpha-res', 'two/0-alpha-res')).toMatchObject({ files: 3, filesFailed: 0, imported: 750, skipped: 0 })
    const { stdout } = await splice(['sources', '--db', db, '--json'], { home })
    expect(JSON.parse(stdout)).toMatchObject({
      sources: [
        { source: 'one/0-alpha-res', explanations: 700 },
        { source: 'two/0-alpha-res', explanations: 50 }
      ]
    })
    expect(await sync('one/0-alpha-res', 'two/0-alpha-res')).toMatchObject({ files: 0, fetchedBytes: 0, imported: 0 })
    server.objects[first] = fileOf('one', '0-alpha-res', 10, 9)
    server.requests.length = 0
    expect(await sync('one/0-alpha-res', 'two/0-alpha-res')).toMatchObject({ files: 1, imported: 10 })
    expect(new Set(server.fetched())).toEqual(new Set([first]))
  })

  test('brings a model, a release of it, or everything', async () => {
    expect(await sync('--model', 'one', '--release', 'alpha-res')).toMatchObject({ files: 3, imported: 900, embeddings: 0 })
    expect(await sync('--model', 'one')).toMatchObject({ files: 1, imported: 100 })
    expect(await sync('--all')).toMatchObject({ files: 1, imported: 50 })
    expect((await run('--all')).stdout).toBe('nothing has changed\n')
    expect(await sync('--all', '--embeddings')).toMatchObject({ files: 5, imported: 0, skipped: 1050, embeddings: 1050 })
  })

  test('says what it would take, and fetches and imports nothing then', async () => {
    const { code, stdout } = await run('--model', 'one', '--dry-run', '--json')
    expect(code).toBe(0)
    const bytes = Object.entries(objects).reduce((sum, [key, { length }]) => sum + (key.startsWith('v1/one/') ? length : 0), 0)
    expect(JSON.parse(stdout)).toMatchObject({ sources: 3, files: 4, knownFiles: 0, downloadBytes: bytes })
    expect((await run('--model', 'one', '--dry-run')).stdout).toMatch(
      /^4 files of 3 sources\n.* to download.*\nthe mirror grows by about .* are free\n$/
    )
    expect(JSON.parse((await splice(['sources', '--db', db, '--json'], { home })).stdout)).toEqual({ sources: [] })
  })

  test('keeps the files where it is told to', async () => {
    const keep = join(temporaryFolder(), 'files')
    await sync('two/0-alpha-res', '--keep', keep)
    const kept = 'v1/two/0-alpha-res/explanations/batch-0.jsonl.gz'
    expect(readFileSync(join(keep, kept))).toEqual(objects[kept])
  })

  test('goes on after connections that break, and tells of files that cannot be had', async () => {
    server.misbehaviours[first] = [{ status: 503, retryAfter: '0' }, { cutAfter: 2000 }]
    expect(await sync('one/0-alpha-res')).toMatchObject({ imported: 700, filesFailed: 0 })
    server.misbehaviours['v1/one/1-alpha-res/explanations/batch-0.jsonl.gz'] = [{ status: 403 }, { status: 403 }]
    const { code, stdout, stderr } = await run('--model', 'one', '--json')
    expect({ code, lines: stderr.split('\n').length }).toEqual({ code: 1, lines: 2 })
    expect(stderr).toMatch(/^splice: 1 file could not be had, v1\/one\/1-alpha-res\/.* 403/)
    expect(output.parse(JSON.parse(stdout))).toMatchObject({ files: 2, filesFailed: 1, imported: 100 })
  })

  test('stopped by Ctrl-C leaves a whole mirror, and goes on where it was', async () => {
    const home = temporaryFolder()
    const large = fileOf('one', '0-alpha-res', 2000, 11)
    server.objects[first] = large
    server.misbehaviours[first] = [{ cutAfter: 0 }, { pause: 30 }]
    const args = ['sync', 'one/0-alpha-res', '--endpoint', server.url, '--db', db, '--json']
    const stopped = startSplice(args, { home })
    const isHalfThere = () => {
      const names = existsSync(join(home, 'cache', 'sync')) ? readdirSync(join(home, 'cache', 'sync'), { recursive: true }) : []
      return names.some(name => String(name).endsWith('batch-0.jsonl.gz.partial'))
    }
    await expect.poll(isHalfThere, { timeout: 30_000, interval: 20 }).toBe(true)
    stopped.child.kill('SIGINT')
    expect(await stopped.ended).toMatchObject({ code: 130, stdout: '' })
    expect((await splice(['mirror', 'check', '--db', db], { home })).code).toBe(0)
    expect(output.parse(JSON.parse((await splice(args, { home })).stdout))).toMatchObject({ filesFailed: 0 })
    const { stdout } = await splice(['sources', '--db', db, '--json'], { home })
    expect(JSON.parse(stdout)).toMatchObject({ sources: [{ source: 'one/0-alpha-res', explanations: 2300 }] })
    expect(readdirSync(join(home, 'cache', 'sync')).filter(name => name !== 'lock')).toEqual([])
  })
})

describe('a mistake', () => {
  test.each<[string[], RegExp]>([
    [[], /^splice: splice sync needs MODEL\/SOURCE/],
    [['gemma'], /is no MODEL\/SOURCE/],
    [['a/b', '--all'], /MODEL\/SOURCE and --all are both given/],
    [['--release', 'x'], /--release needs --model/],
    [['--all', '--endpoint', 'ftp://x'], /--endpoint "ftp:\/\/x" is no address/],
    [['--all', '--keep', 'package.json'], /--keep "package.json" is no folder/],
    [['--all', '--what'], /--what is not an option of splice sync/]
  ])('%j is said in one line', async (args, message) => {
    const { code, stdout, stderr } = await splice(['sync', ...args], { home })
    expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({ code: 2, stdout: '', lines: 2 })
    expect(stderr).toMatch(message)
  })

  test('names what the bucket does not have, and an address that answers nothing', async () => {
    const unknown = await run('--model', 'three')
    expect(unknown).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/the bucket has no model three/) })
    const offline = await splice(['sync', '--all', '--endpoint', 'http://127.0.0.1:9', '--db', db], { home })
    expect(offline).toMatchObject({ stdout: '', stderr: expect.stringMatching(/^splice: .*127\.0\.0\.1:9/) })
    expect(offline.code).not.toBe(0)
  })
})
