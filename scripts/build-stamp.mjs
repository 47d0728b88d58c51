/** Whether out/ was built from the sources as they are now. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const stampFile = root => join(root, 'out', '.built-from')

/** Names, sizes and times of everything that goes into a build. */
function fingerprint(root) {
  const files = ['package.json', 'package-lock.json', 'electron.vite.config.ts']
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && !entry.name.endsWith('.test.ts')) files.push(join(entry.parentPath, entry.name).slice(root.length))
  }
  const hash = createHash('sha256')
  for (const file of files.sort()) {
    const { size, mtimeMs } = statSync(join(root, file))
    hash.update(`${file}:${size}:${mtimeMs}\n`)
  }
  return hash.digest('hex')
}

/** Says that out/ is built from the present sources. */
export function writeStamp(root) {
  writeFileSync(stampFile(root), fingerprint(root))
}

/** True where out/ is there and nothing changed since. */
export function isBuilt(root) {
  try {
    return readFileSync(stampFile(root), 'utf8') === fingerprint(root)
  } catch {
    return false
  }
}
