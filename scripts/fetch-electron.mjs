/**
 * Fetches Electron's binary with progress; `start.mjs` runs it with the project's Node. Ends with 0 when the binary is there, and
 * with 1 and a sentence on stdout that says why where it is not. Leaves nothing half-downloaded.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** How long to wait for the first bytes, and later for more, in ms. */
const firstBytes = 5000
const moreBytes = 20_000

const root = fileURLToPath(new URL('..', import.meta.url))
const packageFile = join(root, 'node_modules', 'electron', 'package.json')
const folder = dirname(packageFile)
const { version } = JSON.parse(readFileSync(packageFile, 'utf8'))
// Electron's own dependency, the version that it wants.
const { downloadArtifact } = await import(pathToFileURL(createRequire(packageFile).resolve('@electron/get')).href)

const temporary = mkdtempSync(join(tmpdir(), 'splice-electron-'))
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }))
for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) process.on(signal, () => process.exit(code))

const abort = new AbortController()
let patience = setTimeout(() => abort.abort(new Error(`no answer within ${firstBytes / 1000} s`)), firstBytes)
let shown = -1

function showProgress({ transferred, total, percent }) {
  clearTimeout(patience)
  patience = setTimeout(() => abort.abort(new Error(`nothing came for ${moreBytes / 1000} s`)), moreBytes)
  const step = Math.floor(percent * (process.stderr.isTTY ? 100 : 10))
  if (step === shown) return
  shown = step
  const size = total === null ? `${megabytes(transferred)} MB` : `${megabytes(transferred)} of ${megabytes(total)} MB`
  process.stderr.write(process.stderr.isTTY ? `\rFetching Electron ${version}: ${size} ` : `Fetching Electron ${version}: ${size}\n`)
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(0)
}

/** The innermost cause, in one line: fetch itself only says that it failed. */
function reason(error) {
  let cause = error
  while (cause.cause instanceof Error) cause = cause.cause
  return (cause.message || cause.code || String(cause)).split('\n')[0]
}

try {
  await downloadArtifact({
    version,
    artifactName: 'electron',
    platform: process.platform,
    arch: process.arch,
    cacheRoot: process.env.electron_config_cache,
    checksums: JSON.parse(readFileSync(join(folder, 'checksums.json'), 'utf8')),
    tempDirectory: temporary,
    downloadOptions: { quiet: true, getProgressCallback: showProgress, signal: abort.signal }
  })
} catch (error) {
  if (shown >= 0 && process.stderr.isTTY) process.stderr.write('\n')
  console.log(`Electron's binary cannot be fetched (${reason(abort.signal.reason ?? error)}).`)
  process.exit(1)
} finally {
  clearTimeout(patience)
}
if (shown >= 0 && process.stderr.isTTY) process.stderr.write('\n')
// Electron's installer finds the download in its cache and unpacks it.
const { status } = spawnSync(process.execPath, [join(folder, 'install.js')], { stdio: 'inherit' })
if (status === 0) process.exit(0)
for (const name of ['dist', 'path.txt']) rmSync(join(folder, name), { recursive: true, force: true })
console.log("Electron's binary cannot be unpacked.")
process.exit(1)
