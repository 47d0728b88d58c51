/** `npm run build`: builds everything into out/ with the project's own Node, and leaves a stamp that says of which sources. */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeStamp } from './build-stamp.mjs'
import { findProjectNode } from './project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
rmSync(join(root, 'out'), { recursive: true, force: true })
const { status, error } = spawnSync(
  findProjectNode(root),
  [join(root, 'node_modules/electron-vite/bin/electron-vite.js'), 'build', '--logLevel', 'warn'],
  {
    cwd: root,
    stdio: 'inherit'
  }
)
if (error !== undefined) console.error(`build: ${error.message}`)
if (status === 0) writeStamp(root)
process.exit(status ?? 1)
