/** Which files an import reads: .json, .jsonl, .csv, each also as .gz; folders are walked. */
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'

const importable = /\.(json|jsonl|csv)(\.gz)?$/i
const kinds = '.json, .jsonl and .csv, also as .gz'

/** A file to import. */
export const importFile = z.object({
  path: z.string(),
  bytes: z.number(),
  /** What the mirror remembers it by: its path, or, where it was downloaded, its address. */
  name: z.string(),
  /** What tells, with its size, whether it is the one that was read before: its time, or a server's mark of its content. */
  version: z.string()
})
export type ImportFile = Readonly<z.infer<typeof importFile>>

/** The files of an import, as they come. */
export interface ImportFeed {
  /** The next file; null after the last one. */
  next(): Promise<ImportFile | null>
}

function describe(file: string): ImportFile {
  const { size, mtimeMs } = fs.statSync(file)
  return { path: file, bytes: size, name: file, version: String(mtimeMs) }
}

/** Files below a folder by name, numbers in their order; links to folders are not followed. */
function filesBelow(folder: string): string[] {
  const found = fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory() && importable.test(entry.name) && !entry.name.startsWith('.'))
    .map(entry => path.join(entry.parentPath, entry.name))
    .filter(file => fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true)
  return found.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** Files at or below the given paths, each once, in the order given. Throws `import/missing` and `import/kind`. */
export function listFiles(paths: readonly string[]): ImportFile[] {
  const refuse = (given: string, problem: string) =>
    new SpliceError('import/kind', `${given} ${problem}`, {
      file: given,
      hint: `Name files of explanations (${kinds}) or folders of them.`
    })
  const files = paths.flatMap(given => {
    const absolute = path.resolve(given)
    const stat = fs.statSync(absolute, { throwIfNoEntry: false })
    if (stat === undefined) throw new SpliceError('import/missing', `${given} does not exist`, { file: given, hint: 'Check the path.' })
    if (!stat.isDirectory() && !stat.isFile()) throw refuse(given, 'is not a file')
    if (!stat.isDirectory()) {
      if (importable.test(absolute)) return [absolute]
      throw refuse(given, `is none of ${kinds}`)
    }
    const below = filesBelow(absolute)
    if (below.length === 0) throw refuse(given, 'holds nothing that can be imported')
    return below
  })
  return [...new Set(files)].map(describe)
}

/** Where a path says which model and source its rows belong to, as in `v1/<model>/<source>/explanations/batch-0.jsonl.gz`. */
export function sourceOfPath(file: string): { modelId: string; layer: string } | null {
  const match = /(?:^|[\\/])v1[\\/]([^\\/]+)[\\/]([^\\/]+)[\\/](?:explanations|features|activations)[\\/][^\\/]+$/.exec(file)
  const [, modelId, layer] = match ?? []
  return modelId === undefined || layer === undefined ? null : { modelId, layer }
}
