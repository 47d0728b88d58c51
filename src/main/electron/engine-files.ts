/** The engine beside the packaged app: each of its files is held to the hash that was written into the app when it was built. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'

/** SHA-256 in hex, by path relative to the engine's folder, with slashes. */
const engineFiles = z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/))

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

/**
 * Compares a folder with the list that a file holds. Throws an error that names the first file that is missing, changed, or not of
 * the build: Node would load a module that was put there.
 */
export async function checkEngineFiles(folder: string, listFile: string): Promise<void> {
  const fail = (what: string) => new Error(`${what}. It is not as it was built, so it was not started: install Splice again.`)
  const listed = await fs
    .readFile(listFile, 'utf8')
    .then(text => engineFiles.parse(JSON.parse(text)))
    .catch(() => null)
  if (listed === null) throw fail(`The list of the engine's files (${listFile}) cannot be read`)
  const found = new Set<string>()
  for (const entry of await fs.readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) continue
    const name = path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/')
    if (!entry.isFile() || !Object.hasOwn(listed, name)) throw fail(`${name} in ${folder} is no file of the engine`)
    found.add(name)
  }
  for (const [name, expected] of Object.entries(listed)) {
    if (!found.has(name)) throw fail(`${name} is missing in ${folder}`)
    const hash = await hashOf(path.join(folder, name)).catch(() => null)
    if (hash !== expected) throw fail(`${name} in ${folder} was changed`)
  }
}
