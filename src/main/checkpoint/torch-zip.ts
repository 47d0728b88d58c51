/**
 * Reads what `torch.save` writes since PyTorch 1.6: a zip of `<root>/data.pkl`, a pickle that describes the tensors, and
 * `<root>/data/<key>`, the bytes of each storage. The pickle is read by `pickle.ts` with the names below and no others, so
 * nothing is ever executed. Storages are stored uncompressed and mapped where they lie. Older files and bare pickles are refused.
 */
import fs from 'node:fs/promises'
import { SpliceError } from '../../contract/errors.ts'
import { cachedFile } from './cache-file.ts'
import { type OpenFile, withFile } from './open-file.ts'
import { PickleError, PickleGlobal, type PickleValue, readPickle } from './pickle.ts'
import { byteWidths, type Dtype, elementCount, maximumRank, type StoredTensor } from './tensor.ts'
import { memberHead, withZip, type ZipMember } from './zip.ts'

/** A tensor of a torch file: elements `start + sum(index * stride)` of its storage, whose bytes start at `offset` of the file. */
export interface TorchTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** In elements, one per axis. */
  readonly strides: readonly number[]
  readonly start: number
  readonly offset: number
  readonly byteLength: number
}

export interface TorchFile {
  /** With links resolved. */
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
  /** By name; a tensor inside nested dictionaries has their keys before its own, joined by dots. */
  readonly tensors: ReadonlyMap<string, TorchTensor>
}

const maximumPickleBytes = 16 * 1024 * 1024
const maximumDepth = 8
/** Entries of all dictionaries together, each counted as often as it is met: a pickle may name one dictionary many times. */
const maximumEntries = 200_000
/** Elements of a view that may take more bytes than its storage, such as a bias expanded from one number. */
const maximumExpanded = 16 * 1024 * 1024
/** Bytes that are read to pack a view: so many, and so many times the file. */
const maximumPacking = 256 * 1024 * 1024
const packingTimes = 4

const storageTypes: Readonly<Record<string, Dtype>> = {
  'torch.DoubleStorage': 'F64',
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL'
}

const dtypes: Readonly<Record<string, Dtype>> = {
  'torch.float64': 'F64',
  'torch.float32': 'F32',
  'torch.float16': 'F16',
  'torch.bfloat16': 'BF16',
  'torch.int64': 'I64',
  'torch.int32': 'I32',
  'torch.int16': 'I16',
  'torch.int8': 'I8',
  'torch.uint8': 'U8',
  'torch.bool': 'BOOL'
}

/** The other names that tables of tensors use. All else is refused. */
const callables = new Set([
  'collections.OrderedDict',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_tensor_v3',
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
  'torch._tensor._rebuild_from_type_v2',
  'torch.Size',
  'torch.device',
  'torch.nn.parameter.Parameter',
  'torch.Tensor',
  'torch.storage.UntypedStorage'
])

interface Storage {
  readonly key: string
  /** Null for untyped storages, whose tensors say their own type. */
  readonly dtype: Dtype | null
  /** Elements; bytes where the dtype is null. */
  readonly count: number
}

class Rebuilt {
  readonly storage: Storage
  readonly dtype: Dtype
  readonly start: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(storage: Storage, dtype: Dtype, start: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage
    this.dtype = dtype
    this.start = start
    this.shape = shape
    this.strides = strides
  }
}

class StorageValue {
  readonly storage: Storage

  constructor(storage: Storage) {
    this.storage = storage
  }
}

function isNatural(value: PickleValue): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function naturals(value: PickleValue, what: string): number[] {
  if (Array.isArray(value) && value.length <= maximumRank && value.every(isNatural)) return value
  throw new PickleError(`${what} is no list of at most ${maximumRank} natural numbers`)
}

function globalName(value: PickleValue): string {
  return value instanceof PickleGlobal ? value.name : ''
}

/** `(storage, offset, size, stride, ...)` of torch's own `_rebuild_tensor_v2` and `_v3`. */
function rebuildTensor(args: readonly PickleValue[], untyped: boolean): Rebuilt {
  const [value, start, size, stride] = args
  if (!(value instanceof StorageValue) || !isNatural(start)) throw new PickleError('a tensor has no storage')
  const dtype = untyped ? dtypes[globalName(args[6])] : value.storage.dtype
  if (dtype === undefined || dtype === null) throw new PickleError('a tensor has a type that Splice does not know')
  const shape = naturals(size, "a tensor's size")
  const strides = naturals(stride, "a tensor's stride")
  if (shape.length !== strides.length) throw new PickleError('a tensor has another number of sizes than of strides')
  return new Rebuilt(value.storage, dtype, start, shape, strides)
}

