import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import { readSafetensors } from './safetensors.ts'
import { pickle, picklesOf, writeTorchZip, zipOf } from './torch-fixture.ts'
import { mapTorchTensor, readTorchZip } from './torch-zip.ts'
import { readTensor } from './values.ts'
import { openWeightFile } from './weight-file.ts'

const golden = fileURLToPath(new URL('../../../fixtures/golden', import.meta.url))
const benign = path.join(golden, 'hostile/benign_edge')

let folder = ''
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-torch-'))
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

const cacheFolder = () => path.join(folder, 'cache')

/** Every tensor of a torch file in memory, with whether it was mapped in the file itself. */
async function valuesOf(file: string): Promise<Map<string, { values: readonly number[]; inPlace: boolean }>> {
  const torch = await readTorchZip(file)
  const entries = await Promise.all(
    [...torch.tensors.values()].map(async tensor => {
      const stored = await mapTorchTensor(torch, tensor, cacheFolder())
      return [tensor.name, { values: [...(await readTensor(stored))], inPlace: stored.file === torch.path }] as const
    })
  )
  return new Map(entries)
}

async function expected(name: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await readSafetensors(path.join(benign, name))
  const entries = await Promise.all([...tensors.values()].map(async tensor => [tensor.name, await readTensor(tensor)] as const))
  return new Map(entries)
}

describe('what torch wrote', () => {
  test('parameters have the values of their tensors, mapped in place', async () => {
    const ours = await valuesOf(path.join(benign, 'parameters.pt'))
    for (const [name, values] of await expected('expected_pt.safetensors')) {
      expect(ours.get(name)).toEqual({ values: [...values], inPlace: true })
    }
  })

  test('halves and bfloat16 of an ordered dictionary are exact roundings', async () => {
    const ours = await valuesOf(path.join(benign, 'ordered_dict_half.pt'))
    for (const [name, values] of await expected('expected_pt.safetensors')) {
      const relative = name === 'W_enc' ? 2 ** -11 : name === 'W_dec' ? 2 ** -8 : 0
      expect(ours.get(name)?.inPlace).toBe(true)
      for (const [place, value] of values.entries()) {
        expect(Math.abs((ours.get(name)?.values[place] ?? Number.NaN) - value)).toBeLessThanOrEqual(relative * Math.abs(value) + 2 ** -25)
      }
    }
  })

  test('a transposed view of another tensor is mapped in place, with its axes turned', async () => {
    const ours = await valuesOf(path.join(benign, 'transposed_view.pt'))
    const decoder = ours.get('W_dec')?.values ?? []
    expect(ours.get('W_enc')).toEqual({
      values: Array.from({ length: 128 }, (_, place) => decoder[(place % 16) * 8 + Math.floor(place / 16)]),
      inPlace: true
    })
  })
})

describe('views', () => {
  const values = Float32Array.from({ length: 24 }, (_, place) => place)

  test('rows with a gap, columns in steps and an expanded number are packed into the cache once', async () => {
    const file = path.join(folder, 'views.pt')
    await writeTorchZip(file, {
      whole: { shape: [4, 6], values },
      rows: { shape: [3, 2], strides: [6, 1], start: 7, values },
      steps: { shape: [2, 3], strides: [12, 2], start: 1, values },
      expanded: { shape: [5], strides: [0], start: 3, values },
      cube: { shape: [2, 3, 4], strides: [1, 2, 6], values }
    })
    const ours = await valuesOf(file)
    expect(ours.get('whole')).toEqual({ values: [...values], inPlace: true })
    expect(ours.get('rows')).toEqual({ values: [7, 8, 13, 14, 19, 20], inPlace: false })
    expect(ours.get('steps')).toEqual({ values: [1, 3, 5, 13, 15, 17], inPlace: false })
    expect(ours.get('expanded')).toEqual({ values: [3, 3, 3, 3, 3], inPlace: false })
    const cube = (i: number, j: number, k: number) => i + 2 * j + 6 * k
    expect(ours.get('cube')?.values).toEqual([0, 1].flatMap(i => [0, 1, 2].flatMap(j => [0, 1, 2, 3].map(k => cube(i, j, k)))))
    expect((await fs.readdir(cacheFolder())).filter(name => name.endsWith('.part'))).toEqual([])
  })

  test('a view that would fill the disk is refused, and leaves nothing', async () => {
    const file = path.join(folder, 'bomb.pt')
    await writeTorchZip(file, { bomb: { shape: [2 ** 20, 2 ** 20], strides: [0, 0], values } })
    const before = await fs.readdir(cacheFolder()).catch(() => [])
    await expect(valuesOf(file)).rejects.toThrow(/bomb is a view that repeats/)
    expect(await fs.readdir(cacheFolder()).catch(() => [])).toEqual(before)
  })

  test('a view beyond its storage is refused, whatever overflows', async () => {
    for (const [shape, strides, start] of [
      [[5], [1], 20],
      [[4, 6], [7, 1], 0],
      [[2, 2], [2 ** 52, 1], 0],
      [[1], [1], 2 ** 52]
    ] as const) {
      const file = path.join(folder, 'beyond.pt')
      await writeTorchZip(file, { W: { shape, strides, start, values } })
      await expect(readTorchZip(file)).rejects.toThrow(/W reaches element/)
    }
    const file = path.join(folder, 'claims.pt')
    await writeTorchZip(file, { W: { shape: [24], values, claimed: 25 } })
    await expect(readTorchZip(file)).rejects.toThrow(/storage of W claims 100 bytes, but has 96/)
  })
})

