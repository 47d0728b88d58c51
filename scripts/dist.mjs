/**
 * `npm run dist`: installers for this platform in dist/. `npm run dist:dir`: the unpacked app alone. Needs Electron's binary, which is fetched
 * where it is missing; where it cannot be had, one line says so. electron-builder is installed from a lockfile of its own when it is first needed.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBuilt } from './build-stamp.mjs'
import { findProjectNode } from './project-node.mjs'
import { stageApp } from './stage-app.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const electron = join(root, 'node_modules', 'electron')
const node = findProjectNode(root)
const [how, ...others] = process.argv.slice(2)
if (others.length > 0 || (how !== undefined && how !== '--dir')) fail(`${[how, ...others].join(' ')} is unknown; --dir is all there is.`, 2)

if (!existsSync(join(electron, 'path.txt'))) {
  const { status, stdout } = spawnSync(node, [join(root, 'scripts', 'fetch-electron.mjs')], {
    cwd: root,
    env: { ...process.env, NODE_USE_ENV_PROXY: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8'
  })
  if (status !== 0) fail(`${stdout.trim() || "Electron's binary cannot be fetched."} Nothing was packaged.`)
}
if (!isBuilt(root)) run(process.execPath, [join(root, 'scripts', 'build.mjs')], root, 'the build')
stageApp(root, join(root, '.cache', 'dist', 'app'), join(root, '.cache', 'dist', 'engine'))
const { version } = JSON.parse(readFileSync(join(electron, 'package.json'), 'utf8'))
run(
  node,
  [
    join(packager(), 'node_modules', 'electron-builder', 'cli.js'),
    ...(how === '--dir' ? ['--dir'] : []),
    `--${{ linux: 'linux', darwin: 'mac', win32: 'win' }[process.platform]}`,
    `--${process.arch}`,
    '--config',
    join(root, 'packaging', 'electron-builder.yml'),
    `-c.electronVersion=${version}`,
    `-c.electronDist=${join(electron, 'dist')}`,
    '--publish',
    'never'
  ],
  root,
  'electron-builder'
)

/** The folder that electron-builder is installed in, without running any install script. */
function packager() {
  const folder = join(root, '.cache', 'packaging')
  const lock = 'package-lock.json'
  const wanted = readFileSync(join(root, 'packaging', lock), 'utf8')
  const isThere = existsSync(join(folder, 'node_modules', '.package-lock.json')) && readFileSync(join(folder, lock), 'utf8') === wanted
  if (!isThere) {
    mkdirSync(folder, { recursive: true })
    for (const file of ['package.json', lock]) cpSync(join(root, 'packaging', file), join(folder, file))
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
    run(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'], folder, 'npm ci of electron-builder')
  }
  return folder
}

function run(program, args, cwd, what) {
  const { status, error } = spawnSync(program, args, { cwd, stdio: 'inherit', shell: program.endsWith('.cmd') })
  if (status !== 0) fail(`${what} failed (${error?.message ?? `exit code ${status}`}).`)
}

function fail(message, code = 1) {
  console.error(`dist: ${message}`)
  process.exit(code)
}
