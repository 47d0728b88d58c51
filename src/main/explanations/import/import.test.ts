import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startImport } from '../../../../fixtures/import-process.ts'
import { explanationRows, randomNumbers, type SyntheticRow, writeBulkFiles } from '../../../../fixtures/synthetic-explanations.ts'
import { type Mirror, openMirror } from '../mirror.ts'

let folder = ''
const open: Mirror[] = []
const at = (...parts: string[]) => path.join(folder, ...parts)
async function openTestMirror(name = 'mirror.sqlite'): Promise<Mirror> {
  const mirror = await openMirror(at(name))
  open.push(mirror)
  return mirror
}
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-import-'))
})
afterEach(async () => {
  for (const mirror of open.splice(0)) await mirror.close()
  await fs.rm(folder, { recursive: true, force: true })
})

const lines = (rows: readonly unknown[]) => rows.map(row => JSON.stringify(row)).join('\n')
const row = (more: object = {}) => ({ modelId: 'm', layer: '3-res', index: 7, description: 'time travel', ...more })

/** Every explanation of a mirror's file, as text that can be compared. */
function storedRows(name = 'mirror.sqlite'): string[] {
  const database = new Sqlite(at(name), { readonly: true })
  try {
    return database
      .prepare(
        `SELECT s.model || '/' || s.layer || '/' || e.feature || ' ' || ifnull(external_id, '') || ' ' || ifnull(x.name, '') || ' ' || description
         FROM explanations e JOIN sources s ON s.id = e.source LEFT JOIN explainers x ON x.id = e.explainer`
      )
      .pluck()
      .all()
      .map(String)
      .sort()
  } finally {
    database.close()
  }
}
const asStored = ({ modelId, layer, index, id, explanationModelName, description }: SyntheticRow) =>
  `${modelId}/${layer}/${index} ${id} ${explanationModelName ?? ''} ${description}`

describe('bulk files', () => {
  const options = { rows: 5000, width: 2048, vocabulary: 5000, rowsPerFile: 1000 }
  const expected = [...explanationRows(options)].map(asStored).sort()

  test('bring every row once, also where they are imported again, one by one, and from another folder', async () => {
    await writeBulkFiles(at('bulk'), options)
    const mirror = await openTestMirror()
    const first = await mirror.importFiles([at('bulk')])
    expect(first.result).toMatchObject({ imported: 5000, skipped: 0, rejected: 0 })
    expect(storedRows()).toEqual(expected)
    expect((await mirror.importFiles([at('bulk')])).result).toMatchObject({ imported: 0, skipped: 5000, rejected: 0 })
    await fs.rename(at('bulk'), at('moved'))
    expect((await mirror.importFiles([at('moved', 'v1')])).result).toMatchObject({ imported: 0, skipped: 5000, rejected: 0 })
    expect(storedRows()).toEqual(expected)
    const bySource = Map.groupBy(explanationRows(options), ({ modelId, layer }) => `${modelId}/${layer}`)
    expect((await mirror.sources()).map(({ source, explanations }) => [source, explanations])).toEqual(
      [...bySource].map(([source, rows]) => [source, rows.length])
    )
  })

  test('say how far they are, how fast, and how long it will take', async () => {
    await writeBulkFiles(at('bulk'), options)
    const mirror = await openTestMirror()
    const seen: number[] = []
    await mirror.importFiles([at('bulk')], {
      onProgress: ({ rows, fraction, rowsPerSecond, secondsLeft }) => {
        expect(rows).toBeGreaterThan(0)
        expect(rowsPerSecond).toBeGreaterThan(0)
        expect(secondsLeft).toBeGreaterThanOrEqual(0)
        seen.push(fraction)
      }
    })
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(1)
  })

  test('that were read to their middle go on from there after a cancel', async () => {
    await writeBulkFiles(at('bulk'), { ...options, rows: 60_000, rowsPerFile: 60_000, embeddings: false })
    const mirror = await openTestMirror()
    const abort = new AbortController()
    await expect(mirror.importFiles([at('bulk')], { signal: abort.signal, onProgress: () => abort.abort() })).rejects.toMatchObject({
      kind: 'import/cancelled'
    })
    const { explanations } = await mirror.counts()
    expect(explanations).toBeGreaterThan(0)
    expect(explanations).toBeLessThan(60_000)
    const { result } = await mirror.importFiles([at('bulk')])
    expect(result).toMatchObject({ imported: 60_000 - explanations, skipped: explanations, rejected: 0 })
  })
})

