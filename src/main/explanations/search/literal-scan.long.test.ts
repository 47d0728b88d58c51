/** Literal search against a plain scan: ten thousand queries at a hundred thousand rows, which takes minutes. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { explanationRows, randomNumbers } from '../../../../fixtures/synthetic-explanations.ts'
import { type Mirror, openMirror } from '../mirror.ts'

const queries = 10_000
/** Hits compared one by one; of queries with more, their number and the first page. */
const mostCompared = 200

const rows = [...explanationRows({ rows: 100_000, seed: 21, vocabulary: 40_000, embeddings: false })]
const texts = rows.map(({ description }) => description)
/** All texts in upper case, one after the other, and where each begins: looking for a piece in them is one search. */
const separator = '\u{10ffff}'
const upper = texts.map(text => text.toUpperCase())
const whole = upper.join(separator)
const starts: number[] = []
let end = 0
for (const text of upper) {
  starts.push(end)
  end += text.length + separator.length
}

/** Rows whose upper-cased text has a piece. */
function scan(piece: string): number[] {
  const found: number[] = []
  let row = 0
  for (let at = whole.indexOf(piece); at !== -1; at = whole.indexOf(piece, starts[row + 1] ?? whole.length)) {
    while ((starts[row + 1] ?? Number.POSITIVE_INFINITY) <= at) row += 1
    found.push(row)
    if (row === upper.length - 1) break
  }
  return found
}
const keyOf = (layer: string, index: string | number, id: string) => `${layer}/${index} ${id}`

let folder = ''
let mirror: Mirror
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-scan-'))
  const file = path.join(folder, 'rows.jsonl.gz')
  fs.writeFileSync(file, gzipSync(rows.map(row => JSON.stringify(row)).join('\n'), { level: 1 }))
  mirror = await openMirror(path.join(folder, 'mirror.sqlite'))
  expect((await mirror.importFiles([file])).result).toMatchObject({ imported: rows.length, rejected: 0 })
})
afterAll(async () => {
  await mirror.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

const odd = ['%', '_', '"', "'", '\\', '*', '\0', '🎉', 'ß', 'ï', '漢', 'л', '  ', ', ', '(', ' AND ', '-', '\n', '—', '~', '=']

/** Pieces of texts of 1 to 40 characters in three cases, pieces put together, pieces with an odd character in them. */
function* randomQueries(count: number, seed: number): Generator<string> {
  const random = randomNumbers(seed)
  const below = (end: number) => Math.floor(random() * end)
  const piece = (longest: number) => {
    const text = texts[below(texts.length)] ?? ''
    const start = below(text.length)
    return text.slice(start, start + 1 + below(longest))
  }
  const makers = [
    () => piece(2),
    () => piece(3),
    () => piece(12),
    () => piece(40),
    () => piece(6) + piece(6),
    () => `${piece(8)} ${piece(8)}`,
    () => {
      const whole = piece(12)
      const at = below(whole.length + 1)
      return whole.slice(0, at) + odd[below(odd.length)] + whole.slice(at)
    }
  ]
  for (let round = 0; round < count; round++) {
    const query = makers[round % makers.length]?.() ?? ''
    const kind = below(3)
    yield kind === 0 ? query : kind === 1 ? query.toLowerCase() : query.toUpperCase()
  }
}

test('the scan is one text by text', () => {
  for (const piece of ['DECEPT', 'A', 'RELATED TO', upper.at(-1) ?? '', upper[0] ?? '', 'no such text'])
    expect(scan(piece)).toEqual([...upper.keys()].filter(at => upper[at]?.includes(piece)))
})

test('ten thousand queries at a hundred thousand rows give the hits of a plain scan', async () => {
  let [compared, withoutHit] = [0, 0]
  for (const query of randomQueries(queries, 815)) {
    const expected = query.isWellFormed() ? scan(query.toUpperCase()) : []
    const { hits, total, totalIsExact } = await mirror.search({ query, mode: 'substring', limit: mostCompared, countFor: 60_000 })
    expect({ total, totalIsExact }, JSON.stringify(query)).toEqual({ total: expected.length, totalIsExact: true })
    // Rows come in the order of import, which is that of the file.
    const first = expected.slice(0, mostCompared).map(at => {
      const row = rows[at]
      return row === undefined ? '' : keyOf(row.layer, row.index, row.id)
    })
    expect(
      hits.map(({ layer, index, id }) => keyOf(layer, index, id)),
      JSON.stringify(query)
    ).toEqual(first)
    compared += 1
    if (expected.length === 0) withoutHit += 1
  }
  expect(compared).toBe(queries)
  // Queries that find nothing are to be among them, and not too many.
  expect(withoutHit / queries).toBeGreaterThan(0.05)
  expect(withoutHit / queries).toBeLessThan(0.6)
}, 3_600_000)
