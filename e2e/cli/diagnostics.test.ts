/** `splice diagnostics`: to stdout, to a file, and where the engine cannot be opened. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { splice, temporaryFolder } from '../command-line.ts'

const home = temporaryFolder()

test('go to a file when asked to, whole, and name no folder', async () => {
  const file = join(temporaryFolder(), 'about.txt')
  expect(await splice(['diagnostics', '--out', file], { home })).toEqual({ code: 0, stdout: `${file}\n`, stderr: '' })
  const text = readFileSync(file, 'utf8')
  expect(text).toMatch(/^Splice diagnostics\n/)
  expect(text).toMatch(/providers +.*cpu/)
  expect(text).not.toContain(home)
})

test('are made where the mirror is broken, and say so', async () => {
  writeFileSync(join(home, 'mirror.sqlite'), 'words, and no database '.repeat(100))
  const { code, stdout, stderr } = await splice(['diagnostics'], { home })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/cannot be opened: mirror\/corrupt: …\/mirror\.sqlite is not a whole SQLite file/)
})
