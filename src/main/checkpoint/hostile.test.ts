import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { openCheckpoint } from './checkpoint.ts'
import { mapNpzArray, readNpz } from './npz.ts'
import { readSafetensors } from './safetensors.ts'
import { readTensor } from './values.ts'

const hostile = fileURLToPath(new URL('../../../fixtures/golden/hostile', import.meta.url))
const cases = z
  .array(z.object({ path: z.string(), expect: z.string() }))
  .parse(JSON.parse(await fs.readFile(path.join(hostile, 'hostile.json'), 'utf8')))

let cache = ''
beforeAll(async () => {
  cache = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-npz-'))
})
afterAll(() => fs.rm(cache, { recursive: true, force: true }))

/** The error of a refusal: one of ours, naming the file. */
async function refusal(open: Promise<unknown>): Promise<SpliceError> {
  const thrown = await open.then(
    () => null,
    (error: unknown) => error
  )
  expect(thrown).toBeInstanceOf(SpliceError)
  if (!(thrown instanceof SpliceError)) throw new Error('accepted')
  return thrown
}

describe('safetensors', () => {
  for (const { path: name, expect: wanted } of cases.filter(candidate => candidate.path.startsWith('safetensors/'))) {
    test(`${name}: ${wanted}`, async () => {
      const file = path.join(hostile, name)
      if (wanted === 'accept') expect((await readSafetensors(file)).tensors.size).toBeGreaterThan(0)
      else expect((await refusal(readSafetensors(file))).message).toContain(file)
    })
  }
})

/** Every array of an npz in memory. */
async function valuesOf(file: string): Promise<Map<string, Float32Array>> {
  const npz = await readNpz(file)
  const entries = await Promise.all(
    [...npz.arrays.values()].map(async array => [array.name, await readTensor(await mapNpzArray(npz, array, cache))] as const)
  )
  return new Map(entries)
}

// These are whole files whose arrays contradict each other; the SAE format refuses them by shape.
const wholeAsFiles = ['npz/missing_threshold.npz', 'npz/deflate_bomb.npz']

describe('npz', () => {
  for (const { path: name, expect: wanted } of cases.filter(candidate => candidate.path.startsWith('npz/'))) {
    test(`${name}: ${wanted}`, async () => {
      const file = path.join(hostile, name)
      if (wanted === 'accept' || wholeAsFiles.includes(name)) expect((await readNpz(file)).arrays.size).toBeGreaterThan(0)
      else expect((await refusal(readNpz(file))).message).toContain(path.basename(file))
    })
  }

  for (const name of ['fortran_order', 'compressed', 'float16', 'float64', 'big_endian', 'extra_scaling_factor']) {
    test(`benign_edge/${name}.npz has the expected values`, async () => {
      const expected = await readSafetensors(path.join(hostile, 'benign_edge/expected.safetensors'))
      const values = await valuesOf(path.join(hostile, `benign_edge/${name}.npz`))
      const tolerance = name === 'float16' ? 1e-3 : 0
      for (const tensor of expected.tensors.values()) {
        const ours = values.get(tensor.name)
        for (const [place, value] of (await readTensor(tensor)).entries()) {
          expect(Math.abs((ours?.[place] ?? Number.NaN) - value)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(value)))
        }
      }
    })
  }

  test('an uncompressed array is mapped in the npz itself, a compressed one is unpacked once', async () => {
    const stored = await readNpz(path.join(hostile, 'npz/valid_control.npz'))
    for (const array of stored.arrays.values()) expect((await mapNpzArray(stored, array, cache)).file).toBe(stored.path)

    const compressed = await readNpz(path.join(hostile, 'benign_edge/compressed.npz'))
    const [array] = compressed.arrays.values()
    const first = await mapNpzArray(compressed, array!, cache)
    const { mtimeMs } = await fs.stat(first.file)
    await mapNpzArray(compressed, array!, cache)
    expect((await fs.stat(first.file)).mtimeMs).toBe(mtimeMs)
    expect((await fs.readdir(cache)).filter(name => name.endsWith('.part'))).toEqual([])
  })
})

// What only the family can judge: dimensions against tensors, and NaN among the weights.
const forTheFamily = [
  'config_dim_mismatch',
  'config_absurd_dims',
  'config_head_indivisible',
  'tensor_missing',
  'nan_weights',
  'auto_map_remote_code'
]

describe('checkpoints', () => {
  for (const { path: name } of cases.filter(candidate => candidate.path.startsWith('checkpoints/'))) {
    const isForTheFamily = forTheFamily.some(part => name.includes(part))
    test(`${name}: ${isForTheFamily ? 'opens' : 'refused'}`, async () => {
      const folder = path.join(hostile, name)
      if (isForTheFamily) expect((await openCheckpoint(folder)).tensors.size).toBeGreaterThan(0)
      else expect((await refusal(openCheckpoint(folder))).message).toContain(path.basename(path.resolve(folder)))
    })
  }

  test('a folder without config, without weights, or with torch weights alone says what to do', async () => {
    const folder = path.join(cache, 'model')
    await fs.mkdir(folder)
    expect((await refusal(openCheckpoint(path.join(cache, 'nowhere')))).kind).toBe('checkpoint/no-folder')
    expect((await refusal(openCheckpoint(folder))).kind).toBe('checkpoint/no-config')
    await fs.writeFile(path.join(folder, 'config.json'), '{"model_type":')
    expect((await refusal(openCheckpoint(folder))).message).toContain('config.json is not JSON')
    await fs.writeFile(path.join(folder, 'config.json'), '{"model_type":"gemma2"}')
    expect((await refusal(openCheckpoint(folder))).kind).toBe('checkpoint/no-weights')
    await fs.writeFile(path.join(folder, 'pytorch_model.bin'), '')
    expect((await refusal(openCheckpoint(folder))).hint).toContain('pytorch_model.bin')
  })
})

test('nothing was executed or written by the hostile files', async () => {
  for (const folder of [hostile, process.cwd(), os.tmpdir()]) expect(await fs.readdir(folder)).not.toContain('PWNED')
})
