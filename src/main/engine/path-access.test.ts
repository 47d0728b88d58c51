import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PathAccess } from './path-access.ts'

let root = ''
let access: PathAccess
const at = (...parts: string[]) => path.join(root, ...parts)
beforeAll(() => {
  root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'splice-paths-')))
  for (const folder of ['open/model', 'opened-not', 'home']) fs.mkdirSync(at(folder), { recursive: true })
  fs.symlinkSync(at('opened-not'), at('open/link'))
  fs.symlinkSync(at('open/model'), at('opened-not/back'))
  access = new PathAccess([at('open')], [at('home')])
})
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

describe('paths of requests', () => {
  test('inside the opened folders and Splice’s own are taken, files that are not there yet too', () => {
    for (const file of [
      at('open'),
      at('open/model'),
      at('open/new/file.npz'),
      at('home/x'),
      at('open/../open/model'),
      at('opened-not/back')
    ]) {
      expect(() => access.requireAll({ path: file })).not.toThrow()
    }
    expect(access.start).toBe(at('open'))
  })

  test('elsewhere are refused in every field, by name, by link and by going up', () => {
    const outside = [
      at('opened-not'),
      at('open/..'),
      at('open/link'),
      at('open/link/new'),
      '/',
      '/etc/passwd',
      at('open/model/../../opened-not')
    ]
    for (const file of outside) {
      const requests = [
        { path: file },
        { model: file },
        { saes: [{ name: 'a', path: file }] },
        { save: { file } },
        { paths: [at('open'), file] },
        { library: { folders: [file] } },
        { kind: 'path', path: file },
        [{ corpus: { file } }]
      ]
      for (const request of requests) {
        expect(() => access.requireAll(request), JSON.stringify(request)).toThrow(
          expect.objectContaining({ kind: 'path/not-opened', file })
        )
      }
    }
    expect(() => access.requireAll({ file: 'relative' })).toThrow('none of the folders')
    expect(() => access.requireAll({ model: '../x' })).toThrow('none of the folders')
  })

  test('are not looked for in words, names of models, sources and hook points', () => {
    const request = {
      prompt: { text: '/etc/passwd is a file ../..' },
      chat: [{ role: 'user', content: '/etc/shadow' }],
      query: '../',
      model: 'gemma-2-2b',
      source: 'gemma-2-2b/20-gemmascope-res-16k',
      hook: 'blocks.0.hook_resid_post',
      ids: [1, 2],
      seed: null
    }
    expect(() => access.requireAll(request)).not.toThrow()
  })
})
