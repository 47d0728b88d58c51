import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readSafetensors } from './safetensors.ts'
import { SafetensorsWriter } from './safetensors-writer.ts'
import { readTensor } from './values.ts'

let folder: string
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-writer-'))
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

const announced = [
  { name: 'first', shape: [1, 2] },
  { name: 'none', shape: [0, 3] },
  { name: 'second', shape: [3] }
]

test('values may come in any order, and the file takes its name when all are there', async () => {
  const file = path.join(folder, 'whole.safetensors')
  const writer = await SafetensorsWriter.create(file, announced, { format: 'pt' })
  await writer.write('second', Float32Array.of(3, Number.NaN, Number.NEGATIVE_INFINITY))
  await writer.write('none', new Float32Array(0))
  await writer.write('first', Float32Array.of(1, 2))
  expect(await fs.readdir(folder)).not.toContain('whole.safetensors')
  await writer.finish()
  expect(await fs.readdir(folder)).toEqual(['whole.safetensors'])
  const { tensors, metadata } = await readSafetensors(file)
  expect(metadata).toEqual({ format: 'pt' })
  expect([...tensors.values()].map(({ name, shape }) => ({ name, shape }))).toEqual(announced)
  const values = await Promise.all([...tensors.values()].map(readTensor))
  expect(values.map(each => [...each])).toEqual([[1, 2], [], [3, Number.NaN, Number.NEGATIVE_INFINITY]])
})

test('a file that is missing values, or is discarded, leaves nothing behind', async () => {
  const file = path.join(folder, 'partial.safetensors')
  const writer = await SafetensorsWriter.create(file, announced)
  await writer.write('first', Float32Array.of(1, 2))
  await expect(writer.finish()).rejects.toThrow(/none, second/)
  await expect(writer.write('second', Float32Array.of(1))).rejects.toThrow(/3 elements/)
  await expect(writer.write('first', Float32Array.of(1, 2))).rejects.toThrow(/first/)
  await writer.discard()
  expect((await fs.readdir(folder)).filter(name => name.startsWith('partial'))).toEqual([])
})

test('a process that ends in between leaves nothing behind', async () => {
  const file = path.join(folder, 'abandoned.safetensors')
  const writer = fileURLToPath(new URL('./safetensors-writer.ts', import.meta.url))
  const program = `
    const { SafetensorsWriter } = await import(${JSON.stringify(writer)})
    const { readdirSync } = await import('node:fs')
    await SafetensorsWriter.create(${JSON.stringify(file)}, [{ name: 'first', shape: [2] }])
    console.log(readdirSync(${JSON.stringify(folder)}).filter(name => name.startsWith('abandoned')).length)
    process.exit(0)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  expect(stdout.trim()).toBe('1')
  expect((await fs.readdir(folder)).filter(name => name.startsWith('abandoned'))).toEqual([])
})

test('a folder that is not there is named before anything is computed', async () => {
  const file = path.join(folder, 'gone', 'out.safetensors')
  await expect(SafetensorsWriter.create(file, announced)).rejects.toMatchObject({ kind: 'save/failed', file })
})