/** Python 3 makes ordered dictionaries empty and puts their entries in afterwards; Python 2 names them all. */
function ordered(pairs: PickleValue): Map<PickleValue, PickleValue> {
  if (pairs === undefined) return new Map()
  const isPair = (pair: PickleValue): pair is [PickleValue, PickleValue] => Array.isArray(pair) && pair.length === 2
  if (!Array.isArray(pairs) || !pairs.every(isPair)) throw new PickleError('an ordered dictionary is made of what are no pairs')
  return new Map(pairs)
}

/** The value of a call. One call may stand for another, and that for no more. */
function build(name: string, args: readonly PickleValue[], isInner = false): PickleValue {
  switch (name) {
    case 'collections.OrderedDict':
      return ordered(args[0])
    case 'torch._utils._rebuild_tensor_v2':
      return rebuildTensor(args, false)
    case 'torch._utils._rebuild_tensor_v3':
      return rebuildTensor(args, true)
    case 'torch._utils._rebuild_parameter':
    case 'torch._utils._rebuild_parameter_with_state':
      return args[0]
    case 'torch._tensor._rebuild_from_type_v2': {
      const [rebuild, , inner] = args
      if (!Array.isArray(inner) || isInner) throw new PickleError('a tensor is rebuilt from nothing')
      return build(globalName(rebuild), inner, true)
    }
    case 'torch.Size':
    case 'torch.device':
      return args[0] ?? []
    default:
      throw new PickleError(`the pickle calls ${name === '' ? 'what is no name' : name}`)
  }
}

/** `('storage', type, key, location, count)`. */
function loadStorage(id: PickleValue): StorageValue {
  if (!Array.isArray(id) || id[0] !== 'storage') throw new PickleError('the pickle refers to something outside that is no storage')
  const [, type, key, , count] = id
  const name = globalName(type)
  const dtype = name === 'torch.storage.UntypedStorage' ? null : storageTypes[name]
  if (dtype === undefined || typeof key !== 'string' || !isNatural(count)) throw new PickleError('a storage has no type, key or size')
  return new StorageValue({ key, dtype, count })
}

function refuse(file: string, what: string, problem: string, hint: string, field?: string): never {
  throw new SpliceError(`torch/${what}`, `${file}: ${problem}`, { file, field, hint })
}

const again = 'Download the file again.'

/** Tensors by their dotted names; what else lies in the dictionaries, such as numbers, is passed over. */
function collect(root: PickleValue): Map<string, Rebuilt> {
  const found = new Map<string, Rebuilt>()
  let entries = 0
  const visit = (value: PickleValue, prefix: string, depth: number) => {
    if (value instanceof Rebuilt) found.set(prefix, value)
    if (!(value instanceof Map)) return
    if (depth === maximumDepth) throw new PickleError(`dictionaries are nested more than ${maximumDepth} deep`)
    for (const [key, inner] of value) {
      entries += 1
      if (entries > maximumEntries) throw new PickleError(`its dictionaries have more than ${maximumEntries} entries`)
      if (typeof key === 'string') visit(inner, prefix === '' ? key : `${prefix}.${key}`, depth + 1)
    }
  }
  visit(root, '', 0)
  return found
}

/** Where a tensor's storage lies, checked against the size of its member. */
function place(file: string, name: string, tensor: Rebuilt, root: string, members: ReadonlyMap<string, ZipMember>): TorchTensor {
  const { storage, dtype, shape, strides, start } = tensor
  const member = members.get(`${root}/data/${storage.key}`)
  if (member === undefined) return refuse(file, 'storage', `the bytes of ${name} (data/${storage.key}) are not in the file`, again, name)
  if (member.dataOffset === null) {
    const hint = 'Load and save it again with torch.save, which does not compress.'
    return refuse(file, 'storage', `the bytes of ${name} are compressed, which torch never does`, hint, name)
  }
  const width = byteWidths[dtype]
  const claimed = storage.count * (storage.dtype === null ? 1 : byteWidths[storage.dtype])
  if (claimed !== member.sizeBytes) {
    return refuse(file, 'storage', `the storage of ${name} claims ${claimed} bytes, but has ${member.sizeBytes}`, again, name)
  }
  const count = elementCount(shape)
  if (Number.isNaN(count))
    return refuse(file, 'shape', `${name} has the shape [${shape.join(', ')}], which no tensor can have`, again, name)
  const last = start + shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 0)
  if (count > 0 && !(last < member.sizeBytes / width)) {
    return refuse(file, 'storage', `${name} reaches element ${last}, but its storage has ${member.sizeBytes / width}`, again, name)
  }
  return { name, dtype, shape, strides, start, offset: member.dataOffset, byteLength: count * width }
}

