/**
 * `npm start`: builds what is not built, then opens the app. Where Electron's binary is missing it is fetched; where that, a display or
 * the app itself cannot be had, the workbench opens in a browser instead.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBuilt } from './build-stamp.mjs'
import { findProjectNode } from './project-node.mjs'

/** An app that ends with an error within this time, in ms, did not start. */
const startTime = 5000

const root = fileURLToPath(new URL('..', import.meta.url))
const electron = join(root, 'node_modules', 'electron')
const node = findProjectNode(root)

// Ctrl-C reaches the whole group; this process ends when what it started has ended.
let child = null
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => child?.kill('SIGTERM'))
// npm tells only its shell to end, and the shell tells nobody.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && child?.kill('SIGTERM'), 500).unref()
}

if (!isBuilt(root)) {
  console.error('Building Splice ...')
  const { code } = await run(process.execPath, [join(root, 'scripts', 'build.mjs')])
  if (code !== 0) process.exit(code)
}
const obstacle = await openApp()
console.error(`${obstacle} Opening the workbench in a browser instead.`)
const { code } = await run(node, [join(root, 'out', 'main', 'cli.js'), 'serve'])
process.exit(code)

/** Runs the app to its end and this process with it, or says in a sentence why there is no app. */
async function openApp() {
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return 'There is no display for the app.'
  if (!existsSync(electron)) return 'Electron is not installed.'
  if (electronBinary() === null) {
    const { code, said } = await run(node, [join(root, 'scripts', 'fetch-electron.mjs')], {
      environment: { NODE_USE_ENV_PROXY: '1' },
      listen: true
    })
    if (code >= 128) process.exit(code)
    if (electronBinary() === null) return said || `Electron's binary cannot be fetched.`
  }
  const started = performance.now()
  const { code } = await run(electronBinary(), [root], { environment: { ELECTRON_RUN_AS_NODE: undefined } })
  if (code === 0 || code === 130 || performance.now() - started > startTime) process.exit(code)
  return `Electron ended with ${code} before a window opened.`
}

/** The path of Electron's binary, as its installer left it; null where there is none. */
function electronBinary() {
  const pathFile = join(electron, 'path.txt')
  if (!existsSync(pathFile)) return null
  const path = join(electron, 'dist', readFileSync(pathFile, 'utf8').trim())
  return existsSync(path) ? path : null
}

/**
 * Runs a program to its end. `code` is its exit code, or 128 and the signal's number as a shell says it; `said` is what it wrote on
 * stdout, where we `listen`.
 */
function run(program, args, { environment = {}, listen = false } = {}) {
  return new Promise(resolve => {
    const stdio = ['inherit', listen ? 'pipe' : 'inherit', 'inherit']
    child = spawn(program, args, { cwd: root, stdio, env: { ...process.env, ...environment } })
    let said = ''
    child.stdout?.on('data', chunk => {
      said += chunk
    })
    child.on('error', error => {
      console.error(`${program}: ${error.message}`)
      resolve({ code: 1, said })
    })
    child.on('close', (code, signal) => resolve({ code: code ?? 128 + (constants.signals[signal] ?? 0), said: said.trim() }))
  })
}