test('killed at random moments, the file stays whole, and a later import loses and doubles nothing', async () => {
  const options = { rows: 60_000, width: 8192, vocabulary: 20_000, embeddings: false }
  await writeBulkFiles(at('bulk'), options)
  const random = randomNumbers(Date.now())
  const moments: number[] = []
  let isWithin = false
  for (let round = 0; round < 5; round++) {
    const child = startImport(at('mirror.sqlite'), at('bulk'))
    const ended = once(child, 'exit')
    await once(child, 'message')
    // Some before anything is written, some after.
    if (round % 2 === 0) await Promise.race([once(child, 'message'), ended])
    moments.push(Math.floor(random() * (round % 2 === 0 ? 200 : 1500)))
    await new Promise(resolve => setTimeout(resolve, moments.at(-1)))
    child.kill('SIGKILL')
    await ended
    const database = new Sqlite(at('mirror.sqlite'), { readonly: true })
    expect(database.pragma('integrity_check', { simple: true }), `killed after ${moments} ms`).toBe('ok')
    const rows = Number(database.prepare('SELECT count(*) FROM explanations').pluck().get())
    isWithin ||= rows > 0 && rows < 60_000
    database.close()
  }
  const mirror = await openTestMirror()
  const { result } = await mirror.importFiles([at('bulk')])
  expect(isWithin, `killed after ${moments} ms`).toBe(true)
  expect(result.imported + result.skipped, `killed after ${moments} ms`).toBe(60_000)
  expect(storedRows()).toEqual([...explanationRows(options)].map(asStored).sort())
  const database = new Sqlite(at('mirror.sqlite'))
  for (const index of ['text_index', 'run_grams']) database.exec(`INSERT INTO ${index} (${index}) VALUES ('integrity-check')`)
  database.close()
}, 120_000)

describe('the same explanation', () => {
  const importLines = async (mirror: Mirror, name: string, rows: readonly unknown[]) => {
    await fs.writeFile(at(name), lines(rows))
    return (await mirror.importFiles([at(name)])).result
  }

  test('is told by its id, whatever else it says; other ids are other explanations', async () => {
    const mirror = await openTestMirror()
    const rows = [row({ id: 'a' }), row({ id: 'b' }), row({ id: 'a', description: 'changed' })]
    expect(await importLines(mirror, 'a.jsonl', rows)).toMatchObject({ imported: 2, skipped: 1 })
    expect(storedRows()).toEqual(['m/3-res/7 a  time travel', 'm/3-res/7 b  time travel'])
  })

  test('without an id is told by source, feature, text and explainer', async () => {
    const mirror = await openTestMirror()
    const rows = [
      row(),
      row(),
      row({ index: '8' }),
      row({ explanationModelName: 'x' }),
      row({ layer: '4-res' }),
      row({ description: 'Time travel' })
    ]
    expect(await importLines(mirror, 'a.jsonl', rows)).toMatchObject({ imported: 5, skipped: 1 })
    expect(await importLines(mirror, 'b.jsonl', rows)).toMatchObject({ imported: 0, skipped: 6 })
  })

  test('takes over the id of a later row that has one', async () => {
    const mirror = await openTestMirror()
    await importLines(mirror, 'a.jsonl', [row(), row({ index: 8 })])
    expect(await importLines(mirror, 'b.jsonl', [row({ id: 'a' }), row({ id: 'b' }), row({ id: 'a' })])).toMatchObject({
      imported: 1,
      skipped: 2
    })
    expect(storedRows()).toEqual(['m/3-res/7 a  time travel', 'm/3-res/7 b  time travel', 'm/3-res/8   time travel'])
    expect(await importLines(mirror, 'c.jsonl', [row()])).toMatchObject({ imported: 0, skipped: 1 })
  })
})

