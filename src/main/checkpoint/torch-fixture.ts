/** Writes torch zips for tests, as `torch.save` writes them: a pickle in protocol 2, and the bytes of each storage, stored. */
import fs from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/** A tensor to write: `strides` and `start` make it a view of a storage of its own, row by row where they are left out. */
export interface FixtureTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
  readonly strides?: readonly number[]
  readonly start?: number
  /** The storage's size as the pickle claims it, where that is to be a lie. */
  readonly claimed?: number
}

const latin = (text: string) => Buffer.from(text, 'latin1')

/** Pickle instructions, each as its bytes. */
export const pickle = {
  proto: Buffer.from([0x80, 2]),
  stop: latin('.'),
  global: (module: string, name: string) => latin(`c${module}\n${name}\n`),
  text: (text: string) => {
    const bytes = Buffer.from(text, 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    return Buffer.concat([latin('X'), length, bytes])
  },
  integer: (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return Buffer.concat([Buffer.from([0x8a, 8]), bytes])
  },
  tuple: (...items: Buffer[]) => Buffer.concat([latin('('), ...items, latin('t')]),
  dictionary: (...entries: [Buffer, Buffer][]) => Buffer.concat([latin('}('), ...entries.flat(), latin('u')]),
  call: (callee: Buffer, ...args: Buffer[]) => Buffer.concat([callee, pickle.tuple(...args), latin('R')]),
  false: Buffer.from([0x89])
}

/** A pickle whose value is `body`'s. */
export function picklesOf(...body: Buffer[]): Buffer {
  return Buffer.concat([pickle.proto, ...body, pickle.stop])
}

function tensorPickle(key: string, { shape, values, strides, start = 0, claimed = values.length }: FixtureTensor): Buffer {
  const contiguous = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1))
  const storage = pickle.tuple(
    pickle.text('storage'),
    pickle.global('torch', 'FloatStorage'),
    pickle.text(key),
    pickle.text('cpu'),
    pickle.integer(claimed)
  )
  const sizes = (list: readonly number[]) => pickle.tuple(...list.map(pickle.integer))
  return pickle.call(
    pickle.global('torch._utils', '_rebuild_tensor_v2'),
    Buffer.concat([storage, latin('Q')]),
    pickle.integer(start),
    sizes(shape),
    sizes(strides ?? contiguous),
    pickle.false,
    pickle.call(pickle.global('collections', 'OrderedDict'))
  )
}

/** Members of a zip, stored. */
export function zipOf(members: readonly { name: string; bytes: Buffer }[]): Buffer {
  const local: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const { name, bytes } of members) {
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt32LE(crc32(bytes), 10)
    fields.writeUInt32LE(bytes.length, 14)
    fields.writeUInt32LE(bytes.length, 18)
    fields.writeUInt16LE(name.length, 22)
    local.push(latin('PK\x03\x04'), fields, latin(name), bytes)
    const entry = Buffer.alloc(42)
    entry.writeUInt16LE(20, 0)
    fields.copy(entry, 2)
    entry.writeUInt32LE(offset, 38)
    central.push(latin('PK\x01\x02'), entry, latin(name))
    offset += 30 + name.length + bytes.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(members.length, 8)
  end.writeUInt16LE(members.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...local, directory, end])
}

/** Writes a state dict; `more` are further members, `extra` further entries of the dictionary as pickles. */
export async function writeTorchZip(
  file: string,
  tensors: Readonly<Record<string, FixtureTensor>>,
  { more = [], extra = [] }: { more?: { name: string; bytes: Buffer }[]; extra?: [string, Buffer][] } = {}
): Promise<void> {
  const entries = Object.entries(tensors)
  const items = entries.map(([name, tensor], index): [Buffer, Buffer] => [pickle.text(name), tensorPickle(String(index), tensor)])
  const dictionary = pickle.dictionary(...items, ...extra.map(([name, value]): [Buffer, Buffer] => [pickle.text(name), value]))
  const storages = entries.map(([, { values }], index) => ({
    name: `archive/data/${index}`,
    bytes: Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  }))
  const members = [{ name: 'archive/data.pkl', bytes: picklesOf(dictionary) }, ...storages, ...more]
  await fs.writeFile(file, zipOf(members))
}