describe('what is in a pickle beside tensors', () => {
  const tensors = { W: { shape: [2], values: Float32Array.of(1, 2) } }
  const write = async (extra: [string, Buffer][]) => {
    const file = path.join(folder, 'extra.pt')
    await writeTorchZip(file, tensors, { extra })
    return file
  }

  test('numbers, texts and nested dictionaries are read past; a tensor inside has a dotted name', async () => {
    const file = await write([
      ['step', pickle.integer(7)],
      ['name', pickle.text('ä')],
      ['none', Buffer.from('N')],
      ['list', Buffer.concat([Buffer.from('](', 'latin1'), pickle.integer(1), pickle.integer(2), Buffer.from('e')])]
    ])
    expect([...(await readTorchZip(file)).tensors.keys()]).toEqual(['W'])
  })

  test('the metadata of a state dict is passed over', async () => {
    // OrderedDict() with BUILD {'_metadata': OrderedDict()}, as torch pickles module.state_dict().
    const ordered = pickle.call(pickle.global('collections', 'OrderedDict'))
    const built = Buffer.concat([ordered, pickle.dictionary([pickle.text('_metadata'), ordered]), Buffer.from('b')])
    expect([...(await readTorchZip(await write([['inner', built]]))).tensors.keys()]).toEqual(['W'])
  })

  test.each([
    ['os.system', pickle.call(pickle.global('posix', 'system'), pickle.text('touch PWNED'))],
    ['a class of torch that is none of these', pickle.global('torch.nn.modules.linear', 'Linear')],
    ['a prototype', pickle.global('__proto__', 'constructor')],
    ['an object made without its class', Buffer.concat([pickle.global('torch', 'Size'), pickle.tuple(), Buffer.from([0x81])])],
    ['a number of 255 bytes', Buffer.concat([Buffer.from([0x8a, 255]), Buffer.alloc(255, 1)])],
    ['a tensor that is called', pickle.call(pickle.integer(1), pickle.integer(2))],
    ['a recall of nothing', Buffer.from([0x68, 99])],
    ['a group without a start', Buffer.from('t')]
  ])('%s is refused', async (_name, value) => {
    const thrown = await readTorchZip(await write([['evil', value]])).catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(SpliceError)
    expect(thrown instanceof SpliceError && thrown.kind.startsWith('torch/')).toBe(true)
  })

  test('work and memory are bounded: many steps, deep nesting, dictionaries that hold themselves', async () => {
    const refused = async (body: Buffer) => {
      const file = path.join(folder, 'large.pt')
      await fs.writeFile(file, zipOf([{ name: 'a/data.pkl', bytes: picklesOf(body) }]))
      return readTorchZip(file).then(
        ({ tensors: found }) => found.size,
        (error: unknown) => (error instanceof SpliceError ? error.kind : error)
      )
    }
    const before = process.memoryUsage().rss
    expect(await refused(Buffer.alloc(8 * 2 ** 20, ']'))).toBe('torch/pickle')
    const nested = Buffer.concat(Array.from({ length: 20 }, () => Buffer.concat([Buffer.from('}('), pickle.text('a')])))
    expect(await refused(Buffer.concat([nested, Buffer.from('N'), Buffer.alloc(20, 'u')]))).toBe('torch/pickle')
    // d = {}; d['a'] = d
    expect(await refused(Buffer.concat([Buffer.from('}q\x00('), pickle.text('a'), Buffer.from('h\x00u')]))).toBe('torch/pickle')
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20)
  })
})

test('a safetensors header whose length looks like a pickle is read as safetensors', async () => {
  const header = Buffer.from(JSON.stringify({ __metadata__: { pad: 'x'.repeat(0x10280 - 32) } }).padEnd(0x10280, ' '))
  expect(header.length).toBe(0x10280)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const file = path.join(folder, 'pickle-like.safetensors')
  await fs.writeFile(file, Buffer.concat([length, header]))
  expect(length.subarray(0, 2)).toEqual(Buffer.from([0x80, 2]))
  expect((await openWeightFile(file)).container).toBe('safetensors')
})

test('what is no file of weights says which are', async () => {
  const file = path.join(folder, 'readme.txt')
  await fs.writeFile(file, 'This is a text about weights.')
  await expect(openWeightFile(file)).rejects.toThrow(/readme.txt is no file of weights/)
})