describe('kinds of files', () => {
  const one = ['m/3-res/7   time travel']

  test.each([
    ['.jsonl', lines([row()])],
    ['.json', JSON.stringify([row()])],
    ['.csv', 'modelId,layer,index,description\nm,3-res,7,time travel\n']
  ])('%s, plain and zipped', async (ending, text) => {
    const mirror = await openTestMirror()
    await fs.writeFile(at(`plain${ending}`), text)
    await fs.writeFile(at(`zipped${ending}.gz`), Buffer.concat([gzipSync(text.slice(0, 11)), gzipSync(text.slice(11))]))
    expect((await mirror.importFiles([at(`plain${ending}`)])).result).toMatchObject({ imported: 1, rejected: 0 })
    expect((await mirror.importFiles([at(`zipped${ending}.gz`)])).result).toMatchObject({ imported: 0, skipped: 1, rejected: 0 })
    expect(storedRows()).toEqual(one)
  })

  test('.csv with quotes, commas, line ends and columns in any order', async () => {
    const mirror = await openTestMirror()
    const text =
      '\ufeffdescription,explanationModelName,index,layer,modelId,id\r\n"a ""quoted"", text\nof two lines",gpt,7,3-res,m,\r\nshort,,x,3-res,m,\r\n'
    await fs.writeFile(at('a.csv'), text)
    const { result, rejectsFile } = await mirror.importFiles([at('a.csv')])
    expect(result).toMatchObject({ imported: 1, rejected: 1 })
    expect(storedRows()).toEqual(['m/3-res/7  gpt a "quoted", text\nof two lines'])
    expect(await fs.readFile(rejectsFile ?? '', 'utf8')).toMatch(/index/)
    const told = await mirror.rejects(rejectsFile ?? '', 100)
    expect(told.rows.map(({ file, line }) => [path.basename(file), line])).toEqual([['a.csv', 4]])
    expect(told.rows[0]?.reason).toMatch(/index/)
    await expect(mirror.rejects(at('a.csv'), 100)).rejects.toMatchObject({ kind: 'rejects/none' })
  })

  test('rows that do not say their source take it from the path', async () => {
    const mirror = await openTestMirror()
    const file = at('v1', 'm', '3-res', 'explanations', 'batch-0.jsonl')
    await fs.mkdir(path.dirname(file), { recursive: true })
    await fs.writeFile(file, lines([{ index: 7, description: 'time travel' }]))
    await mirror.importFiles([at('v1')])
    expect(storedRows()).toEqual(one)
  })

  test('activations of one feature come together, strongest first, once', async () => {
    const mirror = await openTestMirror()
    const activation = (index: number, maxValue: number) => ({
      modelId: 'm',
      layer: '3-res',
      index: String(index),
      tokens: ['a', 'b'],
      values: [0, maxValue],
      maxValue,
      maxValueTokenIndex: 1
    })
    await fs.writeFile(at('a.jsonl'), lines([activation(1, 2), activation(1, 5), activation(2, 1)]))
    await fs.writeFile(at('b.jsonl'), lines([activation(1, 9)]))
    await fs.writeFile(at('f.jsonl'), lines([{ modelId: 'm', layer: '3-res', index: 1, maxActApprox: 9, frac_nonzero: 0.5 }]))
    expect((await mirror.importFiles([at('a.jsonl'), at('b.jsonl'), at('f.jsonl')])).result).toMatchObject({ imported: 5 })
    await fs.copyFile(at('a.jsonl'), at('again.jsonl'))
    expect((await mirror.importFiles([at('again.jsonl')])).result).toMatchObject({ imported: 0, skipped: 3 })
    const page = await mirror.feature('m/3-res', 1)
    expect(page.examples.map(({ maxValue }) => maxValue)).toEqual([9, 5, 2])
    expect(page).toMatchObject({ known: true, statistics: { maxActivation: 9, density: 0.5 } })
  })
})

describe('broken files', () => {
  test('a zip that ends early gives what can be read, and says so', async () => {
    const mirror = await openTestMirror()
    const zipped = gzipSync(lines(Array.from({ length: 5000 }, (_, index) => row({ index, description: `text ${Math.random()}` }))))
    await fs.writeFile(at('cut.jsonl.gz'), zipped.subarray(0, zipped.length / 2))
    await fs.writeFile(at('good.jsonl'), lines([row({ index: 6000 })]))
    const { result, rejectsFile } = await mirror.importFiles([at('cut.jsonl.gz'), at('good.jsonl')])
    expect(result.rejected).toBeGreaterThanOrEqual(1)
    expect(result.imported).toBeGreaterThan(100)
    expect(await fs.readFile(rejectsFile ?? '', 'utf8')).toMatch(/cut\.jsonl\.gz.*cannot be read further/)
    expect(storedRows()).toContain('m/3-res/6000   time travel')
    await fs.writeFile(at('cut.jsonl.gz'), zipped)
    await mirror.importFiles([at('cut.jsonl.gz')])
    expect((await mirror.counts()).explanations).toBe(5001)
  })

  test('NULs, invalid UTF-8 and lone surrogates lose nothing but themselves', async () => {
    const mirror = await openTestMirror()
    const invalid = Buffer.concat([
      Buffer.from('{"modelId":"m","layer":"3-res","index":1,"description":"bad '),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}\n')
    ])
    await fs.writeFile(
      at('a.jsonl'),
      Buffer.concat([invalid, Buffer.from(lines([row({ description: 'a\0b' }), row({ description: 'c' })]).replace('"c"', '"\\ud800"'))])
    )
    expect((await mirror.importFiles([at('a.jsonl')])).result).toMatchObject({ imported: 3, rejected: 0 })
    expect((await mirror.feature('m/3-res', 1)).explanations[0]?.description).toBe('bad \ufffd\ufffd')
    expect((await mirror.feature('m/3-res', 7)).explanations.map(({ description }) => description)).toEqual(['a\0b', '\ufffd'])
    const search = (query: string) => mirror.search({ query, mode: 'substring', limit: 10, countFor: 1000 })
    expect((await search('A\0B')).total).toBe(1)
    expect((await search('\0')).total).toBe(1)
  })
})
