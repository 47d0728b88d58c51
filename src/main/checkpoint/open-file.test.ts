import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readText, whyUnreadable, withFile } from './open-file.ts'

let folder = ''
const at = (name: string) => path.join(folder, name)
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-open-'))
  fs.writeFileSync(at('text'), 'wörm')
  fs.symlinkSync('text', at('link'))
  fs.symlinkSync('loop', at('loop'))
  fs.mkdirSync(at('folder'))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const whyNot = (work: Promise<unknown>) => work.then(() => 'read', whyUnreadable)

test('files and links to them are read, up to a size', async () => {
  expect(await readText(at('link'), 5)).toBe('wörm')
  expect(await whyNot(readText(at('link'), 4))).toBe('has 5 bytes, more than any such file')
  expect(await withFile(at('link'), async open => [open.path, await open.read(1, 2), await open.read(4, 2)])).toEqual([
    fs.realpathSync(at('text')),
    Buffer.from('ö'),
    null
  ])
})

test('folders, loops of links and what is not there are refused in words', async () => {
  expect(await Promise.all(['folder', 'loop', 'nowhere'].map(name => whyNot(readText(at(name), 100))))).toEqual([
    'is a folder',
    'is a loop of links',
    'does not exist'
  ])
})

test.skipIf(process.platform === 'win32')('pipes and devices, which never end, are not waited for', async () => {
  execFileSync('mkfifo', [at('pipe')])
  fs.symlinkSync('/dev/zero', at('zero'))
  for (const name of ['pipe', 'zero']) {
    expect(await whyNot(readText(at(name), 100))).toBe('is not a file')
    await expect(withFile(at(name), open => open.read(0, 1))).rejects.toMatchObject({
      kind: 'file/unreadable',
      message: `${at(name)} is not a file`
    })
  }
})
