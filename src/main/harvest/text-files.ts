/** Files of text that a person names, alone or by their folders. */
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { whyUnreadable } from '../checkpoint/open-file.ts'

/** What is read in folders: lines of text, or of JSON. */
const textNames = /\.(txt|text|md|jsonl|ndjson)$/i

/** Bytes at a file's beginning and end that its contents are known by. */
const sampleBytes = 65_536

export interface TextFile {
  readonly path: string
  readonly bytes: number
  /** Changes when the file is written to. */
  readonly stamp: string
}

function unreadable(file: string, why: string): SpliceError {
  return new SpliceError('file/unreadable', `${file} ${why}`, { file, hint: 'Check the path.' })
}

async function textFile(file: string): Promise<TextFile> {
  const { size, mtimeMs } = await fs.stat(file)
  return { path: file, bytes: size, stamp: `${size} bytes of ${new Date(mtimeMs).toISOString()}` }
}

/** Files of text below a folder, in the order of their names; what begins with a dot is left out. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true }).catch(thrown => {
    throw unreadable(folder, whyUnreadable(thrown))
  })
  const files: string[] = []
  for (const entry of entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) files.push(...(await filesBelow(file)))
    else if (entry.isFile() && textNames.test(entry.name)) files.push(file)
  }
  return files
}

/** The files that paths mean, each once, in their order. Throws `file/unreadable`, `harvest/no-text` for a folder without any. */
export async function findTexts(paths: readonly string[]): Promise<TextFile[]> {
  const files = new Set<string>()
  for (const named of paths) {
    const stat = await fs.stat(named).catch(thrown => {
      throw unreadable(named, whyUnreadable(thrown))
    })
    if (stat.isFile()) files.add(path.resolve(named))
    else if (stat.isDirectory()) {
      const below = await filesBelow(path.resolve(named))
      if (below.length === 0) {
        throw new SpliceError('harvest/no-text', `no text is in ${named}`, {
          file: named,
          hint: 'In folders, files called .txt, .md, .jsonl and .ndjson are read; name others themselves.'
        })
      }
      for (const file of below) files.add(file)
    } else throw unreadable(named, 'is neither a file nor a folder')
  }
  return Promise.all([...files].map(textFile))
}

/** What files are known by wherever they lie: their names, sizes, beginnings and ends. Throws `file/unreadable`. */
export async function contentsOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    try {
      const handle = await fs.open(file, 'r')
      try {
        const { size } = await handle.stat()
        hash.update(`${path.basename(file)}\n${size}\n`)
        for (const start of [0, Math.max(0, size - sampleBytes)]) {
          const { buffer, bytesRead } = await handle.read(Buffer.alloc(sampleBytes), 0, sampleBytes, start)
          hash.update(buffer.subarray(0, bytesRead))
        }
      } finally {
        await handle.close()
      }
    } catch (thrown) {
      throw unreadable(file, whyUnreadable(thrown))
    }
  }
  return hash.digest('hex').slice(0, 32)
}
