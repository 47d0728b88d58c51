/** The files that are shipped with Splice: the demo and the table of known SAE releases. */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

let found: string | null = null

/** The `resources` folder, found above this code: beside `src` in the sources, beside `out` when built. */
export function resourcesFolder(): string {
  if (found !== null) return found
  let folder = path.dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const candidate = path.join(folder, 'resources')
    if (fs.existsSync(path.join(candidate, 'sae-releases.json'))) {
      found = candidate
      return candidate
    }
    const parent = path.dirname(folder)
    if (parent === folder) throw new Error('the resources folder is not where it was installed')
    folder = parent
  }
}
