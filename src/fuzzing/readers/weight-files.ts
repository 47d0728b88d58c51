/** Readers of weights files: safetensors, npz and torch's zips, their values read and unpacked too. */
import fs from 'node:fs'
import path from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { pickle, picklesOf, zipOf } from '../../main/checkpoint/torch-fixture.ts'
import { openWeightFile, type WeightFile } from '../../main/checkpoint/weight-file.ts'
import type { Draws } from '../draws.ts'
import { jsonText, mutateBytes, mutateValue } from '../mutations.ts'
import type { Reader } from '../reader.ts'
import { goldenFile, goldenFiles } from '../specimens.ts'

/** Reads all of a weights file that whoever asks for a tensor would have read. */
async function readWhole(file: string, scratch: string): Promise<WeightFile> {
  const weights = await openWeightFile(file)
  let first: unknown = null
  for (const entry of weights.entries.values()) {
    for (const read of [() => entry.map(scratch), () => entry.values()]) {
      try {
        await read()
      } catch (thrown) {
        first ??= thrown
      }
    }
  }
  if (first !== null) throw first
  return weights
}

const safetensorsFiles = [
  goldenFile('hostile/safetensors/valid_control.safetensors'),
  goldenFile('hostile/benign_edge/mixed_dtypes.safetensors'),
  goldenFile('saes/saelens6/gated/sae_weights.safetensors')
]

/** A safetensors file whose header is broken in its meaning; the length before it is told right or wrong. */
function brokenHeader(draws: Draws, bytes: Buffer): Buffer {
  const length = Number(bytes.readBigUInt64LE())
  const header: unknown = JSON.parse(bytes.toString('utf8', 8, 8 + length))
  const text = Buffer.from(jsonText(draws, mutateValue(draws, header)))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(draws.chance(0.95) ? text.length : draws.below(2 * text.length + 1)))
  return Buffer.concat([prefix, text, bytes.subarray(8 + length)])
}

export const safetensors: Reader = {
  name: 'safetensors',
  async prepare(draws, folder, scratch) {
    const file = path.join(folder, 'weights.safetensors')
    const bytes = draws.pick(safetensorsFiles)
    fs.writeFileSync(file, draws.chance(0.6) ? brokenHeader(draws, bytes) : mutateBytes(draws, bytes, draws.pick(safetensorsFiles)))
    return () => readWhole(file, scratch)
  }
}

const npzFiles = goldenFiles('hostile', /\.npz$/).map(({ bytes }) => bytes)

const widths: Readonly<Record<string, number>> = { '<f4': 4, '>f4': 4, '<f8': 8, '<f2': 2, '<i8': 8, '|b1': 1 }

