/**
 * `npm start`: builds what is not built, then opens the app. Where Electron's binary is missing it is fetched; where that does
 * not get going, or there is no display, the workbench is served to a browser instead.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBuilt } from './build-stamp.mjs'
import { findProjectNode } from './project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const node = findProjectNode(root)

if (!isBuilt(root)) {
  console.log('Building Splice...')
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
  serve('There is no display here, so Splice is served to a browser; open this address:')
} else {
  const missing = electronBinary() === null ? fetchElectron() : null
  const electron = electronBinary()
  if (electron === null) serve(`Electron's binary cannot be had now (${missing}), so Splice opens in the browser:`)
  else open(electron)
}

/** The path of Electron's binary; null where it was not fetched. */
function electronBinary() {
  const folder = join(root, 'node_modules/electron')
  try {
    const binary = join(folder, 'dist', readFileSync(join(folder, 'path.txt'), 'utf8'))
    return existsSync(binary) ? binary : null
  } catch {
    return null
  }
}

/** Fetches the binary, showing its progress; gives why not where it could not. */
function fetchElectron() {
  const { status, stdout } = spawnSync(node, [join(root, 'scripts/fetch-electron.mjs')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  return status === 0 ? null : String(stdout).trim().split('\n').at(-1) || 'the download failed'
}

function serve(line) {
  console.log(line)
  run(node, [join(root, 'out/main/cli.js'), 'serve'])
}

function open(electron) {
  // Chromium's sandbox refuses root, and says so only in a log.
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  run(electron, [...asRoot, root])
}

/** Runs to its end, with its signals and its exit code. */
function run(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)))
}
