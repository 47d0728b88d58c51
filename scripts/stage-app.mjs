/**
 * Lays out the packaged app: `app` is what becomes app.asar, `engine` what lies beside it, since plain Node reads no archive. The list of the
 * engine's hashes goes into the app, which holds the engine to it at each start.
 */
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { findProjectNode } from './project-node.mjs'

/** What is built and not the engine's: the app itself, and the command line. */
const notEngine = ['index.js', 'cli.js']

/** Of each package what is loaded here: no sources, types, or binaries of other platforms. */
function enginePackages() {
  const { platform, arch } = process
  const system = platform === 'win32' ? 'windows' : platform
  return {
    'better-sqlite3': ['package.json', 'LICENSE', 'lib', `prebuilds/${platform}-${arch}.node`],
    'onnxruntime-common': ['package.json', 'dist/cjs'],
    'onnxruntime-node': ['package.json', 'dist', `bin/napi-v6/${platform}/${arch}`],
    'sqlite-vec': ['package.json', 'index.cjs', 'index.mjs'],
    [`sqlite-vec-${system}-${arch}`]: ['.']
  }
}

/** Whether a file of a package is there to be loaded, or is its licence. */
function isLoaded(file) {
  return !/\.(ts|map|md)$/.test(file)
}

/** The built files that some of them import, themselves included. */
function withImports(folder, entries) {
  const found = new Set()
  const add = file => {
    if (found.has(file)) return
    found.add(file)
    const code = readFileSync(file, 'utf8')
    for (const [, named] of code.matchAll(/\b(?:from|import|import\()\s*"(\.[^"]+)"/g)) add(resolve(dirname(file), named))
  }
  for (const entry of entries) add(join(folder, entry))
  return [...found]
}

function copyFiles(files, from, to) {
  for (const file of files) cpSync(file, join(to, relative(from, file)))
}

/** All files of a folder with their SHA-256, by path with slashes. */
function hashesOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => !entry.isDirectory())
  const names = files.map(entry => relative(folder, join(entry.parentPath, entry.name))).sort()
  const hash = name =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
  return Object.fromEntries(names.map(name => [name.split(sep).join('/'), hash(name)]))
}

/** Stages the built app of a checkout into two empty folders, for the platform that this runs on. */
export function stageApp(root, app, engine) {
  for (const folder of [app, engine]) rmSync(folder, { recursive: true, force: true })
  const main = join(root, 'out', 'main')
  copyFiles(withImports(main, ['index.js']), root, app)
  for (const folder of ['preload', 'renderer']) cpSync(join(root, 'out', folder), join(app, 'out', folder), { recursive: true })
  const { name, version, description, license, type, main: entry } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(
    join(app, 'package.json'),
    `${JSON.stringify({ name, version, description, license, type, main: entry, homepage: 'https://splice.invalid' }, null, 2)}\n`
  )
  cpSync(join(root, 'LICENSE'), join(app, 'LICENSE'))

  const entries = readdirSync(main).filter(file => file.endsWith('.js') && !notEngine.includes(file))
  copyFiles(withImports(main, entries), root, engine)
  for (const file of ['licenses.json', 'sbom.cdx.json']) cpSync(join(root, 'out', file), join(engine, 'out', file))
  cpSync(join(root, 'resources'), join(engine, 'resources'), { recursive: true })
  // Says that .js files are modules.
  writeFileSync(join(engine, 'package.json'), `${JSON.stringify({ name: `${name}-engine`, version, type }, null, 2)}\n`)
  for (const [name, parts] of Object.entries(enginePackages())) {
    for (const part of parts) {
      const from = join(root, 'node_modules', name, part)
      cpSync(from, join(engine, 'node_modules', name, part), { recursive: true, dereference: true, filter: isLoaded })
    }
  }
  cpSync(findProjectNode(root), join(engine, process.platform === 'win32' ? 'node.exe' : 'node'), { dereference: true })
  mkdirSync(join(app, 'out'), { recursive: true })
  writeFileSync(join(app, 'out', 'engine-files.json'), JSON.stringify(hashesOf(engine)))
}