/** A .npy array: its header as text, and as many bytes as that asks for, or others. */
function npyOf(draws: Draws): Buffer {
  const descr = draws.pick(['<f4', '<f4', '>f4', '<f8', '<f2', '|O', '<i8', '|b1', '<c8', 'V7', '<f16', '', "<f4', 'x"])
  const isWhole = draws.chance(0.6)
  const small = Array.from({ length: draws.below(3) }, () => draws.below(5))
  const size = () => draws.pick(['0', '1', '3', '4', '-1', '1e3', '9007199254740993', '65536', '4294967296', "__import__('os')"])
  const odd = draws.chance(0.05) ? '1, '.repeat(20_000) : Array.from({ length: draws.below(4) }, size).join(', ')
  const shape = isWhole ? small.map(part => `${part},`).join(' ') : odd
  const fortran = draws.pick(isWhole ? ['True', 'False'] : ['True', 'False', 'None'])
  const plain = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`
  const text = isWhole
    ? plain
    : draws.pick([
        plain,
        `{'shape': (${shape},), 'descr': '${descr}', 'fortran_order': False}`,
        `dict(descr='${descr}', fortran_order=False, shape=(${shape},))`,
        "{'descr': ".repeat(draws.below(500)),
        `{'shape': (${' '.repeat(draws.below(60_000))}`
      ])
  const head = Buffer.alloc(10)
  head.write('\x93NUMPY', 'latin1')
  head[6] = draws.pick(isWhole ? [1] : [1, 1, 1, 2, 3, 255])
  head.writeUInt16LE(isWhole || draws.chance(0.9) ? Math.min(text.length, 0xffff) : draws.below(0x10000), 8)
  const prefix = (head[6] ?? 0) >= 2 ? Buffer.concat([head, Buffer.alloc(2)]) : head
  const bytes = isWhole ? small.reduce((product, part) => product * part, widths[descr] ?? 4) : draws.pick([0, 4, 12, 16, 36, 64])
  return Buffer.concat([prefix, Buffer.from(text, 'latin1'), draws.bytes(bytes)])
}

interface Member {
  readonly name: string
  readonly bytes: Buffer
}

/** A zip some of whose members are deflated, with sizes in its directory that may be lies. */
function brokenZip(draws: Draws, members: readonly Member[]): Buffer {
  const zip = zipOf(members)
  let at = zip.length - 22 - members.reduce((sum, { name }) => sum + 46 + name.length, 0)
  for (const { name } of members) {
    if (draws.chance(0.1)) zip.writeUInt16LE(draws.pick([0, 8, 8, 12, 99]), at + 10)
    if (draws.chance(0.05)) zip.writeUInt16LE(draws.pick([0, 1, 0x800, 0x2041]), at + 8)
    if (draws.chance(0.1)) zip.writeUInt32LE(draws.pick([0, 1, 0x7fffffff, 0xffffffff, draws.below(4096)]), at + draws.pick([20, 24]))
    if (draws.chance(0.05)) zip.writeUInt32LE(draws.pick([0, 1, 0x7fffffff, 0xffffffff, draws.below(4096)]), at + 42)
    at += 46 + name.length
  }
  if (draws.chance(0.1)) zip.writeUInt16LE(draws.pick([0, 1, 0xffff]), zip.length - 12)
  return zip
}

/** A deflated member that unpacks to far more than it takes, with a directory that says so. */
function bombZip(draws: Draws, name: string, head: Buffer): Buffer {
  const whole = Buffer.concat([head, Buffer.alloc(draws.pick([1000, 100_000, 4_000_000]))])
  const packed = deflateRawSync(whole)
  const zip = zipOf([{ name, bytes: packed }])
  const directory = zip.length - 22 - 46 - name.length
  for (const [at, size] of [
    [8, directory + 10],
    [22, directory + 24]
  ] as const) {
    if (at === 8) {
      zip.writeUInt16LE(8, at)
      zip.writeUInt16LE(8, size)
    } else {
      zip.writeUInt32LE(draws.chance(0.5) ? whole.length : draws.below(whole.length), at)
      zip.writeUInt32LE(draws.chance(0.5) ? whole.length : draws.below(whole.length), size)
    }
  }
  return zip
}

/** Members of an npz: good names, one of them once in a while a bad one. */
function membersOf(draws: Draws): Member[] {
  const names = draws.chance(0.2) ? Array.from({ length: 3 }, () => draws.pick(memberNames)) : memberNames.slice(0, 1 + draws.below(3))
  return names.map(name => ({ name, bytes: npyOf(draws) }))
}

const memberNames = [
  'W_enc.npy',
  'W_dec.npy',
  'b_enc.npy',
  '../x.npy',
  '/etc/x.npy',
  'a\\b.npy',
  '.npy',
  'x.txt',
  '__proto__.npy',
  'W_enc.npy\u0000'
]

export const npz: Reader = {
  name: 'npz',
  async prepare(draws, folder, scratch) {
    const file = path.join(folder, 'params.npz')
    const made = draws.fraction()
    const bytes =
      made < 0.45
        ? mutateBytes(draws, draws.pick(npzFiles), draws.pick(npzFiles))
        : made < 0.95
          ? (made < 0.8 ? zipOf : (members: readonly Member[]) => brokenZip(draws, members))(membersOf(draws))
          : bombZip(draws, 'W_enc.npy', npyOf(draws))
    fs.writeFileSync(file, bytes)
    return () => readWhole(file, scratch)
  }
}

const torchFiles = [...goldenFiles('hostile', /\.(pt|pkl)$/), ...goldenFiles('saes', /\.pth?$/)].map(({ bytes }) => bytes)

const latin = (text: string) => Buffer.from(text, 'latin1')
const globals = [
  ['collections', 'OrderedDict'],
  ['torch._utils', '_rebuild_tensor_v2'],
  ['torch._utils', '_rebuild_tensor_v3'],
  ['torch._utils', '_rebuild_parameter'],
  ['torch._tensor', '_rebuild_from_type_v2'],
  ['torch', 'FloatStorage'],
  ['torch', 'Size'],
  ['torch', 'device'],
  ['torch', 'Tensor'],
  ['torch.storage', 'UntypedStorage'],
  ['builtins', 'eval'],
  ['posix', 'system']
] as const

/** One instruction of a pickle, drawn; most leave the stack as a table of tensors would. */
function instruction(draws: Draws): Buffer {
  const [module, name] = draws.pick(globals)
  const makers: (() => Buffer)[] = [
    () => latin('('),
    () => latin('t'),
    () => latin('l'),
    () => latin(']'),
    () => latin('}'),
    () => latin(')'),
    () => latin('a'),
    () => latin('e'),
    () => latin('s'),
    () => latin('u'),
    () => latin('R'),
    () => latin('Q'),
    () => latin('0'),
    () => latin('b'),
    () => latin('N'),
    () => latin('2'),
    () => Buffer.from([0x71, draws.below(4)]),
    () => Buffer.from([0x68, draws.below(4)]),
    () => Buffer.from([0x85 + draws.below(3)]),
    () => Buffer.from([0x4b, draws.below(8)]),
    () => pickle.integer(draws.pick([0, 1, 2, 3, 4, 2 ** 40, -1])),
    () => pickle.text(draws.pick(['storage', '0', '1', 'cpu', 'W_enc', '__proto__', 'x'.repeat(300)])),
    () => pickle.global(module, name),
    () => pickle.false,
    () => draws.bytes(1)
  ]
  return draws.pick(makers)()
}

/** Tensors that are almost right: each part of one may be another. */
function almostTensor(draws: Draws): Buffer {
  const sizes = () => {
    const many = draws.chance(0.02) ? 5000 : draws.below(4)
    return pickle.tuple(...Array.from({ length: many }, () => pickle.integer(draws.pick([0, 1, 2, 3, 4, 100, 2 ** 30, 2 ** 50]))))
  }
  const or = (part: Buffer) => (draws.chance(0.95) ? part : instruction(draws))
  const storage = Buffer.concat([
    pickle.tuple(
      or(pickle.text('storage')),
      or(pickle.global('torch', draws.pick(['FloatStorage', 'HalfStorage', 'LongStorage', 'BFloat16Storage']))),
      or(pickle.text(draws.pick(['0', '0', '1', '../0']))),
      or(pickle.text('cpu')),
      or(pickle.integer(draws.pick([4, 16, 64, 1, 2 ** 40])))
    ),
    latin('Q')
  ])
  return pickle.call(
    pickle.global('torch._utils', draws.pick(['_rebuild_tensor_v2', '_rebuild_tensor_v2', '_rebuild_tensor_v3'])),
    or(storage),
    or(pickle.integer(draws.pick([0, 0, 0, 1, 1000]))),
    or(sizes()),
    or(sizes()),
    pickle.false,
    or(pickle.call(pickle.global('collections', 'OrderedDict')))
  )
}

function drawnPickle(draws: Draws): Buffer {
  if (draws.chance(0.5)) {
    const entries = Array.from({ length: 1 + draws.below(4) }, (_, index): [Buffer, Buffer] => [
      pickle.text(`t${index}`),
      almostTensor(draws)
    ])
    return picklesOf(pickle.dictionary(...entries))
  }
  return picklesOf(...Array.from({ length: 1 + draws.below(60) }, () => instruction(draws)))
}

export const torch: Reader = {
  name: 'torch zip',
  async prepare(draws, folder, scratch) {
    const file = path.join(folder, 'ae.pt')
    const members = () => [
      { name: 'archive/data.pkl', bytes: drawnPickle(draws) },
      { name: 'archive/data/0', bytes: draws.bytes(draws.pick([16, 64, 256])) },
      ...(draws.chance(0.1) ? [{ name: 'archive/byteorder', bytes: latin(draws.pick(['little', 'big', '\u001b[2J'])) }] : [])
    ]
    const made = draws.fraction()
    const bytes =
      made < 0.35
        ? mutateBytes(draws, draws.pick(torchFiles), draws.pick(torchFiles))
        : made < 0.9
          ? zipOf(members())
          : brokenZip(draws, members())
    fs.writeFileSync(file, bytes)
    return () => readWhole(file, scratch)
  }
}