/** Pairs of ordered dictionaries together: one list may be named by many of them. */
class Pairs {
  #left = maximumEntries

  /** Takes what a call is to copy. Throws where all calls together copy too much. */
  take(args: readonly PickleValue[]): void {
    const [pairs] = args
    if (Array.isArray(pairs)) this.#left -= pairs.length
    if (this.#left < 0) throw new PickleError(`its dictionaries have more than ${maximumEntries} entries`)
  }
}

/** Reads the pickle and the directory of a torch file. Throws `torch/...` or `zip/broken` naming the file and the tensor. */
export async function readTorchZip(file: string): Promise<TorchFile> {
  return withFile(file, open =>
    withZip(open.path, async members => {
      const pickle = members.find(member => /^[^/]+\/data\.pkl$/.test(member.name))
      if (pickle === undefined) return refuse(file, 'pickle', 'there is no data.pkl in it, so torch did not write it', again)
      const root = pickle.name.slice(0, -'/data.pkl'.length)
      const byName = new Map(members.map(member => [member.name, member]))
      if (byName.size !== members.length) return refuse(file, 'duplicate', 'a member is in the file twice', again)
      await refuseBigEndian(file, byName.get(`${root}/byteorder`))
      if (pickle.sizeBytes > maximumPickleBytes) {
        return refuse(file, 'pickle', `its pickle has ${pickle.sizeBytes} bytes, over the limit of ${maximumPickleBytes}`, again)
      }
      const rebuilt = unpickle(file, await memberHead(pickle, pickle.sizeBytes))
      const tensors = [...rebuilt].map(([name, tensor]) => [name, place(file, name, tensor, root, byName)] as const)
      return { path: open.path, sizeBytes: open.sizeBytes, modifiedMs: open.modifiedMs, tensors: new Map(tensors) }
    })
  )
}

async function refuseBigEndian(file: string, member: ZipMember | undefined): Promise<void> {
  if (member === undefined) return
  const order = (await memberHead(member, 16)).toString('latin1').trim()
  if (order !== 'little') {
    refuse(file, 'byte-order', `its numbers are stored ${order}-endian`, 'Load and save it again on a little-endian machine.')
  }
}

function unpickle(file: string, bytes: Buffer): Map<string, Rebuilt> {
  const allow = (name: string) => {
    if (callables.has(name) || Object.hasOwn(storageTypes, name) || Object.hasOwn(dtypes, name)) return
    const hint = 'A file of weights needs no such thing. Do not load it with torch either, unless you trust who made it.'
    refuse(file, 'global', `its pickle names ${name.slice(0, 120)}, which loading it would run`, hint, name.slice(0, 120))
  }
  const pairs = new Pairs()
  const buildWithin = (name: string, args: readonly PickleValue[]) => {
    pairs.take(args)
    return build(name, args)
  }
  try {
    return collect(readPickle(bytes, { allow, build: buildWithin, load: loadStorage }))
  } catch (thrown) {
    if (thrown instanceof PickleError) return refuse(file, 'pickle', thrown.message, again)
    throw thrown
  }
}

/** Row-major strides of a shape. */
function rowMajor(shape: readonly number[]): number[] {
  const strides: number[] = []
  let stride = 1
  for (const size of [...shape].reverse()) {
    strides.unshift(stride)
    stride *= size
  }
  return strides
}

/** Whether strides are those wanted; an axis of one element may have any. */
function matches(shape: readonly number[], strides: readonly number[], wanted: readonly number[]): boolean {
  return shape.every((size, axis) => size === 1 || strides[axis] === wanted[axis])
}

/** A tensor in the torch file itself: row by row, or with the first axis fastest as in a transposed view; null for other views. */
export function torchTensorInPlace(torch: TorchFile, tensor: TorchTensor): StoredTensor | null {
  const { name, dtype, shape, strides, start, byteLength } = tensor
  const whole = { name, dtype, shape, file: torch.path, offset: tensor.offset + start * byteWidths[dtype], byteLength }
  if (byteLength === 0 || matches(shape, strides, rowMajor(shape))) return whole
  const reversed = rowMajor([...shape].reverse()).reverse()
  return matches(shape, strides, reversed) ? { ...whole, columnMajor: true } : null
}

/**
 * A tensor in a file: in the torch file itself where it can be mapped, else packed into a file of the cache once.
 * Throws `torch/view` for views that hardly anything would write.
 */
export async function mapTorchTensor(torch: TorchFile, tensor: TorchTensor, cacheFolder: string): Promise<StoredTensor> {
  const stored = torchTensorInPlace(torch, tensor)
  if (stored !== null) return stored
  const { name, dtype, shape, byteLength } = tensor
  const file = await cachedFile(cacheFolder, torch, name, byteLength, part => pack(torch, tensor, part))
  return { name, dtype, shape, file, offset: 0, byteLength }
}

/** Bytes that are read at once to pack a view, where a row of it does not reach further. */
const windowBytes = 1024 * 1024

/** Reads ranges of a file that lie near each other. Throws `torch/view` where they are so far apart that packing would never end. */
class Windows {
  readonly #torch: TorchFile
  readonly #name: string
  readonly #open: OpenFile
  #left: number
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(torch: TorchFile, name: string, open: OpenFile) {
    this.#torch = torch
    this.#name = name
    this.#open = open
    this.#left = packingTimes * torch.sizeBytes + maximumPacking
  }

