/**
 * Reads safetensors headers (https://github.com/huggingface/safetensors#format): eight bytes of header length, a JSON object
 * of names to dtype, shape and byte range, then the bytes. As strict as the reference implementation: no holes, no overlap,
 * no trailing bytes.
 */
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { type JsonBounds, JsonBoundsError, parseJson } from './json.ts'
import { withFile } from './open-file.ts'
import { byteWidths, elementCount, isDtype, type StoredTensor, type TensorFile } from './tensor.ts'

/** The reference implementation takes 100 MB; headers of 100,000 tensors have 15. */
const maximumHeaderBytes = 32 * 1024 * 1024
/** Objects of objects of lists; a tensor has some eight values. */
const headerBounds: JsonBounds = { depth: 3, values: 1_500_000 }

const entry = z.object({
  dtype: z.string(),
  shape: z.array(z.number()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()])
})
const metadata = z.record(z.string(), z.string())

function refuse(file: string, what: string, problem: string, field?: string): never {
  throw new SpliceError(`safetensors/${what}`, `${file}: ${problem}`, { file, field, hint: 'Download the file again.' })
}

/** The header alone of a safetensors file. Throws `safetensors/...` naming the file and, where there is one, the tensor. */
export async function readSafetensors(file: string): Promise<TensorFile> {
  return withFile(file, async open => {
    const prefix = await open.read(0, 8)
    if (prefix === null) refuse(file, 'truncated', `has ${open.sizeBytes} bytes, fewer than the 8 of the header's length`)
    const length = prefix.readBigUInt64LE()
    const available = open.sizeBytes - 8
    if (length > BigInt(available)) refuse(file, 'truncated', `says its header has ${length} bytes, but only ${available} follow`)
    if (length > BigInt(maximumHeaderBytes))
      refuse(file, 'header', `has a header of ${length} bytes, over the limit of ${maximumHeaderBytes}`)
    const headerBytes = Number(length)
    const bytes = await open.read(8, headerBytes)
    if (bytes === null) refuse(file, 'truncated', 'ends inside its header')
    const header = parseHeader(file, bytes)
    const dataStart = 8 + headerBytes
    const tensors = readEntries(file, open.path, header, dataStart, open.sizeBytes)
    const meta = metadata.safeParse(header.__metadata__ ?? {})
    if (!meta.success) refuse(file, 'header', '__metadata__ is not an object of texts', '__metadata__')
    return { path: open.path, sizeBytes: open.sizeBytes, modifiedMs: open.modifiedMs, tensors, metadata: meta.data }
  })
}

function parseHeader(file: string, bytes: Buffer): Record<string, unknown> {
  let header: unknown
  try {
    header = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes), headerBounds)
  } catch (thrown) {
    return refuse(file, 'header', `the header ${thrown instanceof JsonBoundsError ? thrown.message : 'is not JSON'}`)
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(header)
  return parsed.success ? parsed.data : refuse(file, 'header', 'the header is not a JSON object')
}

function readEntry(file: string, path: string, name: string, value: unknown, dataStart: number): StoredTensor {
  const parsed = entry.safeParse(value)
  if (!parsed.success) refuse(file, 'header', `the entry of ${name} is not a dtype, a shape and two byte offsets`, name)
  const {
    dtype,
    shape,
    data_offsets: [begin, end]
  } = parsed.data
  if (!isDtype(dtype)) refuse(file, 'dtype', `${name} has the dtype ${dtype}, which is none that Splice knows`, name)
  if (begin > end) refuse(file, 'offsets', `${name} begins at byte ${begin} and ends before, at ${end}`, name)
  const count = elementCount(shape)
  if (Number.isNaN(count)) refuse(file, 'shape', `${name} has the shape [${shape.join(', ')}], which no tensor can have`, name)
  const wanted = count * byteWidths[dtype]
  if (wanted !== end - begin) {
    refuse(file, 'shape', `${name} is ${dtype} [${shape.join(', ')}], so ${wanted} bytes, but its range has ${end - begin}`, name)
  }
  return { name, dtype, shape, file: path, offset: dataStart + begin, byteLength: end - begin }
}

function readEntries(
  file: string,
  path: string,
  header: Record<string, unknown>,
  dataStart: number,
  size: number
): Map<string, StoredTensor> {
  const names = Object.keys(header).filter(name => name !== '__metadata__')
  const tensors = names.map(name => readEntry(file, path, name, header[name], dataStart))
  let next = dataStart
  for (const { name, offset, byteLength } of [...tensors].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength)) {
    if (offset < next) refuse(file, 'offsets', `${name} overlaps the tensor before it by ${next - offset} bytes`, name)
    if (offset > next) refuse(file, 'offsets', `${offset - next} bytes before ${name} belong to no tensor`, name)
    next = offset + byteLength
    if (next > size) refuse(file, 'truncated', `${name} needs ${next} bytes of file, but there are ${size}`, name)
  }
  if (next !== size) refuse(file, 'offsets', `${size - next} bytes after the last tensor belong to none`)
  return new Map(tensors.map(tensor => [tensor.name, tensor]))
}
