import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { SearchRequest } from '../../contract/explanations.ts'
import { type Mirror, openMirror } from './mirror.ts'

const demo = fileURLToPath(new URL('../../../resources/demo', import.meta.url))
const demoPaths = [path.join(demo, 'explanations'), path.join(demo, 'features')]
const sources = ['1-demo-res-1k', '2-demo-att-1k', '2-demo-mlp-1k', '2-demo-res-1k']

const exported = z.array(z.object({ layer: z.string(), index: z.string(), description: z.string(), explanationModelName: z.string() }))
const readExport = async (name: string) =>
  exported.parse(JSON.parse(await fs.readFile(path.join(demo, 'explanations', `${name}.json`), 'utf8')))
const allRows = (await Promise.all(sources.map(readExport))).flat()

let folder = ''
const open: Mirror[] = []
async function openTestMirror(name = 'mirror.sqlite', readers = 0): Promise<Mirror> {
  const mirror = await openMirror(path.join(folder, name), { readers })
  open.push(mirror)
  return mirror
}
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-mirror-'))
})
afterEach(async () => {
  for (const mirror of open.splice(0)) await mirror.close()
  await fs.rm(folder, { recursive: true, force: true })
})

const request = (query: string, more: Partial<SearchRequest> = {}): SearchRequest => ({
  query,
  mode: 'substring',
  limit: 1000,
  countFor: 60_000,
  ...more
})
/** pandas' str.contains(q, case=False, regex=False). */
const scan = (query: string) => allRows.filter(({ description }) => query !== '' && description.toUpperCase().includes(query.toUpperCase()))

