/**
 * Reads NumPy's .npz: a zip of .npy arrays (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * Uncompressed little-endian members are mapped where they lie; others are unpacked once into the cache. Object arrays,
 * whose bytes are a pickle, are refused, and a header is parsed as the one literal NumPy writes, never evaluated.
 */
import fs from 'node:fs'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SpliceError } from '../../contract/errors.ts'
import { cachedFile } from './cache-file.ts'
import { withFile } from './open-file.ts'
import { byteWidths, type Dtype, elementCount, type StoredTensor } from './tensor.ts'
import { memberHead, withZip } from './zip.ts'

/** One array of an npz, from its header. `dataOffset` is where its elements start in the file; null where they are compressed. */
export interface NpzArray {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly columnMajor: boolean
  readonly bigEndian: boolean
  readonly byteLength: number
  readonly headerBytes: number
  readonly dataOffset: number | null
}

export interface NpzFile {
  /** With links resolved. */
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly arrays: ReadonlyMap<string, NpzArray>
}

const maximumNpyHeader = 64 * 1024
/** Weights are nearly random and hardly packed. What is larger than this, and packed better than that, fills disks. */
const largestUnlikely = 64 * 1024 * 1024
const likeliestRatio = 50

const dtypes: Readonly<Record<string, Dtype>> = {
  f8: 'F64',
  f4: 'F32',
  f2: 'F16',
  i8: 'I64',
  i4: 'I32',
  i2: 'I16',
  i1: 'I8',
  u8: 'U64',
  u4: 'U32',
  u2: 'U16',
  u1: 'U8',
  b1: 'BOOL'
}

function refuse(file: string, what: string, problem: string, field?: string): never {
  throw new SpliceError(`npz/${what}`, `${file}: ${problem}`, { file, field, hint: 'Download the file again.' })
}

/** The dictionary that NumPy writes: three keys in any order, a text, a truth value and a tuple of sizes. */
const descr = /'descr':\s*'([<>|=])([a-zA-Z])(\d*)'/
const order = /'fortran_order':\s*(True|False)/
const shapePattern = /'shape':\s*\(([\d\s,]*)\)/

function parseNpyHeader(file: string, name: string, head: Buffer, memberBytes: number): Omit<NpzArray, 'dataOffset'> {
  if (head.length < 10 || head.toString('latin1', 0, 6) !== '\x93NUMPY')
    refuse(file, 'npy', `${name} does not start as NumPy arrays do`, name)
  const isLong = (head[6] ?? 0) >= 2
  const prefix = isLong ? 12 : 10
  if (head.length < prefix) refuse(file, 'npy', `${name} ends inside its header`, name)
  const length = isLong ? head.readUInt32LE(8) : head.readUInt16LE(8)
  if (length > maximumNpyHeader || prefix + length > head.length) refuse(file, 'npy', `${name} has a header of ${length} bytes`, name)
  const text = head.toString('latin1', prefix, prefix + length).trim()
  const left = text.replace(descr, '').replace(order, '').replace(shapePattern, '')
  const [, endian, kind = '', width = ''] = descr.exec(text) ?? []
  const isColumnMajor = order.exec(text)?.[1]
  const sizes = shapePattern.exec(text)?.[1]
  if (kind === 'O') refuse(file, 'object-array', `${name} holds Python objects, which would have to be unpickled`, name)
  if (isColumnMajor === undefined || sizes === undefined || endian === undefined || !/^\{[\s,]*\}$/.test(left)) {
    refuse(file, 'npy', `the header of ${name} is not the dictionary that NumPy writes`, name)
  }
  const dtype = dtypes[`${kind}${width}`]
  if (dtype === undefined) refuse(file, 'dtype', `${name} has the type ${kind}${width}, which is none that Splice knows`, name)
  const shape = sizes
    .split(',')
    .map(size => size.trim())
    .filter(size => size !== '')
    .map(Number)
  const count = elementCount(shape)
  const byteLength = count * byteWidths[dtype]
  if (!Number.isSafeInteger(byteLength))
    refuse(file, 'shape', `${name} claims the shape (${shape.join(', ')}), which no file can hold`, name)
  const headerBytes = prefix + length
  if (headerBytes + byteLength !== memberBytes) {
    refuse(file, 'shape', `${name} is (${shape.join(', ')}) ${dtype}, so ${byteLength} bytes, but has ${memberBytes - headerBytes}`, name)
  }
  return {
    name,
    dtype,
    shape,
    columnMajor: isColumnMajor === 'True' && shape.length > 1,
    bigEndian: endian === '>',
    byteLength,
    headerBytes
  }
}

