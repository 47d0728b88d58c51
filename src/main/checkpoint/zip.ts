/** Zip archives as NumPy and PyTorch write them: their members, and where the bytes of those lie that are not compressed. */
import yauzl from 'yauzl'
import { SpliceError } from '../../contract/errors.ts'

/** Weights of SAEs have a few tensors, torch files of models some hundreds. */
const maximumMembers = 4096

/** A member of an archive. `dataOffset` is where its bytes start in the file; null where they are compressed. */
export interface ZipMember {
  readonly name: string
  readonly sizeBytes: number
  /** In the archive. */
  readonly packedBytes: number
  readonly dataOffset: number | null
  /** Its bytes, unpacked. */
  stream(): Promise<NodeJS.ReadableStream>
}

/**
 * Opens an archive for the length of `use`, with its members in the order of its directory; nothing is unpacked but what
 * `use` asks for. Throws `zip/broken` for what is no whole archive, and for members whose names lead out of it.
 */
export function withZip<Result>(file: string, use: (members: ZipMember[]) => Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const fail = (thrown: unknown) => reject(thrown instanceof SpliceError ? thrown : broken(file, thrown))
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
        membersOf(zip, entries)
          .then(use)
          .finally(() => zip.close())
          .then(resolve, fail)
      })
      zip.readEntry()
    })
  })
}

function broken(file: string, thrown: unknown): SpliceError {
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  return new SpliceError('zip/broken', `${file} is not a whole zip file: ${why}`, {
    file,
    hint: 'Download the file again.',
    cause: thrown
  })
}

async function membersOf(zip: yauzl.ZipFile, entries: readonly yauzl.Entry[]): Promise<ZipMember[]> {
  const members: ZipMember[] = []
  for (const entry of entries) {
    const isStored = entry.compressionMethod === 0
    if (isStored && entry.compressedSize !== entry.uncompressedSize) {
      throw new Error(`${entry.fileName} is stored, yet its two sizes differ`)
    }
    const dataOffset = isStored ? await dataStart(zip, entry) : null
    if (dataOffset !== null && dataOffset + entry.uncompressedSize > zip.fileSize) throw new Error(`it ends inside ${entry.fileName}`)
    members.push({
      name: entry.fileName,
      sizeBytes: entry.uncompressedSize,
      packedBytes: entry.compressedSize,
      dataOffset,
      stream: () => memberStream(zip, entry)
    })
  }
  return members
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

/** The first bytes of a member, unpacked, at most `length`. */
export async function memberHead(member: ZipMember, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of await member.stream()) {
    const bytes = Buffer.from(chunk)
    chunks.push(bytes)
    size += bytes.length
    if (size >= length) break
  }
  return Buffer.concat(chunks).subarray(0, length)
}