  /** Whether a range is in memory. */
  has(offset: number, length: number): boolean {
    return offset >= this.#start && offset + length <= this.#start + this.#bytes.length
  }

  /** Brings a range into memory. */
  async move(offset: number, length: number): Promise<void> {
    const { path, sizeBytes } = this.#torch
    const bytes = await this.#open.read(offset, Math.max(length, Math.min(windowBytes, sizeBytes - offset)))
    if (bytes === null) return refuse(path, 'storage', `the file ends inside ${this.#name}`, again, this.#name)
    this.#left -= bytes.length
    if (this.#left < 0) return refuseView(path, this.#name)
    this.#bytes = bytes
    this.#start = offset
  }

  /** A range that is in memory. */
  take(offset: number, length: number): Buffer {
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length)
  }
}

function refuseView(file: string, name: string): never {
  return refuse(file, 'view', `${name} is a view that repeats or skips most of its storage`, 'Save a contiguous copy of it.', name)
}

/** The first elements of a view's rows along the last axis, in their order. */
function* rowStarts({ shape, strides, start }: TorchTensor): Generator<number, void> {
  const axes = shape.slice(0, -1).flatMap((size, axis) => (size === 1 ? [] : [{ size, stride: strides[axis] ?? 0, at: 0 }]))
  for (let at = start; ; ) {
    yield at
    let axis = axes.length - 1
    for (; axis >= 0; axis--) {
      const turning = axes[axis]
      if (turning === undefined) return
      turning.at += 1
      at += turning.stride
      if (turning.at < turning.size) break
      at -= turning.size * turning.stride
      turning.at = 0
    }
    if (axis < 0) return
  }
}

/** Writes a strided view's elements in row-major order. */
async function pack(torch: TorchFile, tensor: TorchTensor, file: string): Promise<void> {
  const { name, dtype, shape, strides, offset, byteLength } = tensor
  const width = byteWidths[dtype]
  const length = shape.at(-1) ?? 1
  const stride = strides.at(-1) ?? 1
  const span = ((length - 1) * stride + 1) * width
  if (byteLength / width > maximumExpanded && byteLength > packingTimes * torch.sizeBytes) refuseView(torch.path, name)
  const output = await fs.open(file, 'w')
  try {
    await withFile(torch.path, async open => {
      const windows = new Windows(torch, name, open)
      const packed = Buffer.alloc(Math.max(windowBytes, length * width))
      let filled = 0
      for (const at of rowStarts(tensor)) {
        const from = offset + at * width
        if (!windows.has(from, span)) await windows.move(from, span)
        const row = windows.take(from, span)
        if (filled + length * width > packed.length) {
          await output.appendFile(packed.subarray(0, filled))
          filled = 0
        }
        if (stride === 1) row.copy(packed, filled)
        else for (let i = 0; i < length; i++) row.copy(packed, filled + i * width, i * stride * width, i * stride * width + width)
        filled += length * width
      }
      await output.appendFile(packed.subarray(0, filled))
    })
  } finally {
    await output.close()
  }
}
