import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createEngine } from './engine.ts'
import { withoutOwner } from './owner.ts'
import { TroubleLog } from './trouble-log.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-diagnostics-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

describe('a text without its owner', () => {
  test.each([
    ['/home/ann/models/gemma/model.safetensors is not whole', '…/model.safetensors is not whole'],
    ['cannot read "/data/ann/x.json": gone', 'cannot read "…/x.json": gone'],
    ['C:\\Users\\ann\\model.bin is missing', '…/model.bin is missing'],
    ['/data/My Models/gemma/config.json is missing', '…/config.json is missing'],
    ['blocks.2.hook_mlp_out of gpt2/2-res and 1/2', 'blocks.2.hook_mlp_out of gpt2/2-res and 1/2']
  ])('%s', (text, expected) => {
    expect(withoutOwner(text, ['/data/My Models'])).toBe(expected)
  })
})

test('troubles are read back, the newest last; what was cancelled, and a line that was cut off, are none', () => {
  const log = new TroubleLog(folder)
  log.note({
    kind: 'checkpoint/truncated',
    message: '/secret/place/of mine/m.safetensors is cut off',
    file: '/secret/place/of mine/m.safetensors'
  })
  log.note({ kind: 'run/cancelled', message: 'the run was cancelled' })
  fs.appendFileSync(path.join(folder, 'troubles.jsonl'), '{"at": "2026\n')
  log.note({ kind: 'inference/died', message: 'the inference process ended' })
  expect(log.recent(10).map(({ kind, message }) => [kind, message])).toEqual([
    ['checkpoint/truncated', 'm.safetensors is cut off'],
    ['inference/died', 'the inference process ended']
  ])
  expect(log.recent(1)).toHaveLength(1)
})

test('a long log keeps its newer half', () => {
  const home = path.join(folder, 'long')
  fs.mkdirSync(home)
  const log = new TroubleLog(home)
  for (let at = 0; at < 1000; at += 1) log.note({ kind: 'a/b', message: `${at} ${'x'.repeat(400)}` })
  expect(fs.statSync(path.join(home, 'troubles.jsonl')).size).toBeLessThan(256_000)
  expect(log.recent(1)[0]?.message).toMatch(/^999 /)
})

test('diagnostics have settings and errors, and neither folders, prompts nor tokens', async () => {
  const home = path.join(folder, 'the home of somebody')
  process.env.HF_TOKEN = 'hf_secret'
  const engine = await createEngine({ home })
  try {
    await engine.client.engine.changeSettings({ topK: 17, library: { folders: ['/secret/place'], demo: true, hubCache: true } })
    await engine.client.prompts.save({ name: 'mine', prompt: { text: 'a prompt of mine', prependBos: true } })
    await expect(engine.client.library.openModel({ path: '/secret/place/model' })).rejects.toThrow()
    const { text } = await engine.client.engine.diagnostics()
    expect(text).toMatch(/^ {2}topK +17$/m)
    expect(text).toMatch(/1 folder of one's own/)
    expect(text).toMatch(/providers +.*cpu/)
    expect(text).toMatch(/checkpoint\/no-folder/)
    for (const secret of [home, '/secret', 'somebody', 'hf_secret', 'a prompt of mine']) expect(text).not.toContain(secret)
  } finally {
    delete process.env.HF_TOKEN
    await engine.close()
  }
})
