/** All hits of a search as a file: as a client asks for them, read back, and imported again. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { explanationRows } from '../../../fixtures/synthetic-explanations.ts'
import type { HitExportEvent } from '../../contract/hit-export.ts'
import { createEngine, type Engine } from './engine.ts'

const rows = [
  ...[...explanationRows({ rows: 5000, width: 4096, vocabulary: 5000, embeddings: false })].map(
    ({ modelId, layer, index, description, explanationModelName, typeName, id }) => ({
      modelId,
      layer,
      index,
      description,
      explanationModelName,
      typeName,
      id
    })
  ),
  {
    modelId: 'odd',
    layer: '1-odd',
    index: '3',
    description: ' the "quoted", \nand\r\n漢字 ',
    explanationModelName: null,
    typeName: null,
    id: null
  }
]
const expected = rows.filter(row => row.description.toUpperCase().includes('THE'))
let folder = ''
let engine: Engine

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-export-'))
  const file = path.join(folder, 'rows.json')
  await fs.writeFile(file, JSON.stringify(rows))
  engine = await createEngine({ home: path.join(folder, 'home') })
  for await (const _ of await engine.client.explanations.importFiles({ paths: [file] }));
})
afterAll(async () => {
  await engine?.close()
  await fs.rm(folder, { recursive: true, force: true })
})

async function eventsOf(events: AsyncIterable<HitExportEvent>): Promise<HitExportEvent[]> {
  const all: HitExportEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

describe('an export', () => {
  test('as JSON holds every hit in the order of import, by Neuronpedia’s names', async () => {
    const file = path.join(folder, 'hits.json')
    const events = await eventsOf(await engine.client.explanations.export({ query: 'the', format: 'json', file }))
    expect(events.at(-1)).toEqual({ type: 'written', file, hits: expected.length, bytes: (await fs.stat(file)).size })
    expect(
      events
        .slice(0, -1)
        .map(event => (event.type === 'progress' ? event.hits : -1))
        .at(0)
    ).toBe(1000)
    expect(JSON.parse(await fs.readFile(file, 'utf8'))).toEqual(expected)
  })

  test('as CSV holds the same, whatever stands in a text', async () => {
    const file = path.join(folder, 'hits.csv')
    await eventsOf(await engine.client.explanations.export({ query: 'the', format: 'csv', file }))
    const read = parse(await fs.readFile(file, 'utf8'), { columns: true }) as Record<string, string>[]
    const texts = (row: Record<string, string | null>) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? '']))
    expect(read).toEqual(expected.map(texts))
  })

  test('can be imported elsewhere, and finds the same there', async () => {
    for (const format of ['csv', 'json'] as const) {
      const file = path.join(folder, `again.${format}`)
      await eventsOf(await engine.client.explanations.export({ query: 'the', format, file }))
      const other = await createEngine({ home: path.join(folder, `home-${format}`) })
      try {
        for await (const _ of await other.client.explanations.importFiles({ paths: [file] }));
        const question = { query: '', mode: 'substring', limit: 1000 } as const
        const { hits, total } = await other.client.explanations.search({ ...question, query: 'the' })
        expect(total).toBe(expected.length)
        expect(hits.map(hit => hit.description)).toEqual(expected.slice(0, 1000).map(row => row.description))
      } finally {
        await other.close()
      }
    }
  })

  test('is narrowed as the search is', async () => {
    const file = path.join(folder, 'few.json')
    await eventsOf(
      await engine.client.explanations.export({ query: 'the', mode: 'words', explainer: 'gpt-3.5-turbo', format: 'json', file })
    )
    const written = JSON.parse(await fs.readFile(file, 'utf8')) as typeof rows
    const { total } = await engine.client.explanations.count({ query: 'the', mode: 'words', explainer: 'gpt-3.5-turbo' })
    expect(written).toHaveLength(total)
    expect(new Set(written.map(row => row.explanationModelName))).toEqual(new Set(['gpt-3.5-turbo']))
  })

  test('of nothing is an empty list', async () => {
    const file = path.join(folder, 'none.json')
    await eventsOf(await engine.client.explanations.export({ query: 'qqqqqq', format: 'json', file }))
    expect(JSON.parse(await fs.readFile(file, 'utf8'))).toEqual([])
  })

  test('that is cancelled or fails leaves nothing behind, and what was there stays', async () => {
    const place = path.join(folder, 'cancelled')
    await fs.mkdir(place)
    const file = path.join(place, 'hits.json')
    await fs.writeFile(file, 'before')
    const abort = new AbortController()
    const work = (async () => {
      for await (const event of await engine.client.explanations.export({ query: 'e', format: 'json', file }, { signal: abort.signal })) {
        if (event.type === 'progress') abort.abort()
      }
    })()
    await work.catch(() => undefined)
    await expect.poll(() => fs.readdir(place)).toEqual(['hits.json'])
    expect(await fs.readFile(file, 'utf8')).toBe('before')
    const nowhere = path.join(folder, 'no such folder', 'hits.json')
    await expect(eventsOf(await engine.client.explanations.export({ query: 'e', format: 'json', file: nowhere }))).rejects.toMatchObject({
      data: { kind: 'export/disk', file: nowhere }
    })
  })

  test('without a file is held, fetched in parts, and gone with its stream', async () => {
    const held = path.join(folder, 'home', 'cache', 'held-files')
    for await (const event of await engine.client.explanations.export({ query: 'the', format: 'json' })) {
      if (event.type !== 'ready') continue
      const parts: Blob[] = []
      for (let offset = 0; offset < event.bytes; offset += 10_000) {
        parts.push((await engine.client.explanations.exportPart({ id: event.id, offset, length: 10_000 })).bytes)
      }
      expect(event.hits).toBe(expected.length)
      expect(JSON.parse(await new Blob(parts).text())).toEqual(expected)
      break
    }
    await expect.poll(() => fs.readdir(held)).toEqual([])
  })
})
