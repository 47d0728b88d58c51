/** What a sync has to fetch, and what that will take. */
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { SyncEstimate, SyncRequest } from '../../contract/sync.ts'
import { addressOf, type Kind, prefixOf, readKey } from '../bucket/keys.ts'
import { type BucketObject, type ListingOptions, listPages } from '../bucket/listing.ts'
import { bytesHere } from '../bucket/object-file.ts'
import { measureSpeed } from '../bucket/speed.ts'
import type { Mirror } from '../explanations/mirror.ts'
import { freeBytes, inWords, isOneDisk } from '../transfer/room.ts'
import { chooseSources } from './selection.ts'

/** A file to be fetched. */
export interface PlannedFile {
  readonly object: BucketObject
  readonly kind: Kind
}

export interface SyncPlan {
  readonly files: readonly PlannedFile[]
  readonly estimate: SyncEstimate
}

export interface PlanOptions extends ListingOptions {
  readonly mirror: Pick<Mirror, 'knownFiles' | 'state'>
  /** Where files wait for their import. */
  readonly folder: string
  onProgress(progress: { sources: number; files: number }): void
}

/** Listings asked for at once. */
const atOnce = 8
/** Downloaded bytes that wait for their import at most, but for one file that has more. */
export const windowBytes = 512 * 1024 * 1024
/** Room that is left on the disk. */
const spareBytes = 256 * 1024 * 1024

/**
 * Bytes of mirror, its index included, to each byte of file: explanations as bench/mirror-import measures them, with and without
 * their embeddings; features and activations by the demo's.
 */
const mirrorPerByte: Readonly<Record<Kind, number>> = { explanations: 0.2, features: 2, activations: 1.2 }
const mirrorPerByteWithEmbeddings = 1.3
/** Bytes of files that are imported in a second, where downloading is quicker. */
const importedPerSecond = 40_000_000

function wantedKinds({ features, activations }: SyncRequest): Kind[] {
  return ['explanations', ...(features ? (['features'] as const) : []), ...(activations ? (['activations'] as const) : [])]
}

/** Batches of a source, by number. */
async function listBatches(source: string, kind: Kind, options: PlanOptions): Promise<PlannedFile[]> {
  const [model = '', layer = ''] = source.split('/')
  const files: (PlannedFile & { batch: number })[] = []
  for await (const { objects } of listPages(prefixOf(model, layer, kind), null, options)) {
    for (const object of objects) {
      const key = readKey(object.key)
      // What else lies there is none of ours.
      if (key?.model === model && key.source === layer && key.kind === kind) files.push({ object, kind, batch: key.batch })
    }
  }
  return files.sort((a, b) => a.batch - b.batch).map(({ object }) => ({ object, kind }))
}

/** All files of a request, source by source. Throws `sync/nothing` for a source that was named and has no explanations. */
async function listAll(request: SyncRequest, options: PlanOptions): Promise<{ sources: number; files: PlannedFile[] }> {
  const sources = await chooseSources(request.selection, options)
  const kinds = wantedKinds(request)
  const found: PlannedFile[][] = sources.map(() => [])
  let [next, seen, count] = [0, 0, 0]
  const lane = async (): Promise<void> => {
    for (let at = next++; at < sources.length; at = next++) {
      const source = sources[at] ?? ''
      const files = (await Promise.all(kinds.map(kind => listBatches(source, kind, options)))).flat()
      if (request.selection.kind === 'sources' && !files.some(({ kind }) => kind === 'explanations')) {
        throw new SpliceError('sync/nothing', `the bucket has no explanations of ${source}`, {
          field: 'sources',
          hint: "Names are Neuronpedia's: MODEL/SOURCE, e.g. gemma-2-2b/20-gemmascope-res-16k."
        })
      }
      found[at] = files
      seen += 1
      count += files.length
      options.onProgress({ sources: seen, files: count })
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, sources.length) }, lane))
  return { sources: sources.length, files: found.flat() }
}

/** Lists what a request means and says what it will take. Throws `sync/...`; nothing is written. */
export async function planSync(request: SyncRequest, options: PlanOptions): Promise<SyncPlan> {
  const { sources, files } = await listAll(request, options)
  const asKnown = files.map(({ object }) => ({ name: addressOf(object.key), bytes: object.bytes, version: object.etag }))
  const known = await options.mirror.knownFiles(asKnown, request.embeddings)
  const missing = files.filter((_, at) => known[at] !== true)
  const sum = (of: (file: PlannedFile) => number) => missing.reduce((total, file) => total + of(file), 0)
  const here = (await Promise.all(missing.map(({ object }) => bytesHere(options.folder, object)))).reduce(
    (total, bytes) => total + bytes,
    0
  )
  const downloadBytes = sum(({ object }) => object.bytes) - here
  const mirrorBytes = Math.round(
    sum(
      ({ object, kind }) =>
        object.bytes * (kind === 'explanations' && request.embeddings ? mirrorPerByteWithEmbeddings : mirrorPerByte[kind])
    )
  )
  const largest = missing[0] === undefined ? null : missing.reduce((one, other) => (other.object.bytes > one.object.bytes ? other : one))
  const waiting = Math.max(largest?.object.bytes ?? 0, Math.min(windowBytes, downloadBytes))
  const bytesPerSecond = largest === null || downloadBytes === 0 ? null : await measureSpeed(largest.object, options)
  const kept = request.keepIn === undefined ? 0 : downloadBytes
  const { file } = await options.mirror.state()
  const isShared = await isOneDisk(path.dirname(file), options.folder)
  return {
    files: missing,
    estimate: {
      sources,
      files: files.length,
      knownFiles: files.length - missing.length,
      downloadBytes,
      mirrorBytes,
      diskBytes: mirrorBytes + (isShared ? waiting : 0) + kept,
      freeBytes: await freeBytes(path.dirname(file)),
      bytesPerSecond,
      seconds:
        bytesPerSecond === null ? null : Math.max(downloadBytes / bytesPerSecond, sum(({ object }) => object.bytes) / importedPerSecond)
    }
  }
}

/** Throws `sync/no-room` where a disk has too little. */
export async function checkRoom({ estimate }: SyncPlan, folder: string, mirrorFile: string): Promise<void> {
  const { diskBytes, freeBytes: free, downloadBytes } = estimate
  const refuse = (where: string, needed: number, there: number) =>
    new SpliceError('sync/no-room', `the sync needs about ${inWords(needed)} on the disk of ${where}, which has ${inWords(there)} free`, {
      file: where,
      hint: 'Make room, or sync fewer sources at a time.'
    })
  if (diskBytes > 0 && free !== null && free < diskBytes + spareBytes) throw refuse(path.dirname(mirrorFile), diskBytes, free)
  const waiting = Math.min(windowBytes, downloadBytes)
  const freeHere = await freeBytes(folder)
  if (freeHere !== null && freeHere < waiting) throw refuse(folder, waiting, freeHere)
}
