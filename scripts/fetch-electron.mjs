/**
 * Fetches Electron's binary, which its package does not bring: into Electron's own cache, then unpacked by its own installer.
 * Ends with 0 when it is there, with 3 when the download did not get going or broke off; nothing half-written stays.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { downloadArtifact } from '@electron/get'

/** Without a first byte for so long, it is given up; later a pause may be longer. In ms. */
const startPatience = 5000
const stallPatience = 30_000

const electron = dirname(createRequire(import.meta.url).resolve('electron/package.json'))
const { version } = JSON.parse(readFileSync(join(electron, 'package.json'), 'utf8'))
const tempDirectory = mkdtempSync(join(tmpdir(), 'splice-electron-'))
const abort = new AbortController()
const giveUp = why => abort.abort(new Error(why))
let patience = setTimeout(giveUp, startPatience, `nothing came within ${startPatience / 1000} s`)
let shown = -1

function showProgress({ transferred, total }) {
  clearTimeout(patience)
  patience = setTimeout(giveUp, stallPatience, `nothing came for ${stallPatience / 1000} s`)
  const megabytes = Math.floor(transferred / 1e6)
  if (megabytes === shown) return
  shown = megabytes
  const of = total === null ? '' : ` of ${Math.ceil(total / 1e6)}`
  process.stderr.write(`\rFetching Electron ${version}: ${megabytes}${of} MB`)
}

let status = 0
try {
  await downloadArtifact({
    version,
    artifactName: 'electron',
    platform: process.platform,
    arch: process.arch,
    checksums: JSON.parse(readFileSync(join(electron, 'checksums.json'), 'utf8')),
    tempDirectory,
    downloadOptions: { signal: abort.signal, quiet: true, getProgressCallback: async progress => showProgress(progress) }
  })
  if (shown >= 0) process.stderr.write('\n')
  const install = spawnSync(process.execPath, [join(electron, 'install.js')], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (install.status !== 0) status = 3
} catch (thrown) {
  const cause = abort.signal.aborted ? abort.signal.reason : thrown
  if (shown >= 0) process.stderr.write('\n')
  process.stdout.write(`${cause?.cause?.message ?? cause?.message ?? String(cause)}\n`)
  status = 3
} finally {
  clearTimeout(patience)
  rmSync(tempDirectory, { recursive: true, force: true })
}
process.exit(status)
