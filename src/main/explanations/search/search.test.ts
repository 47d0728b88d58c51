import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { explanationRows, randomNumbers, type SyntheticRow } from '../../../../fixtures/synthetic-explanations.ts'
import type { SearchRequest } from '../../../contract/explanations.ts'
import { type Mirror, openMirror } from '../mirror.ts'
import { foldedWords, holds, readWordQuery } from './word-query.ts'

type Row = Pick<SyntheticRow, 'modelId' | 'layer' | 'index' | 'description' | 'explanationModelName' | 'typeName'>

/** Rows that are hard on an index: other scripts, long runs, separators at both ends, case that changes length. */
const oddTexts = [
  `base64 ${'QUJDRA'.repeat(30)} in code`,
  `${'='.repeat(100)} rule`,
  `glued${'x'.repeat(70)}word and more`,
  '漢字を含む説明 の 例',
  'ไทยไม่มีช่องว่าง text',
  'straße STRASSE Straße',
  'İstanbul ıŞık',
  'ﬁne ligature ŉ',
  '"quoted, " and (a.b(c))  double  space ',
  ' leading space',
  '%_%__ \\ \' "" ** -- ;',
  'a\0b',
  '🎉 party 🎉🎉',
  'e\u0301 decomposed é',
  'line\nbreak\ttab',
  'alpha beta',
  'alpha, beta; gamma',
  'alpha — beta',
  `alpha ${'-'.repeat(70)} beta`,
  `alpha ${'x'.repeat(70)} beta`,
  'älpha\u00a0BETA',
  'alpha\0beta',
  'beta alpha gamma beta'
]
const synthetic: Row[] = [...explanationRows({ rows: 20_000, width: 4096, vocabulary: 8000, embeddings: false })]
const odd: Row[] = oddTexts.map((description, index) => ({
  modelId: 'odd',
  layer: `${index}-odd-res`,
  index: String(index),
  description,
  explanationModelName: null as never,
  typeName: 'odd'
}))
const rows = [...synthetic, ...odd]
/** Features 0 to 999 of the first source have statistics. */
const statistics = Array.from({ length: 1000 }, (_, index) => ({
  modelId: 'synthetic-2b',
  layer: '0-synthetic-res-0',
  index,
  frac_nonzero: index / 1000,
  maxActApprox: 1
}))

