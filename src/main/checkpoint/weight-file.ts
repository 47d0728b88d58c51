/**
 * A file of weights, whichever container it is: safetensors, NumPy's npz or a torch zip, told apart by how it begins. Only
 * headers are read; an entry is mapped, or read into memory, when it is asked for.
 */
import { SpliceError } from '../../contract/errors.ts'
import { mapNpzArray, type NpzArray, type NpzFile, readNpz, readNpzArray } from './npz.ts'
import { withFile } from './open-file.ts'
import { readSafetensors } from './safetensors.ts'
import { type Dtype, elementCount, type StoredTensor } from './tensor.ts'
import { mapTorchTensor, readTorchZip, type TorchFile, type TorchTensor, torchTensorInPlace } from './torch-zip.ts'
import { decodeFloats, readTensor, toRowMajor } from './values.ts'
import { withZip } from './zip.ts'

export type WeightContainer = 'safetensors' | 'npz' | 'torch'

/** A tensor of a weights file. `shape` is the one it is used with, which `transposed` turns round. */
export interface WeightEntry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly byteLength: number
  /** The file that it is in, with links resolved. */
  readonly file: string
  /** Where its bytes lie; what cannot be mapped in place is unpacked into the cache first. */
  map(cacheFolder: string): Promise<StoredTensor>
  /** Its values, row by row, as float32: for tensors that are small. Throws `weights/large` for others. */
  values(): Promise<Float32Array>
}

