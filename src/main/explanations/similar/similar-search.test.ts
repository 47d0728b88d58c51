import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { descriptions, randomNumbers } from '../../../../fixtures/synthetic-explanations.ts'
import type { SimilarRequest } from '../../../contract/explanations.ts'
import { type Mirror, openMirror } from '../mirror.ts'

interface Row {
  id: string
  modelId: string
  layer: string
  index: number
  description: string
  embedding: number[] | string | null
}

/** Rows near one of a few directions; some share their embedding with others, some have none, or none that can be used. */
function makeRows(): Row[] {
  const random = randomNumbers(99)
  const describeIt = descriptions(5, 500)
  const centred = () => random() - 0.5
  const vector = (spread: number, centre: readonly number[]) => centre.map(value => value + centred() * spread)
  const centres = Array.from({ length: 12 }, () => Array.from({ length: 256 }, centred))
  const shared = vector(0.2, centres[0] ?? [])
  return Array.from({ length: 6000 }, (_, row) => {
    const centre = centres[Math.floor(random() * centres.length)] ?? []
    const numbers = random() < 0.02 ? shared : vector(random() < 0.1 ? 0.001 : 0.6, centre)
    const kind = random()
    return {
      id: `id-${row}`,
      modelId: row % 3 === 0 ? 'first' : 'second',
      layer: `${row % 4}-res`,
      index: Math.floor(random() * 700),
      description: describeIt(),
      embedding: kind < 0.04 ? null : kind < 0.06 ? '[1,2,3]' : kind < 0.5 ? numbers : JSON.stringify(numbers)
    }
  })
}
const rows = makeRows()

const vectorOf = ({ embedding }: Row): Float32Array | null => {
  const list: unknown = typeof embedding === 'string' ? JSON.parse(embedding) : embedding
  return Array.isArray(list) && list.length === 256 ? Float32Array.from(list) : null
}
const withVectors = rows.flatMap(row => {
  const vector = vectorOf(row)
  return vector === null ? [] : [{ ...row, vector, source: `${row.modelId}/${row.layer}` }]
})

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0]
  for (let at = 0; at < 256; at++) {
    dot += a[at]! * b[at]!
    aa += a[at]! ** 2
    bb += b[at]! ** 2
  }
  return dot / Math.sqrt(aa * bb)
}

/** Every embedding compared, in the order of the mirror's rows: source by source as they first came. */
function scan(asked: Row[], within: (row: (typeof withVectors)[number]) => boolean, limit: number) {
  const order = [...new Set(rows.map(({ modelId, layer }) => `${modelId}/${layer}`))]
  const queries = asked.flatMap(row => vectorOf(row) ?? [])
  const feature = asked[0]
  return withVectors
    .filter(row => within(row) && !(row.modelId === feature?.modelId && row.layer === feature.layer && row.index === feature.index))
    .map(row => ({ id: row.id, source: row.source, similarity: Math.max(...queries.map(query => cosine(query, row.vector))) }))
    .sort((a, b) => b.similarity - a.similarity || order.indexOf(a.source) - order.indexOf(b.source))
    .slice(0, limit)
}

let folder = ''
let mirror: Mirror
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-similar-'))
  const file = path.join(folder, 'rows.jsonl')
  await fs.writeFile(file, rows.map(row => JSON.stringify(row)).join('\n'))
  mirror = await openMirror(path.join(folder, 'mirror.sqlite'))
  const { result } = await mirror.importFiles([file], { withEmbeddings: true })
  expect(result).toMatchObject({ imported: rows.length, embeddings: withVectors.length, rejected: 0 })
})
afterAll(async () => {
  await mirror.close()
  await fs.rm(folder, { recursive: true, force: true })
})

const ask = (request: Omit<SimilarRequest, 'within' | 'limit'> & Partial<SimilarRequest>) =>
  mirror.similar({ within: {}, limit: 50, ...request })
/** Features of the first source with 1, 2 and more explanations that have embeddings. */
const features = [
  ...Map.groupBy(
    withVectors.filter(row => row.source === 'first/0-res'),
    row => row.index
  )
]
  .sort(([a], [b]) => a - b)
  .filter(([, of], at, all) => all.findIndex(([, other]) => other.length === of.length) === at)

describe('what is like an explanation', () => {
  test('there are features with one and with several explanations', () => {
    expect(features.length).toBeGreaterThanOrEqual(2)
  })

  test.each([5, 50, 1000])('is what a look at every embedding finds, the first %i', async limit => {
    for (const [index, own] of features) {
      const { hits, of, compared } = await ask({ source: 'first/0-res', index, limit })
      const asked = rows.filter(row => row.modelId === 'first' && row.layer === '0-res' && row.index === index)
      const expected = scan(asked, () => true, limit)
      expect(of.map(({ id }) => id)).toEqual(own.map(({ id }) => id))
      expect(compared).toBe(withVectors.length)
      expect(hits.map(({ similarity }) => similarity)).toEqual(expected.map(({ similarity }) => expect.closeTo(similarity, 12)))
      expect(hits.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
    }
  })

  test('can be of one explanation of its feature, and be looked for in a model, a source or layers', async () => {
    const [index, own] = features.at(-1)!
    const one = own[1] ?? own[0]!
    const cases: [SimilarRequest['within'], (row: (typeof withVectors)[number]) => boolean][] = [
      [{}, () => true],
      [{ model: 'second' }, row => row.modelId === 'second'],
      [{ source: 'second/1-res' }, row => row.source === 'second/1-res'],
      [{ source: '3-res' }, row => row.layer === '3-res'],
      [{ layers: { from: 2 } }, row => Number(row.layer[0]) >= 2],
      [{ model: 'nobody' }, () => false]
    ]
    for (const [within, fits] of cases) {
      const { hits } = await ask({ source: 'first/0-res', index, explanation: one.id, within, limit: 40 })
      expect(hits.map(({ id }) => id)).toEqual(scan([one], fits, 40).map(({ id }) => id))
    }
  })

  test('needs a feature that is there, and embeddings of it', async () => {
    await expect(ask({ source: 'first/0-res', index: 9999 })).rejects.toMatchObject({ kind: 'similar/unknown' })
    await expect(ask({ source: 'first/0-res', index: features[0]![0], explanation: 'x' })).rejects.toMatchObject({
      kind: 'similar/unknown'
    })
    const bare = rows.find(row =>
      rows
        .filter(other => other.layer === row.layer && other.modelId === row.modelId && other.index === row.index)
        .every(other => vectorOf(other) === null)
    )
    expect(bare).toBeDefined()
    await expect(ask({ source: `${bare?.modelId}/${bare?.layer}`, index: bare?.index ?? 0 })).rejects.toMatchObject({
      kind: 'similar/no-embeddings',
      message: expect.stringContaining(`${bare?.modelId}/${bare?.layer}/${bare?.index}`)
    })
  })
})