let folder = ''
let mirror: Mirror
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-search-'))
  const file = path.join(folder, 'rows.jsonl.gz')
  fs.writeFileSync(file, gzipSync([...rows, ...statistics].map(row => JSON.stringify(row)).join('\n')))
  mirror = await openMirror(path.join(folder, 'mirror.sqlite'))
  const { result } = await mirror.importFiles([file])
  expect(result).toMatchObject({ imported: rows.length + statistics.length, rejected: 0 })
})
afterAll(async () => {
  await mirror.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

const request = (query: string, more: Partial<SearchRequest> = {}): SearchRequest => ({
  query,
  mode: 'substring',
  limit: 1000,
  countFor: 60_000,
  ...more
})

const keyOf = (row: { modelId: string; layer: string; index: string | number; description: string }) =>
  `${row.modelId}/${row.layer}/${row.index} ${row.description}`
const hitKey = (hit: { model: string; layer: string; index: number; description: string }) => keyOf({ ...hit, modelId: hit.model })

const upperTexts = rows.map(({ description }) => description.toUpperCase())

/** pandas' str.contains(q, case=False, regex=False). */
function scan(query: string): Row[] {
  const upper = query.toUpperCase()
  return query === '' ? [] : rows.filter((_, at) => upperTexts[at]?.includes(upper))
}

/** All pages of a search. */
async function everyHit(query: string, more: Partial<SearchRequest> = {}) {
  const { total, totalIsExact, ...first } = await mirror.search(request(query, more))
  expect(totalIsExact).toBe(true)
  const hits = first.hits.map(hitKey)
  for (let after = first.nextKey; after !== null; ) {
    const page = await mirror.search(request(query, { ...more, after, countFor: 0 }))
    hits.push(...page.hits.map(hitKey))
    after = page.nextKey
  }
  return { hits, total }
}

/** Queries of every kind, always the same ones: pieces of texts, pieces put together, other cases, odd characters. */
function* randomQueries(count: number): Generator<string> {
  const random = randomNumbers(4711)
  const below = (end: number) => Math.floor(random() * end)
  const text = () => rows[random() < 0.1 ? rows.length - 1 - below(odd.length) : below(rows.length)]?.description ?? ''
  const piece = (longest: number) => {
    const whole = text()
    const start = below(whole.length)
    return whole.slice(start, start + 1 + below(longest))
  }
  const characters = [
    '%',
    '_',
    '"',
    "'",
    '\\',
    '*',
    'ß',
    'İ',
    '🎉',
    '\0',
    '(',
    'AND',
    'é',
    ' ',
    ', ',
    '漢',
    'ท',
    '>',
    '<',
    '~',
    '=',
    '!long'
  ]
  for (let round = 0; round < count; round++) {
    const kind = round % 8
    let query = piece(kind < 2 ? 2 : kind < 5 ? 40 : 12)
    if (kind === 5) query += piece(12)
    if (kind === 6) query = `${piece(8)} ${piece(8)}`
    if (kind === 7) query = query.slice(0, 2) + characters[below(characters.length)] + query.slice(2)
    const sort = round % 3
    yield sort === 0 ? query : sort === 1 ? query.toLowerCase() : query.toUpperCase()
  }
}

describe('literal search', () => {
  test('six hundred queries of every kind give the hits of a plain scan, and their number', async () => {
    for (const query of randomQueries(600)) {
      const expected = scan(query.isWellFormed() ? query : '')
      const { hits, total, totalIsExact } = await mirror.search(request(query, { limit: 200 }))
      expect({ total, totalIsExact }, JSON.stringify(query)).toEqual({ total: expected.length, totalIsExact: true })
      if (expected.length <= 200) expect(hits.map(hitKey).sort(), JSON.stringify(query)).toEqual(expected.map(keyOf).sort())
      for (const { description, matches } of hits) {
        expect(matches.length, JSON.stringify(query)).toBeGreaterThan(0)
        expect(matches.every(([start, end]) => description.slice(start, end).toUpperCase().includes(query.toUpperCase()))).toBe(true)
      }
    }
  }, 120_000)

  test('pages give every hit once, in the order of import', async () => {
    for (const query of ['word', 'the', 'x', 'ing a', 'tion']) {
      const { hits, total } = await everyHit(query, { limit: 300 })
      expect(hits).toHaveLength(total)
      expect([...hits].sort()).toEqual(scan(query).map(keyOf).sort())
    }
    await expect(mirror.search(request('word', { after: 'nonsense' }))).rejects.toMatchObject({ kind: 'search/key' })
  })

  test('a page may lie any number of hits behind a key, and says how it is asked for again', async () => {
    for (const mode of ['substring', 'words'] as const) {
      const query = mode === 'words' ? 'time OR travel' : 'time'
      const all = (await mirror.search(request(query, { mode }))).hits.map(hitKey)
      const { nextKey } = await mirror.search(request(query, { mode, limit: 100 }))
      for (const [after, from] of [[null, 0] as const, [nextKey, 100] as const]) {
        const page = await mirror.search(request(query, { mode, limit: 50, skip: 120, ...(after === null ? {} : { after }) }))
        expect(page.hits.map(hitKey)).toEqual(all.slice(from + 120, from + 170))
        expect(page.passed).toBe(120)
        const again = await mirror.search(request(query, { mode, limit: 50, after: page.startKey ?? undefined }))
        expect(again).toMatchObject({ hits: page.hits, nextKey: page.nextKey, startKey: page.startKey, passed: 0 })
      }
    }
    const { total } = await mirror.search(request('decept'))
    const { passed, nextKey, hits } = await mirror.search(request('decept', { skip: 200_000 }))
    expect({ passed, nextKey, hits }).toEqual({ passed: total, nextKey: null, hits: [] })
  })

  test('a hit tells how often its feature fires, where that is known', async () => {
    const { hits } = await mirror.search(request('the', { source: '0-synthetic-res-0' }))
    expect(hits.length).toBeGreaterThan(500)
    for (const { index, density } of hits) expect(density).toBe(index < 1000 ? index / 1000 : null)
  })

  test('a count that may take no time is a lower bound and says so; the page is whole', async () => {
    const { total, totalIsExact, hits, nextKey } = await mirror.search(request('e', { limit: 10, countFor: 0 }))
    expect({ totalIsExact, hits: hits.length }).toEqual({ totalIsExact: false, hits: 10 })
    expect(total).toBeLessThan(scan('e').length)
    expect(nextKey).not.toBeNull()
  })

  test('an empty query finds nothing', async () => {
    expect(await mirror.search(request(''))).toMatchObject({ total: 0, totalIsExact: true, nextKey: null, hits: [] })
  })
})

describe('filters', () => {
  const layerOf = (row: Row) => Number(row.layer.split('-')[0])
  const withStatistics = (row: Row) => row.layer === '0-synthetic-res-0' && Number(row.index) < 1000
  const cases: [string, Partial<SearchRequest>, (row: Row) => boolean][] = [
    ['model', { model: 'odd' }, row => row.modelId === 'odd'],
    ['release', { release: 'synthetic-res-0' }, row => row.layer.endsWith('-synthetic-res-0')],
    ['source', { source: 'synthetic-2b/1-synthetic-res-0' }, row => row.layer === '1-synthetic-res-0'],
    ['layer name', { source: '1-synthetic-res-0' }, row => row.layer === '1-synthetic-res-0'],
    ['layers', { layers: { from: 2, to: 3 } }, row => layerOf(row) >= 2 && layerOf(row) <= 3],
    ['first layers', { layers: { to: 1 } }, row => layerOf(row) <= 1],
    ['explainer', { explainer: 'gpt-3.5-turbo' }, row => row.explanationModelName === 'gpt-3.5-turbo'],
    ['type', { type: 'odd' }, row => row.typeName === 'odd'],
    ['statistics', { hasStatistics: true }, withStatistics],
    ['no statistics', { hasStatistics: false }, row => !withStatistics(row)],
    ['density', { density: { from: 0.1, to: 0.2 } }, row => withStatistics(row) && Number(row.index) >= 100 && Number(row.index) <= 200],
    [
      'several',
      { layers: { from: 0, to: 0 }, explainer: 'gpt-4o-mini', density: { to: 0.5 } },
      row => withStatistics(row) && row.explanationModelName === 'gpt-4o-mini' && Number(row.index) <= 500
    ],
    ['nothing fits', { model: 'nobody' }, () => false],
    ['no such explainer', { explainer: 'nobody' }, () => false]
  ]
  test.each(cases)('%s', async (_, filter, fits) => {
    for (const query of ['e', 'related', 'time trav', 'ing']) {
      const { hits, total } = await everyHit(query, filter)
      const expected = scan(query).filter(fits)
      expect(total, query).toBe(expected.length)
      expect([...hits].sort(), query).toEqual(expected.map(keyOf).sort())
    }
  })

  test('facets count the hits by model, source, explainer and type', async () => {
    for (const [query, filter, fits] of [
      ['related', {}, () => true],
      ['time t', { layers: { from: 1 } }, layerOf],
      ['e', { hasStatistics: true }, withStatistics]
    ] as const) {
      const found = scan(query).filter(row => Boolean(fits(row)))
      const countBy = (name: (row: Row) => string) =>
        Object.fromEntries([...Map.groupBy(found, name)].map(([key, group]) => [key, group.length]))
      const counted = await mirror.count({ ...request(query), ...filter })
      expect(counted).toMatchObject({ total: found.length, totalIsExact: true })
      expect(counted.facets).toEqual({
        model: countBy(row => row.modelId),
        source: countBy(row => `${row.modelId}/${row.layer}`),
        explainer: countBy(row => row.explanationModelName ?? ''),
        type: countBy(row => row.typeName ?? '')
      })
    }
  })
})

describe('word search', () => {
  const wordsOf = (query: string) => {
    const { node } = readWordQuery(query)
    return node === null ? [] : rows.filter(({ description }) => holds(node, foldedWords(description)))
  }
  const queries = [
    'time',
    'time travel',
    'decept*',
    'decept* OR legal',
    '"related to"',
    'related NOT to',
    'terms -time',
    '(time OR travel) (legal OR medical)',
    'time OR travel OR legal OR police',
    'a OR b OR c OR d OR e OR f',
    'cafe',
    'strasse',
    '漢字',
    't*',
    '"of the"',
    'the and of',
    'nosuchword',
    'time OR nosuchword',
    'NOT'
  ]
  test.each(queries)('%s finds what a look at every text finds, each once, on pages of any size', async query => {
    const expected = wordsOf(query).map(keyOf).sort()
    for (const limit of [1000, 37]) {
      if (limit === 37 && expected.length > 3000) continue
      const { hits, total } = await everyHit(query, { mode: 'words', limit })
      expect(total).toBe(expected.length)
      expect([...hits].sort()).toEqual(expected)
    }
  })

  test('phrases of neighbouring words find what a look at every text finds, whatever stands between the words', async () => {
    const random = randomNumbers(44)
    const below = (end: number) => Math.floor(random() * end)
    const phrases = ['alpha beta', 'beta gamma', 'alpha beta gamma', 'straße strasse', '漢 字', 'a b']
    while (phrases.length < 60) {
      const words = foldedWords(rows[below(rows.length)]?.description ?? '')
      const start = below(words.length)
      phrases.push(words.slice(start, start + 2 + below(2)).join(' '))
    }
    let found = 0
    for (const phrase of phrases) {
      for (const query of [`"${phrase}"`, `"${phrase.slice(0, -1)}"*`]) {
        const expected = wordsOf(query).map(keyOf).sort()
        const { hits } = await everyHit(query, { mode: 'words', limit: 1000 })
        expect([...hits].sort(), query).toEqual(expected)
        found += expected.length
      }
    }
    expect(found).toBeGreaterThan(300)
  })

  test('texts with more of the alternatives come first, then shorter ones', async () => {
    const { hits } = await mirror.search(request('time OR travel', { mode: 'words' }))
    const ranks = hits.map(({ description }) => {
      const words = foldedWords(description)
      return [-['TIME', 'TRAVEL'].filter(word => words.includes(word)).length, words.length]
    })
    const sorted = [...ranks].sort(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d)
    expect(ranks).toEqual(sorted)
  })

  test('filters and facets hold for words too', async () => {
    const fits = wordsOf('time').filter(row => row.explanationModelName === 'gpt-3.5-turbo')
    const { total } = await everyHit('time', { mode: 'words', explainer: 'gpt-3.5-turbo' })
    expect(total).toBe(fits.length)
    expect((await mirror.count({ ...request('time'), mode: 'words', explainer: 'gpt-3.5-turbo' })).facets.explainer).toEqual({
      'gpt-3.5-turbo': fits.length
    })
  })

  test('a mistake in the query is pointed at, with the hits of the rest', async () => {
    const { problem, hits } = await mirror.search(request('"time', { mode: 'words', limit: 5 }))
    expect(problem).toEqual({ message: expect.stringMatching(/never closed/), start: 0, end: 1 })
    expect(hits).toHaveLength(5)
  })
})
