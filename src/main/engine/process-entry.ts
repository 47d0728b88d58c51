/** Where the entry of a process lies: beside us in the sources, or in the folder of the built bundle. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The files of the processes below src/main; `trial` tries a provider. */
const entries = { engine: 'engine/entry', inference: 'inference/entry', trial: 'doctor/trial-entry' } as const

/** The file to start a process of ours from. From the sources, Node runs the TypeScript itself. */
export function processEntry(name: keyof typeof entries): string {
  if (import.meta.url.endsWith('.ts')) return fileURLToPath(new URL(`../${entries[name]}.ts`, import.meta.url))
  // Code that several entries share is bundled into a folder of chunks below theirs.
  const beside = fileURLToPath(new URL(`./${name}.js`, import.meta.url))
  return fs.existsSync(beside) ? beside : fileURLToPath(new URL(`../${name}.js`, import.meta.url))
}