describe('importing the demo', () => {
  test('brings every row, and a second time none', async () => {
    const mirror = await openTestMirror()
    const { result, rejectsFile } = await mirror.importFiles(demoPaths)
    expect({ ...result, seconds: 0 }).toEqual({ imported: allRows.length + 4096, skipped: 0, rejected: 0, embeddings: 0, seconds: 0 })
    expect(rejectsFile).toBeNull()
    const again = await mirror.importFiles(demoPaths)
    expect(again.result).toMatchObject({ imported: 0, skipped: allRows.length + 4096, rejected: 0 })
    expect(await mirror.counts()).toEqual({ explanations: allRows.length, sources: 4 })
    for (const summary of await mirror.sources()) {
      const rows = await readExport(summary.layer)
      expect(summary.bytes).toBeGreaterThan(100_000)
      expect(summary).toEqual({
        bytes: summary.bytes,
        harvest: null,
        layerNumber: Number(summary.layer[0]),
        release: summary.layer.slice(2),
        source: `demo-gemma2-tiny/${summary.layer}`,
        model: 'demo-gemma2-tiny',
        layer: summary.layer,
        explanations: rows.length,
        features: new Set(rows.map(({ index }) => index)).size,
        statistics: 1024,
        embeddings: 0,
        explainers: [...new Set(rows.map(({ explanationModelName }) => explanationModelName))].sort()
      })
    }
  })

  test('searches go on while it runs', async () => {
    const mirror = await openTestMirror()
    let done = false
    const work = mirror.importFiles(demoPaths).finally(() => {
      done = true
    })
    expect(mirror.importing).toBe(true)
    let searches = 0
    while (!done) {
      expect((await mirror.search(request('decept'))).totalIsExact).toBe(true)
      searches += 1
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    await work
    expect(searches).toBeGreaterThan(3)
    expect((await mirror.search(request('decept'))).total).toBe(scan('decept').length)
  })
})

describe('rows that cannot be imported', () => {
  test('are counted and kept with file, line and reason, and never stop the rest', async () => {
    const file = path.join(folder, 'mixed.jsonl')
    const good = { modelId: 'm', layer: '0-x', index: 7, description: 'NUL \0 and \u{1F389}' }
    await fs.writeFile(
      file,
      [JSON.stringify(good), '{"modelId":', JSON.stringify({ ...good, index: -1 }), '[]', JSON.stringify({ ...good, index: '8' })].join(
        '\n'
      )
    )
    const mirror = await openTestMirror()
    const { result, rejectsFile } = await mirror.importFiles([file])
    expect(result).toMatchObject({ imported: 2, skipped: 0, rejected: 3 })
    const rejects = (await fs.readFile(rejectsFile ?? '', 'utf8'))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(rejects.map(({ line }) => line)).toEqual([2, 3, 4])
    expect(rejects[1].reason).toMatch(/index/)
    const page = await mirror.feature('m/0-x', 7)
    expect(page.explanations.map(({ description }) => description)).toEqual([good.description])
    expect(page.neuronpediaUrl).toBe('https://www.neuronpedia.org/m/0-x/7')
  })

  test('paths that hold nothing importable are mistakes that name them', async () => {
    const mirror = await openTestMirror()
    await expect(mirror.importFiles([path.join(folder, 'nowhere')])).rejects.toThrow(/nowhere does not exist/)
    await fs.writeFile(path.join(folder, 'a.txt'), '')
    await expect(mirror.importFiles([path.join(folder, 'a.txt')])).rejects.toThrow(/a\.txt is none of/)
  })
})

describe('a file that is no mirror', () => {
  test('is refused by name', async () => {
    await fs.writeFile(path.join(folder, 'noise.sqlite'), 'this is not a database, but long enough to be looked at as one'.repeat(20))
    await expect(openMirror(path.join(folder, 'noise.sqlite'))).rejects.toMatchObject({ kind: 'mirror/corrupt' })
    const foreign = new Sqlite(path.join(folder, 'foreign.sqlite'))
    foreign.exec('CREATE TABLE notes (text TEXT)')
    foreign.close()
    await expect(openMirror(path.join(folder, 'foreign.sqlite'))).rejects.toMatchObject({ kind: 'mirror/foreign' })
    await expect(openMirror(path.join(folder, 'noise.sqlite', 'below.sqlite'))).rejects.toThrow(/below\.sqlite|noise\.sqlite/)
  })
})

describe('searching the demo', () => {
  let mirror: Mirror
  beforeEach(async () => {
    mirror = await openTestMirror()
    await mirror.importFiles(demoPaths)
  })

  test('"decept" in one source is the list of the report', async () => {
    const report = z
      .object({ search_decept: z.array(z.object({ index: z.string(), description: z.string(), by: z.string() })) })
      .parse(JSON.parse(await fs.readFile(path.join(demo, 'report.json'), 'utf8')))
    for (const source of ['2-demo-res-1k', 'demo-gemma2-tiny/2-demo-res-1k']) {
      const { hits, total, totalIsExact } = await mirror.search(request('decept', { source }))
      const sorted = (list: { index: string; description: string; by: string | null }[]) => list.map(hit => JSON.stringify(hit)).sort()
      const ours = hits.map(({ index, description, explainer }) => ({ index: String(index), description, by: explainer }))
      expect(sorted(ours)).toEqual(sorted(report.search_decept))
      expect({ total, totalIsExact }).toEqual({ total: report.search_decept.length, totalIsExact: true })
    }
  })

  test.each([0, 2])('a search that was cancelled ends as cancelled, with %i readers', async readers => {
    const other = await openTestMirror('mirror.sqlite', readers)
    await expect(other.search(request('e'), AbortSignal.abort())).rejects.toMatchObject({ kind: 'search/cancelled' })
    expect((await other.search(request('decept'))).total).toBe(scan('decept').length)
  })

  test('readers in threads answer many questions at once, and an error of one is its own', async () => {
    const other = await openTestMirror('mirror.sqlite', 2)
    const queries = ['decept', 'the', 'time', 'word', 'e', 'x']
    const asked = [...queries.map(query => other.search(request(query))), other.search(request('a', { after: 'nonsense' }))]
    const answers = await Promise.allSettled(asked)
    expect(answers.slice(0, -1).map(answer => (answer.status === 'fulfilled' ? answer.value.total : answer.reason))).toEqual(
      queries.map(query => scan(query).length)
    )
    expect(answers.at(-1)).toMatchObject({ status: 'rejected', reason: { kind: 'search/key' } })
  })
})

describe('features', () => {
  test('have all their own explanations, statistics, examples and neighbours', async () => {
    const mirror = await openTestMirror()
    await mirror.importFiles(demoPaths)
    const rows = await readExport('2-demo-res-1k')
    const known = await mirror.explanationsOf('demo-gemma2-tiny/2-demo-res-1k', [...Array(1024).keys(), 5000])
    expect(known.size).toBe(1024)
    for (const [feature, { explanations, maxActivation }] of known) {
      const own = rows
        .filter(({ index }) => index === String(feature))
        .map(row => ({ description: row.description, explainer: row.explanationModelName }))
      expect(explanations).toEqual(own)
      expect(maxActivation).toBeGreaterThan(0)
    }
    const page = await mirror.feature('demo-gemma2-tiny/2-demo-res-1k', 0)
    expect(page).toMatchObject({ known: true, previousIndex: null, nextIndex: 1, neuronpediaUrl: null })
    expect(page.explanations.map(({ explainer }) => explainer)).toEqual(['demo-reader-v1', 'demo-rules-v1'])
    expect(page.statistics).toMatchObject({ maxActivation: 13.8516, density: 0.008399 })
    expect(page.statistics?.topLogits[0]).toEqual({ token: ' not', value: 1.318 })
    expect(page.statistics?.activationHistogram).toHaveLength(32)
    expect(page.examples[0]).toMatchObject({ maxValue: 13.85, maxValueTokenIndex: 15 })
    expect(await mirror.feature('demo-gemma2-tiny/2-demo-res-1k', 5000)).toMatchObject({
      known: false,
      previousIndex: 1023,
      nextIndex: null
    })
    expect(await mirror.feature('nowhere/at-all', 0)).toMatchObject({ known: false, explanations: [] })
  })
})
