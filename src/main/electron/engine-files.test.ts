import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkEngineFiles } from './engine-files.ts'

const contents = { node: 'binary', 'out/main/engine.js': 'code', 'node_modules/a/index.js': 'module' }
let top: string
let folder: string
let list: string
const write = (name: string, text: string) => {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
  fs.writeFileSync(path.join(folder, name), text)
}

beforeEach(() => {
  top = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-engine-files-'))
  folder = path.join(top, 'engine')
  list = path.join(top, 'engine-files.json')
  for (const [name, text] of Object.entries(contents)) write(name, text)
  const hashes = Object.entries(contents).map(([name, text]) => [name, createHash('sha256').update(text).digest('hex')])
  fs.writeFileSync(list, JSON.stringify(Object.fromEntries(hashes)))
})
afterEach(() => fs.rmSync(top, { recursive: true, force: true }))

test('an engine as it was built passes', async () => {
  await expect(checkEngineFiles(folder, list)).resolves.toBeUndefined()
})

test.each([
  ['a changed file', () => write('out/main/engine.js', 'Code'), /^out\/main\/engine\.js in .* was changed\. .*install Splice again/],
  ['a missing file', () => fs.rmSync(path.join(folder, 'node')), /^node is missing in /],
  ['a file more', () => write('node_modules/ws/index.js', ''), /^node_modules\/ws\/index\.js in .* is no file of the engine/],
  ['a name of every object', () => write('constructor', ''), /^constructor in .* is no file of the engine/],
  [
    'a link in place of a file',
    () => {
      fs.renameSync(path.join(folder, 'node'), path.join(top, 'node'))
      fs.symlinkSync(path.join(top, 'node'), path.join(folder, 'node'))
    },
    /^node in .* is no file of the engine/
  ],
  ['no folder', () => fs.rmSync(folder, { recursive: true }), /is missing in /],
  ['no list', () => fs.rmSync(list), /^The list of the engine's files .* cannot be read/],
  ['a broken list', () => fs.writeFileSync(list, '{"node": 1}'), /^The list of the engine's files .* cannot be read/]
])('%s is refused by its name', async (_what, change, message) => {
  change()
  await expect(checkEngineFiles(folder, list)).rejects.toThrow(message)
})
