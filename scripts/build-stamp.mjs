/** Whether out/ was built from the sources as they are now. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const stampName = '.built-from'

/** Names, sizes and times of everything that goes into a build. */
export function fingerprint(root) {
  const files = ['package.json', 'package-lock.json', 'electron.vite.config.ts']
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && !entry.name.endsWith('.test.ts')) files.push(relative(root, join(entry.parentPath ?? entry.path, entry.name)))
  }
  const hash = createHash('sha256')
  for (const file of files.sort()) {
    const { size, mtimeMs } = statSync(join(root, file))
    hash.update(`${file}:${size}:${mtimeMs}\n`)
  }
  return hash.digest('hex')
}

/** Says of which sources a folder is built. */
export function writeStamp(folder, sources) {
  writeFileSync(join(folder, stampName), sources)
}

/** True where out/ is there and nothing changed since. */
export function isBuilt(root) {
  try {
    return readFileSync(join(root, 'out', stampName), 'utf8') === fingerprint(root)
  } catch {
    // No stamp: never built, or a build of another kind.
    return false
  }
}
