/** `splice import` and `splice search` on a mirror of their own. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { importSummary } from '../../src/contract/explanations.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'

const home = temporaryFolder()
const folder = temporaryFolder()
const db = join(folder, 'mirror.sqlite')
const file = join(demo.explanations, '2-demo-res-1k.json')

const row = z.object({
  modelId: z.string(),
  layer: z.string(),
  index: z.string(),
  description: z.string(),
  explanationModelName: z.string()
})
const rows = z.array(row.loose()).parse(JSON.parse(readFileSync(file, 'utf8')))

const searchOutput = z.strictObject({
  total: z.int(),
  totalIsExact: z.boolean(),
  nextKey: z.string().nullable(),
  milliseconds: z.number(),
  hits: z.array(
    z.strictObject({
      model: z.string(),
      layer: z.string(),
      index: z.int(),
      description: z.string(),
      explainer: z.string().nullable(),
      id: z.string()
    })
  )
})

async function search(...args: string[]): Promise<z.infer<typeof searchOutput>> {
  const outcome = await splice(['search', ...args, '--db', db, '--json'], { home })
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  return searchOutput.parse(JSON.parse(outcome.stdout))
}

/** Without --embeddings none are counted. */
const output = z.strictObject(importSummary.omit({ embeddings: true }).shape)
async function importFiles(...paths: string[]): Promise<{ code: number | null; stderr: string; summary: z.infer<typeof output> }> {
  const { code, stdout, stderr } = await splice(['import', ...paths, '--db', db, '--json'], { home })
  return { code, stderr, summary: output.parse(JSON.parse(stdout)) }
}

describe("a mirror of one's own", () => {
  test('imports every row of an export once', async () => {
    expect(await importFiles(file)).toMatchObject({ code: 0, stderr: '', summary: { imported: rows.length, skipped: 0, rejected: 0 } })
    expect(await importFiles(file)).toMatchObject({ code: 0, stderr: '', summary: { imported: 0, skipped: rows.length, rejected: 0 } })
  })

  test('holds what was imported and nothing else', async () => {
    const everything = await search('demo', '--model', 'some-other-model')
    expect(everything.total).toBe(0)
    expect(existsSync(join(home, 'mirror.sqlite'))).toBe(false)
  })

  test('finds exactly the rows that contain the text, whatever its case', async () => {
    const expected = rows.filter(({ description }) => description.toUpperCase().includes('DECEPT'))
    expect(expected.length).toBeGreaterThan(10)
    const found = await search('DeCePt', '--limit', '1000')
    expect(found).toMatchObject({ total: expected.length, totalIsExact: true, nextKey: null })
    const name = (index: string | number, description: string) => `${index} ${description}`
    expect(found.hits.map(hit => name(hit.index, hit.description)).sort()).toEqual(
      expected.map(({ index, description }) => name(index, description)).sort()
    )
  })

  test('narrows by source and explainer, and pages by --limit', async () => {
    const byReader = rows.filter(other => other.explanationModelName === 'demo-reader-v1' && /decept/i.test(other.description))
    const found = await search('decept', '--explainer', 'demo-reader-v1', '--source', 'demo-gemma2-tiny/2-demo-res-1k', '--limit', '2')
    expect(found.total).toBe(byReader.length)
    expect(found.hits).toHaveLength(2)
    expect(found.nextKey).not.toBeNull()
  })

  test('ranks words', async () => {
    const found = await search('scratchpad deceptive', '--mode', 'words')
    expect(found.hits.length).toBeGreaterThan(0)
    for (const hit of found.hits) expect(hit.description).toMatch(/scratchpad|deceptive/i)
  })

  test('without --json the hits are lines', async () => {
    const { code, stdout } = await splice(['search', 'wormhole', '--db', db], { home })
    expect(code).toBe(0)
    expect(stdout).toContain('demo-gemma2-tiny/2-demo-res-1k/')
    expect(stdout).toMatch(/\d+ hits?.*\n$/)
  })

  test('rejected rows are counted, named and end in exit code 3, and the good ones are in', async () => {
    const mixed = join(folder, 'mixed.json')
    const good = { modelId: 'm', layer: 'l', index: '7', description: 'a zebra crossing', explanationModelName: 'e', typeName: 't' }
    writeFileSync(mixed, JSON.stringify([good, { ...good, index: 'seven' }, { ...good, description: 7 }, 'no row']))
    const outcome = await importFiles(mixed)
    expect(outcome).toMatchObject({ code: 3, summary: { imported: 1, skipped: 0, rejected: 3 } })
    expect(outcome.stderr).toMatch(/^splice: 3 rows were rejected/)
    expect((await search('zebra')).hits).toMatchObject([{ model: 'm', layer: 'l', index: 7, explainer: 'e' }])
  })
})

describe('the home', () => {
  test('has the demo from the first search on', async () => {
    const { code, stdout } = await splice(['search', 'decept', '--json', '--limit', '5'], { home: temporaryFolder() })
    expect(code).toBe(0)
    const found = searchOutput.parse(JSON.parse(stdout))
    expect(found.hits[0]?.model).toBe('demo-gemma2-tiny')
    expect(found.total).toBeGreaterThan(rows.filter(({ description }) => /decept/i.test(description)).length - 1)
  })
})
