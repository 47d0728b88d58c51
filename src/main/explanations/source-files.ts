/** Reads files of explanations row by row: .json, .jsonl, .jsonl.gz; folders are walked. */
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { createGunzip } from 'node:zlib'
import { SpliceError } from '../../contract/errors.ts'

const importable = /\.(json|jsonl|jsonl\.gz)$/
/** JSON arrays are parsed whole. */
const maximumJsonBytes = 512 * 1024 * 1024

/** A row as it stands in a file: its line (from 1) or its place in an array, and its value or why it has none. */
export interface FileRow {
  readonly line: number
  readonly value: unknown
  readonly problem: string | null
  /** Share of the file that was read. */
  readonly fraction: number
}

/** Files at or below the given paths, in the order given, folders by name. Throws `import/missing` and `import/kind`. */
export function listFiles(paths: readonly string[]): string[] {
  return paths.flatMap(given => {
    const absolute = path.resolve(given)
    const stat = fs.statSync(absolute, { throwIfNoEntry: false })
    if (stat === undefined) throw new SpliceError('import/missing', `${given} does not exist`, { file: given, hint: 'Check the path.' })
    if (stat.isDirectory()) {
      const names = fs.readdirSync(absolute, { recursive: true, encoding: 'utf8' }).filter(name => importable.test(name))
      if (names.length === 0) {
        throw new SpliceError('import/kind', `${given} holds no .json, .jsonl or .jsonl.gz files`, {
          file: given,
          hint: 'Name files or folders of explanations.'
        })
      }
      return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map(name => path.join(absolute, name))
    }
    if (!importable.test(absolute)) {
      throw new SpliceError('import/kind', `${given} is none of .json, .jsonl and .jsonl.gz`, {
        file: given,
        hint: 'Name files or folders of explanations.'
      })
    }
    return [absolute]
  })
}

function parse(text: string): { value: unknown; problem: string | null } {
  try {
    return { value: JSON.parse(text), problem: null }
  } catch {
    return { value: null, problem: 'not JSON' }
  }
}

/** The rows of one file. A file that cannot be read to its end gives a last row with the problem. */
export async function* rowsOfFile(file: string): AsyncGenerator<FileRow, void> {
  const size = fs.statSync(file).size
  if (file.endsWith('.json')) {
    yield* rowsOfArray(file, size)
    return
  }
  const raw = fs.createReadStream(file)
  const input = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw
  let line = 0
  try {
    raw.on('error', error => input.destroy(error))
    for await (const text of readline.createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1
      if (text.trim() !== '') yield { line, ...parse(text), fraction: size === 0 ? 1 : raw.bytesRead / size }
    }
    if (input.errored !== null) throw input.errored
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    yield { line: line + 1, value: null, problem: `the file cannot be read further: ${why}`, fraction: 1 }
  } finally {
    raw.destroy()
  }
}

function* rowsOfArray(file: string, size: number): Generator<FileRow, void> {
  if (size > maximumJsonBytes) {
    yield { line: 1, value: null, problem: `a JSON array of ${size} bytes is too large; split it into lines (.jsonl)`, fraction: 1 }
    return
  }
  const { value, problem } = parse(fs.readFileSync(file, 'utf8'))
  if (problem !== null) {
    yield { line: 1, value: null, problem: `${file} is not JSON`, fraction: 1 }
    return
  }
  const rows = Array.isArray(value) ? value : [value]
  for (const [place, row] of rows.entries()) yield { line: place + 1, value: row, problem: null, fraction: (place + 1) / rows.length }
}
