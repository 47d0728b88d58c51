/** `npm run dist:dir` where Electron's binary cannot be had. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, temporaryFolder } from '../command-line.ts'
import { isRealElectron } from '../electron-app.ts'

function dist(...args: string[]) {
  const env = { ...process.env, ELECTRON_MIRROR: 'http://127.0.0.1:9/', electron_config_cache: temporaryFolder() }
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'dist.mjs'), ...args], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

test.skipIf(isRealElectron)('says in one line why nothing is packaged', () => {
  const { status, stdout, stderr } = dist('--dir')
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(/^dist: Electron's binary cannot be fetched \(.+\)\. Nothing was packaged\.\n$/)
})

test('refuses what it does not know', () => {
  expect(dist('--installer')).toEqual({ status: 2, stdout: '', stderr: 'dist: --installer is unknown; --dir is all there is.\n' })
})
