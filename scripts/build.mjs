/**
 * `npm run build`: builds everything into out/ with the project's own Node, with the bill of materials and the licenses of what is in
 * it, and leaves a stamp that says of which sources.
 * A build that fails leaves the one before it in place.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeBillOfMaterials } from './bill-of-materials.mjs'
import { fingerprint, writeStamp } from './build-stamp.mjs'
import { findProjectNode } from './project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })
// What an interrupted build left.
for (const name of readdirSync(cache)) {
  const [, builder] = /^build-(\d+)/.exec(name) ?? []
  if (builder && !isRunning(Number(builder))) rmSync(join(cache, name), { recursive: true, force: true })
}
const fresh = join(cache, `build-${process.pid}`)
const stale = `${fresh}-old`
// Taken before: what changes meanwhile is built the next time.
const sources = fingerprint(root)
const node = findProjectNode(root)
const { status, error } = spawnSync(
  node,
  [join(root, 'node_modules/electron-vite/bin/electron-vite.js'), 'build', '--logLevel', 'warn', '--outDir', fresh],
  { cwd: root, stdio: 'inherit' }
)
if (error !== undefined) console.error(`build: ${error.message}`)
if (status === 0) {
  writeBillOfMaterials(root, fresh, node)
  writeStamp(fresh, sources)
  mkdirSync(join(root, 'out'), { recursive: true })
  renameSync(join(root, 'out'), stale)
  renameSync(fresh, join(root, 'out'))
}
for (const folder of [fresh, stale]) rmSync(folder, { recursive: true, force: true })
process.exit(status ?? 1)

function isRunning(id) {
  try {
    return process.kill(id, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}
