import { fork } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { explanationRows, randomNumbers, writeBulkFiles } from '../../../../fixtures/synthetic-explanations.ts'
import { type Mirror, openMirror } from '../mirror.ts'
import { checkRoom } from './backup.ts'

const options = { rows: 12_000, width: 4096, vocabulary: 4000, rowsPerFile: 3000 }
const rows = [...explanationRows({ ...options, embeddings: false })]
const nameOf = ({ modelId, layer }: { modelId: string; layer: string }) => `${modelId}/${layer}`
const sources = [...new Set(rows.map(nameOf))]
const removed = sources[1] ?? ''
const inRemoved = rows.filter(row => nameOf(row) === removed)
const others = rows.filter(row => nameOf(row) !== removed)

let base = ''
let folder = ''
const open: Mirror[] = []
const at = (...parts: string[]) => path.join(folder, ...parts)
async function openTestMirror(name = 'mirror.sqlite', readers = 0): Promise<Mirror> {
  const mirror = await openMirror(at(name), { readers })
  open.push(mirror)
  return mirror
}

/** A mirror of all rows with embeddings, and statistics and examples of one source's first features. */
beforeAll(async () => {
  base = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-mirror-base-'))
  await writeBulkFiles(path.join(base, 'bulk'), options)
  const [model, layer] = removed.split('/')
  const lines = Array.from({ length: 1200 }, (_, index) =>
    JSON.stringify({
      modelId: model,
      layer,
      index,
      frac_nonzero: 0.5,
      maxActApprox: 1,
      activations: [{ tokens: ['a'], values: [1], maxValue: 1, maxValueTokenIndex: 0 }]
    })
  )
  await fs.writeFile(path.join(base, 'features.jsonl'), lines.join('\n'))
  const mirror = await openMirror(path.join(base, 'mirror.sqlite'))
  await mirror.importFiles([path.join(base, 'bulk'), path.join(base, 'features.jsonl')], { withEmbeddings: true })
  await mirror.close()
})
afterAll(() => fs.rm(base, { recursive: true, force: true }))
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-maintenance-'))
  await fs.copyFile(path.join(base, 'mirror.sqlite'), at('mirror.sqlite'))
})
afterEach(async () => {
  for (const mirror of open.splice(0)) await mirror.close()
  await fs.rm(folder, { recursive: true, force: true })
})

const total = async (mirror: Mirror, query: string, more: object = {}) =>
  (await mirror.search({ query, mode: 'substring', limit: 1, countFor: 60_000, ...more })).total
const scan = (query: string, list = rows) =>
  list.filter(({ description }) => description.toUpperCase().includes(query.toUpperCase())).length

/** Does something to the file behind the mirror's back. */
function meddle(statements: string): void {
  const database = new Sqlite(at('mirror.sqlite'))
  database.pragma('foreign_keys = OFF')
  database.exec(statements)
  database.close()
}

