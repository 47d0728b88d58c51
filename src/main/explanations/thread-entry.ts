/** Where the mirror's threads begin: in the sources, or beside the bundle when built. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

const sources = {
  'mirror-writer': './mirror-writer.ts',
  'mirror-parser': './import/mirror-parser.ts',
  'mirror-reader': './mirror-reader.ts'
}

export function threadEntry(name: keyof typeof sources): URL {
  if (import.meta.url.endsWith('.ts')) return new URL(sources[name], import.meta.url)
  const beside = new URL(`./${name}.js`, import.meta.url)
  return fs.existsSync(fileURLToPath(beside)) ? beside : new URL(`../${name}.js`, import.meta.url)
}
