import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const source = fileURLToPath(new URL('../..', import.meta.url))

/** The files of ours that can only run inside Electron: they import more of it than types. */
function electronFiles(): string[] {
  return fs
    .readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .filter(name => /^import (?!type\b).* from 'electron'$/m.test(fs.readFileSync(path.join(source, name), 'utf8')))
}

test('what runs inside Electron stays small', () => {
  const files = electronFiles()
  expect(files).toContain(path.join('main', 'index.ts'))
  expect(files).toContain(path.join('preload', 'index.ts'))
  const lines = files.flatMap(name => fs.readFileSync(path.join(source, name), 'utf8').split('\n'))
  const code = lines.map(line => line.trim()).filter(line => line !== '' && !/^(\/\/|\/\*|\*)/.test(line))
  expect(code.length).toBeLessThan(400)
})

test('channels are opened in one place, which knows who speaks', () => {
  const users = electronFiles().filter(name => /\bipcMain\b/.test(fs.readFileSync(path.join(source, name), 'utf8')))
  expect(users).toEqual([path.join('main', 'electron', 'channels.ts')])
})