/** Reads the directory and the headers of an npz. Throws `npz/...` or `zip/broken` naming the file and the array. */
export async function readNpz(file: string): Promise<NpzFile> {
  return withFile(file, open =>
    withZip(open.path, async members => {
      const arrays = new Map<string, NpzArray>()
      for (const member of members) {
        if (!member.name.endsWith('.npy')) continue
        const name = member.name.slice(0, -'.npy'.length)
        if (arrays.has(name)) refuse(file, 'duplicate', `${name} is in the file twice`, name)
        const length = Math.min(member.sizeBytes, 12 + maximumNpyHeader)
        const start = member.dataOffset
        const head = start === null ? await memberHead(member, length) : await open.read(start, length)
        if (head === null) refuse(file, 'zip', `the file ends inside ${name}`, name)
        const header = parseNpyHeader(file, name, head, member.sizeBytes)
        arrays.set(name, { ...header, dataOffset: start === null ? null : start + header.headerBytes })
      }
      return { path: open.path, sizeBytes: open.sizeBytes, modifiedMs: open.modifiedMs, arrays }
    })
  )
}

/** The array as a tensor in the npz itself; null where its bytes are compressed or big-endian. */
function inPlace(npz: NpzFile, { name, dtype, shape, byteLength, columnMajor, dataOffset, bigEndian }: NpzArray): StoredTensor | null {
  if (dataOffset === null || bigEndian) return null
  return { name, dtype, shape, file: npz.path, offset: dataOffset, byteLength, ...(columnMajor ? { columnMajor } : {}) }
}

/**
 * An array as a tensor in a file: in the npz itself where its bytes can be mapped, else in a file of the cache that is made
 * once. Check an array's shape before: this writes as many bytes as it claims.
 */
export async function mapNpzArray(npz: NpzFile, array: NpzArray, cacheFolder: string): Promise<StoredTensor> {
  const stored = inPlace(npz, array)
  if (stored !== null) return stored
  const { name, dtype, shape, byteLength, columnMajor } = array
  const file = await cachedFile(cacheFolder, npz, name, byteLength, part =>
    withElements(npz, array, elements => pipeline(elements, fs.createWriteStream(part)))
  )
  return { name, dtype, shape, file, offset: 0, byteLength, ...(columnMajor ? { columnMajor } : {}) }
}

/** A small array's bytes, row by row or column by column as it is stored. Check its shape before. */
export async function readNpzArray(npz: NpzFile, array: NpzArray): Promise<Buffer> {
  const chunks: Buffer[] = []
  await withElements(npz, array, async elements => {
    for await (const chunk of elements) chunks.push(Buffer.from(chunk))
  })
  return Buffer.concat(chunks)
}

/** An array's elements, little-endian, as a stream for the length of `use`. */
function withElements(npz: NpzFile, array: NpzArray, use: (elements: Transform) => Promise<void>): Promise<void> {
  return withZip(npz.path, async members => {
    const member = members.find(candidate => candidate.name === `${array.name}.npy`)
    if (member === undefined) return refuse(npz.path, 'zip', `${array.name} is gone since the file was opened`, array.name)
    if (member.sizeBytes > largestUnlikely && member.sizeBytes > likeliestRatio * member.packedBytes) {
      const claim = `${array.name} claims ${member.sizeBytes} bytes, packed into ${member.packedBytes}, as no weights ever are`
      return refuse(npz.path, 'bomb', claim, array.name)
    }
    const elements = elementsOf(array.headerBytes, array.bigEndian ? byteWidths[array.dtype] : 1)
    await Promise.all([pipeline(await member.stream(), elements), use(elements)])
  })
}

/** Drops the npy header and turns elements of `width` bytes round; width 1 leaves them as they are. */
function elementsOf(headerBytes: number, width: number): Transform {
  let toSkip = headerBytes
  let rest = Buffer.alloc(0)
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const skipped = Math.min(toSkip, chunk.length)
      toSkip -= skipped
      const bytes = Buffer.concat([rest, chunk.subarray(skipped)])
      const whole = bytes.length - (bytes.length % width)
      rest = bytes.subarray(whole)
      const out = bytes.subarray(0, whole)
      if (width === 2) out.swap16()
      else if (width === 4) out.swap32()
      else if (width === 8) out.swap64()
      done(null, out)
    }
  })
}