export interface WeightFile {
  /** With links resolved. */
  readonly path: string
  readonly container: WeightContainer
  readonly sizeBytes: number
  readonly entries: ReadonlyMap<string, WeightEntry>
  /** What a safetensors header carries under `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>
}

/** How torch files from before 1.6 begin: the magic number 0x1950a86a20f9469cfc6c as a pickle. */
const legacyTorch = Buffer.from('80028a0a6cfc9c46f920', 'hex')

type Beginning = 'zip' | 'legacy-torch' | 'pickle' | 'other'

async function beginning(file: string): Promise<Beginning> {
  return withFile(file, async open => {
    const head = (await open.read(0, Math.min(16, open.sizeBytes))) ?? Buffer.alloc(0)
    if (head.toString('latin1', 0, 2) === 'PK') return 'zip'
    if (head.subarray(0, legacyTorch.length).equals(legacyTorch)) return 'legacy-torch'
    // A pickle's protocol; the same two bytes may be the length of a safetensors header, which starts with a brace.
    const isPickle = head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5 && head[8] !== 0x7b
    return isPickle ? 'pickle' : 'other'
  })
}

/** Opens a weights file by its headers. Throws `safetensors/...`, `npz/...`, `torch/...` or `zip/...` naming the file and the tensor. */
export async function openWeightFile(file: string): Promise<WeightFile> {
  switch (await beginning(file)) {
    case 'zip':
      return openArchive(file)
    case 'legacy-torch':
      throw new SpliceError(
        'torch/legacy',
        `${file} is in the format that torch wrote before version 1.6, whose pickles Splice does not read`,
        {
          file,
          hint: 'If you trust who made it, load and save it again with a newer torch, or save it as safetensors.'
        }
      )
    case 'pickle':
      throw new SpliceError('torch/bare-pickle', `${file} is a bare pickle, a program that loading it would run`, {
        file,
        hint: 'Splice reads the zip files of torch.save, safetensors and npz.'
      })
    case 'other':
      return openSafetensors(file)
  }
}

async function openSafetensors(file: string): Promise<WeightFile> {
  const { path, sizeBytes, tensors, metadata } = await readSafetensors(file).catch((thrown: unknown) => {
    const isMeant = file.endsWith('.safetensors') || !(thrown instanceof SpliceError) || !thrown.kind.startsWith('safetensors/')
    if (isMeant) throw thrown
    throw new SpliceError('weights/unknown', `${file} is no file of weights`, {
      file,
      hint: 'Splice reads safetensors, npz and the zip files of torch.save.',
      cause: thrown
    })
  })
  return { path, container: 'safetensors', sizeBytes, entries: byName([...tensors.values()].map(storedEntry)), metadata }
}

/** An npz holds .npy members, a torch file a data.pkl; an archive of neither is refused as a torch file would be. */
async function openArchive(file: string): Promise<WeightFile> {
  const isNpz = await withFile(file, open =>
    withZip(open.path, async members => {
      const isTorch = members.some(({ name }) => name.endsWith('/data.pkl'))
      return !isTorch && members.some(({ name }) => name.endsWith('.npy'))
    })
  )
  if (isNpz) {
    const npz = await readNpz(file)
    const entries = [...npz.arrays.values()].map(array => npzEntry(npz, array))
    return { path: npz.path, container: 'npz', sizeBytes: npz.sizeBytes, entries: byName(entries), metadata: {} }
  }
  const torch = await readTorchZip(file)
  const entries = [...torch.tensors.values()].map(tensor => torchEntry(torch, tensor))
  return { path: torch.path, container: 'torch', sizeBytes: torch.sizeBytes, entries: byName(entries), metadata: {} }
}

/** What `values` reads at most, in bytes. */
const smallBytes = 64 * 1024 * 1024

function refuseLarge(entry: { readonly name: string; readonly byteLength: number }, file: string): void {
  if (entry.byteLength <= smallBytes) return
  throw new SpliceError('weights/large', `${file}: ${entry.name} has ${entry.byteLength} bytes where a small tensor belongs`, {
    file,
    field: entry.name,
    hint: 'Download the file again.'
  })
}

function storedEntry(tensor: StoredTensor): WeightEntry {
  const { name, dtype, shape, byteLength, file } = tensor
  return {
    name,
    dtype,
    shape,
    byteLength,
    file,
    map: async () => tensor,
    async values() {
      refuseLarge(tensor, file)
      return readTensor(tensor)
    }
  }
}

function npzEntry(npz: NpzFile, array: NpzArray): WeightEntry {
  const { name, dtype, shape, byteLength, columnMajor } = array
  return {
    name,
    dtype,
    shape,
    byteLength,
    file: npz.path,
    map: cacheFolder => mapNpzArray(npz, array, cacheFolder),
    async values() {
      refuseLarge(array, npz.path)
      const values = decodeFloats(await readNpzArray(npz, array), dtype, elementCount(shape))
      if (values === null)
        throw new SpliceError('weights/dtype', `${npz.path}: ${name} holds ${dtype}, where floats belong`, { file: npz.path })
      return columnMajor ? toRowMajor(values, shape) : values
    }
  }
}

function torchEntry(torch: TorchFile, tensor: TorchTensor): WeightEntry {
  const { name, dtype, shape, byteLength } = tensor
  return {
    name,
    dtype,
    shape,
    byteLength,
    file: torch.path,
    map: cacheFolder => mapTorchTensor(torch, tensor, cacheFolder),
    async values() {
      refuseLarge(tensor, torch.path)
      const stored = torchTensorInPlace(torch, tensor)
      if (stored !== null) return readTensor(stored)
      throw new SpliceError('torch/view', `${torch.path}: ${name} is a view of its storage, which Splice does not read`, {
        file: torch.path,
        field: name,
        hint: 'Save a contiguous copy of it.'
      })
    }
  }
}

function byName(entries: readonly WeightEntry[]): Map<string, WeightEntry> {
  return new Map(entries.map(entry => [entry.name, entry]))
}

/** A matrix turned round without moving its bytes: what is stored as [out, in] becomes [in, out]. */
export function transposed(entry: WeightEntry): WeightEntry {
  return {
    ...entry,
    shape: [...entry.shape].reverse(),
    async map(cacheFolder) {
      const { columnMajor, shape, ...tensor } = await entry.map(cacheFolder)
      return { ...tensor, shape: [...shape].reverse(), ...(columnMajor === true ? {} : { columnMajor: true }) }
    }
  }
}