describe('a check', () => {
  test('finds nothing wrong with a whole mirror, and says how far it is', async () => {
    const mirror = await openTestMirror()
    const fractions: number[] = []
    const { problems, explanations, sources: count } = await mirror.check({ onProgress: ({ fraction }) => fractions.push(fraction ?? -1) })
    expect({ problems, explanations, count }).toEqual({ problems: [], explanations: rows.length, count: sources.length })
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(fractions.length).toBeGreaterThan(10)
  })

  test.each([
    [
      'an explanation that is gone',
      'DELETE FROM explanations WHERE rowid = (SELECT max(rowid) FROM explanations)',
      /1 rows .* no explanations/
    ],
    [
      'an explanation that the index never saw',
      `INSERT INTO explanations SELECT max(rowid) + 1, source, feature, explainer, type, author, 'new', 'text' FROM explanations`,
      /1 explanations .* not in the index/
    ],
    ['explanations of another explainer', 'UPDATE explanations SET explainer = 1 + explainer % 4', /not in the index/],
    ['explanations of a source that is not there', `DELETE FROM sources WHERE id = 1`, /of source 1, which is not there/],
    ['another text than the one in the index', `UPDATE explanations SET description = 'quite another ' || description`, /only in part/],
    ['a lost word', 'DELETE FROM runs WHERE id % 2 = 0', /vocabulary lacks/]
  ])('finds %s', async (_, statements, problem) => {
    meddle(statements)
    const { problems } = await (await openTestMirror()).check()
    expect(problems.join('\n')).toMatch(problem)
  })

  test('finds pages that were overwritten', async () => {
    const file = await fs.open(at('mirror.sqlite'), 'r+')
    const { size } = await file.stat()
    const noise = Buffer.alloc(4096 * 40, 0xa5)
    await file.write(noise, 0, noise.length, Math.floor(size / 2 / 4096) * 4096)
    await file.close()
    const { problems } = await (await openTestMirror()).check()
    expect(problems.length).toBeGreaterThan(0)
  })

  test('that was cancelled ends as cancelled', async () => {
    const mirror = await openTestMirror()
    await expect(mirror.check({ signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'mirror/cancelled' })
  })
})

describe('a backup', () => {
  test('is the whole mirror', async () => {
    const mirror = await openTestMirror()
    const { file, bytes } = await mirror.backup(at('copy.sqlite'))
    expect({ file, bytes }).toEqual({ file: at('copy.sqlite'), bytes: (await fs.stat(file)).size })
    const copy = await openTestMirror('copy.sqlite')
    expect(await copy.counts()).toEqual(await mirror.counts())
    expect((await copy.check()).problems).toEqual([])
    expect(await total(copy, 'related')).toBe(scan('related'))
  })

  test('leaves nothing where it was cancelled or cannot be', async () => {
    const mirror = await openTestMirror()
    const abort = new AbortController()
    const cancelled = mirror.backup(at('copy.sqlite'), { signal: abort.signal, onProgress: () => abort.abort() })
    await expect(cancelled).rejects.toMatchObject({ kind: 'mirror/cancelled' })
    await expect(mirror.backup(at('nowhere', 'copy.sqlite'))).rejects.toMatchObject({ kind: 'mirror/no-folder' })
    await expect(mirror.backup(at('mirror.sqlite'))).rejects.toMatchObject({ kind: 'mirror/exists' })
    await expect(checkRoom(folder, 1e18, 'a backup')).rejects.toMatchObject({ kind: 'mirror/no-room' })
    expect((await fs.readdir(folder)).filter(name => !name.startsWith('mirror.sqlite'))).toEqual([])
  })
})

describe('removing a source', () => {
  test('takes all of it, and nothing else', async () => {
    const mirror = await openTestMirror()
    const before = await mirror.sources()
    const result = await mirror.remove({ sources: [removed], what: 'everything' })
    expect(result).toMatchObject({ sources: [removed], explanations: inRemoved.length, statistics: 1200, embeddings: inRemoved.length })
    expect(await mirror.sources()).toEqual(before.filter(({ source }) => source !== removed))
    for (const query of ['related', 'time', 'e', 'ing ']) expect(await total(mirror, query), query).toBe(scan(query, others))
    const first = inRemoved[0]
    expect(await mirror.feature(removed, Number(first?.index))).toMatchObject({ known: false, explanations: [], examples: [] })
    expect((await mirror.check()).problems).toEqual([])
    const again = await mirror.importFiles([path.join(base, 'bulk')], { withEmbeddings: true })
    expect(again.result).toMatchObject({ imported: inRemoved.length, skipped: others.length, embeddings: inRemoved.length })
    expect(await total(mirror, 'related')).toBe(scan('related'))
    expect((await mirror.check()).problems).toEqual([])
  })

  test('that is cut off hides the source at once, and whoever writes next finishes it', async () => {
    const mirror = await openTestMirror('mirror.sqlite', 1)
    const abort = new AbortController()
    const cut = mirror.remove({ sources: [removed], what: 'everything' }, { signal: abort.signal, onProgress: () => abort.abort() })
    await expect(cut).rejects.toMatchObject({ kind: 'mirror/cancelled' })
    expect((await mirror.state()).removing).toEqual([removed])
    for (const query of ['related', 'time', 'e']) {
      expect(await total(mirror, query), query).toBe(scan(query, others))
      expect((await mirror.count({ query, mode: 'words', countFor: 60_000 })).facets.source[removed]).toBeUndefined()
    }
    expect(await total(mirror, 'e', { source: removed })).toBe(0)
    expect(await mirror.counts()).toEqual({ explanations: others.length, sources: sources.length - 1 })
    expect((await mirror.check()).problems).toEqual([])
    await mirror.settle()
    expect((await mirror.state()).removing).toEqual([])
    const again = await mirror.importFiles([path.join(base, 'bulk')])
    expect(again.result).toMatchObject({ imported: inRemoved.length, skipped: others.length })
    expect(await mirror.counts()).toEqual({ explanations: rows.length, sources: sources.length })
    expect((await mirror.check()).problems).toEqual([])
  })

  test('that was killed at random moments leaves a whole mirror, and is finished by the next work', async () => {
    const random = randomNumbers(Date.now())
    const program = `import { openMirror } from ${JSON.stringify(fileURLToPath(new URL('../mirror.ts', import.meta.url)))}
      const mirror = await openMirror(process.argv[1])
      process.send('open')
      await mirror.remove({ sources: [process.argv[2]], what: 'everything' })
      process.exit(0)`
    const moments: number[] = []
    for (const source of sources) {
      const execArgv = ['--input-type=module', '--eval', program]
      const child = fork(at('mirror.sqlite'), [source], { execArgv, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
      const ended = once(child, 'exit')
      await once(child, 'message')
      moments.push(Math.floor(random() * 800))
      await new Promise(resolve => setTimeout(resolve, moments.at(-1)))
      child.kill('SIGKILL')
      await ended
      const mirror = await openMirror(at('mirror.sqlite'))
      const left = (await mirror.sources()).map(summary => summary.source)
      expect((await mirror.check()).problems, `killed after ${moments} ms`).toEqual([])
      expect(await total(mirror, 'e')).toBe(
        scan(
          'e',
          rows.filter(row => left.includes(nameOf(row)))
        )
      )
      await mirror.close()
    }
    const mirror = await openTestMirror()
    await mirror.settle()
    const { result } = await mirror.importFiles([path.join(base, 'bulk')], { withEmbeddings: true })
    expect(result.imported + result.skipped, `killed after ${moments} ms`).toBe(rows.length)
    expect(await total(mirror, 'e')).toBe(scan('e'))
    expect((await mirror.check()).problems).toEqual([])
  })

  test('that is not there is a mistake, and takes nothing of the others', async () => {
    const mirror = await openTestMirror()
    const wrong = mirror.remove({ sources: [removed, 'no/where'], what: 'everything' })
    await expect(wrong).rejects.toMatchObject({ kind: 'mirror/no-source', message: expect.stringContaining('no/where') })
    expect((await mirror.counts()).explanations).toBe(rows.length)
  })

  test('can take its embeddings alone, which a later import brings back', async () => {
    const mirror = await openTestMirror()
    const { explanations, embeddings } = await mirror.remove({ sources: [removed], what: 'embeddings' })
    expect({ explanations, embeddings }).toEqual({ explanations: 0, embeddings: inRemoved.length })
    expect((await mirror.sources()).find(({ source }) => source === removed)).toMatchObject({
      explanations: inRemoved.length,
      embeddings: 0
    })
    expect((await mirror.importFiles([path.join(base, 'bulk')])).result).toMatchObject({ embeddings: 0, skipped: rows.length })
    const again = await mirror.importFiles([path.join(base, 'bulk')], { withEmbeddings: true })
    expect(again.result).toMatchObject({ imported: 0, embeddings: inRemoved.length })
    expect((await mirror.state()).embeddings).toBe(rows.length)
  })
})

describe('compacting', () => {
  test('gives room back and changes nothing else', async () => {
    const mirror = await openTestMirror()
    await mirror.remove({ sources: [removed], what: 'everything' })
    const { bytesBefore, bytesAfter } = await mirror.compact()
    expect(bytesAfter).toBeLessThan(bytesBefore * 0.85)
    expect((await mirror.state()).freeBytes).toBe(0)
    for (const query of ['related', 'time', 'e']) expect(await total(mirror, query), query).toBe(scan(query, others))
    expect((await mirror.check()).problems).toEqual([])
  })

  test('goes on beside searches, and ends as cancelled', async () => {
    const mirror = await openTestMirror('mirror.sqlite', 1)
    let done = false
    const work = mirror.compact().finally(() => {
      done = true
    })
    while (!done) expect(await total(mirror, 'related')).toBe(scan('related'))
    await work
    await expect(mirror.compact({ signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'mirror/cancelled' })
  })
})

test('work is done one piece after the other, in the order in which it was asked for', async () => {
  const mirror = await openTestMirror()
  const order: string[] = []
  const note = (name: string) => () => order.push(name)
  const [first, second] = [at('1.sqlite'), at('2.sqlite')]
  await Promise.all([
    mirror.backup(first).then(note('backup')),
    mirror.remove({ sources: [removed], what: 'everything' }).then(note('remove')),
    mirror.compact().then(note('compact')),
    mirror.backup(second).then(note('second backup'))
  ])
  expect(order).toEqual(['backup', 'remove', 'compact', 'second backup'])
  expect((await fs.stat(second)).size).toBeLessThan((await fs.stat(first)).size)
})
