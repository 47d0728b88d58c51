/**
 * Reads NumPy's .npz: a zip of .npy arrays (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * Uncompressed little-endian members are mapped where they lie; others are unpacked once into the cache. Object arrays,
 * whose bytes are a pickle, are refused, and a header is parsed as the one literal NumPy writes, never evaluated.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import yauzl from 'yauzl'
import { SpliceError } from '../../contract/errors.ts'
import { withFile } from './open-file.ts'
import { byteWidths, type Dtype, elementCount, type StoredTensor } from './tensor.ts'

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

const maximumMembers = 4096
const maximumNpyHeader = 64 * 1024

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

/** A zip's members in the order of its directory. Throws `npz/zip` for what is no whole zip. */
function withZip<Result>(file: string, use: (zip: yauzl.ZipFile, entries: yauzl.Entry[]) => Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        error instanceof SpliceError
          ? error
          : new SpliceError('npz/zip', `${file} is not a whole zip file: ${error.message}`, {
              file,
              hint: 'Download the file again.',
              cause: error
            })
      )
    yauzl.open(file, { lazyEntries: true, autoClose: false }, (error, zip) => {
      if (error !== null) {
        fail(error)
        return
      }
      const entries: yauzl.Entry[] = []
      zip.on('error', thrown => {
        zip.close()
        fail(thrown)
      })
      zip.on('entry', (entry: yauzl.Entry) => {
        entries.push(entry)
        if (entries.length <= maximumMembers) zip.readEntry()
        else zip.emit('error', new Error(`it has more than ${maximumMembers} members`))
      })
      zip.on('end', () => {
        use(zip, entries)
          .finally(() => zip.close())
          .then(resolve, fail)
      })
      zip.readEntry()
    })
  })
}

function dataStart(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<number> {
  return new Promise((resolve, reject) => {
    zip.readLocalFileHeader(entry, { minimal: true }, (error, header) => (error === null ? resolve(header.fileDataStart) : reject(error)))
  })
}

function memberStream(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<NodeJS.ReadableStream> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => (error === null ? resolve(stream) : reject(error)))
  })
}

/** The first bytes of a member, at most `length`. */
async function memberHead(zip: yauzl.ZipFile, entry: yauzl.Entry, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of await memberStream(zip, entry)) {
    const bytes = Buffer.from(chunk)
    chunks.push(bytes)
    size += bytes.length
    if (size >= length) break
  }
  return Buffer.concat(chunks).subarray(0, length)
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

/** Reads the directory and the headers of an npz. Throws `npz/...` naming the file and the array. */
export async function readNpz(file: string): Promise<NpzFile> {
  return withFile(file, open =>
    withZip(open.path, async (zip, entries) => {
      const arrays = new Map<string, NpzArray>()
      for (const entry of entries) {
        if (!entry.fileName.endsWith('.npy')) continue
        const name = entry.fileName.slice(0, -'.npy'.length)
        if (arrays.has(name)) refuse(file, 'duplicate', `${name} is in the file twice`, name)
        const isStored = entry.compressionMethod === 0
        if (isStored && entry.compressedSize !== entry.uncompressedSize)
          refuse(file, 'zip', `${name} is stored, yet its two sizes differ`, name)
        const start = isStored ? await dataStart(zip, entry) : null
        const length = Math.min(entry.uncompressedSize, 12 + maximumNpyHeader)
        const head = start === null ? await memberHead(zip, entry, length) : await open.read(start, length)
        if (head === null) refuse(file, 'zip', `the file ends inside ${name}`, name)
        const header = parseNpyHeader(file, name, head, entry.uncompressedSize)
        arrays.set(name, { ...header, dataOffset: start === null ? null : start + header.headerBytes })
      }
      return { path: open.path, sizeBytes: open.sizeBytes, modifiedMs: open.modifiedMs, arrays }
    })
  )
}

/**
 * An array as a tensor in a file: in the npz itself where its bytes can be mapped, else in a file of the cache that is made
 * once, whole or not at all. Check an array's shape before: this writes as many bytes as it claims. Without a cache (null) nothing is
 * unpacked, and the tensor of an array that would have to be says its shape and size, but not where to read it.
 */
export async function mapNpzArray(npz: NpzFile, array: NpzArray, cacheFolder: string | null): Promise<StoredTensor> {
  const { name, dtype, shape, byteLength, columnMajor } = array
  const layout = columnMajor ? { columnMajor } : {}
  if (array.dataOffset !== null && !array.bigEndian) {
    return { name, dtype, shape, file: npz.path, offset: array.dataOffset, byteLength, ...layout }
  }
  if (cacheFolder === null) return { name, dtype, shape, file: npz.path, offset: 0, byteLength, ...layout }
  const key = createHash('sha256').update(`${npz.path}:${npz.sizeBytes}:${npz.modifiedMs}:${name}`).digest('hex').slice(0, 32)
  const file = path.join(cacheFolder, `${key}.bin`)
  if (!(await isWhole(file, byteLength))) await unpack(npz, array, file)
  return { name, dtype, shape, file: await fs.promises.realpath(file), offset: 0, byteLength, ...layout }
}

async function isWhole(file: string, byteLength: number): Promise<boolean> {
  const stat = await fs.promises.stat(file).catch(() => null)
  return stat !== null && stat.size === byteLength
}

async function unpack(npz: NpzFile, array: NpzArray, file: string): Promise<void> {
  await fs.promises.mkdir(path.dirname(file), { recursive: true })
  const part = `${file}.${process.pid}.part`
  try {
    await withZip(npz.path, async (zip, entries) => {
      const entry = entries.find(candidate => candidate.fileName === `${array.name}.npy`)
      if (entry === undefined) return refuse(npz.path, 'zip', `${array.name} is gone since the file was opened`, array.name)
      const width = byteWidths[array.dtype]
      await pipeline(await memberStream(zip, entry), elementsOf(array.headerBytes, array.bigEndian ? width : 1), fs.createWriteStream(part))
    })
    await fs.promises.rename(part, file)
  } catch (thrown) {
    await fs.promises.rm(part, { force: true })
    if (thrown instanceof SpliceError) throw thrown
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SpliceError('npz/unpack', `${array.name} of ${npz.path} cannot be unpacked (${why})`, {
      file: npz.path,
      field: array.name,
      hint: 'Download the file again, or make room on the disk of the cache.',
      cause: thrown
    })
  }
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
