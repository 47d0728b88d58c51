/** One download from beginning to end: what it means, whether there is room, fetching, and its place in the cache. */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { DownloadedFile } from '../../contract/downloads.ts'
import { SpliceError } from '../../contract/errors.ts'
import { withLock } from '../transfer/lock.ts'
import { freeBytes, inWords } from '../transfer/room.ts'
import { defaultPatience, fetchBlob, partialName } from './blob.ts'
import { isThere, placesOf, pointToBlob, repositoryFolder, writeRef } from './cache.ts'
import { contentUrl, type HubRepository, readRepository } from './repository.ts'
import { cancelled } from './request.ts'
import { type HubFile, inOrder, means, selectModel, selectSae } from './selection.ts'

/** What is wanted of a repository: an SAE by its path, files by patterns, or a model's own files. */
export interface DownloadOrder {
  readonly repo: string
  readonly revision: string
  readonly want: { readonly sae: string } | { readonly patterns: readonly string[] } | 'model'
}

export interface DownloadOptions {
  readonly cache: string
  readonly token: string | null
  readonly signal: AbortSignal
  /** How long no byte may come before a request is made anew, in ms. */
  readonly patience?: number
  /** Once, when it is known what will be fetched. */
  onPlan(plan: { commit: string; files: readonly DownloadedFile[] }): void
  /** Whenever a file's bytes or state changed; `fetched` are new bytes. */
  onFile(file: DownloadedFile, fetched: number): void
}

/** How many files are fetched at once. */
const atOnce = 3
/** Room that is left on the disk, in bytes. */
const spareBytes = 64 * 1024 * 1024

/** The files that an order means. Throws `download/nothing` where there are none, `download/all` where it would be everything. */
function select({ repo, files }: HubRepository, want: DownloadOrder['want']): HubFile[] {
  if (want === 'model') {
    const model = selectModel(files)
    if (model.length > 0) return model
    const total = files.reduce((sum, file) => sum + file.sizeBytes, 0)
    throw new SpliceError('download/all', `${repo} is no model folder; it has ${files.length} files, ${inWords(total)} in all`, {
      field: 'patterns',
      hint: "Say what of it: a release and an SAE's id, paths or patterns, or '*' for everything."
    })
  }
  if ('sae' in want) {
    const sae = selectSae(files, want.sae)
    if (sae.length > 0) return sae
    throw new SpliceError('download/nothing', `${repo} has no ${want.sae}`, {
      field: 'saeId',
      hint: 'The table of releases and the repository differ; update the catalogue.'
    })
  }
  for (const pattern of want.patterns) {
    if (files.some(file => means(pattern, file.path))) continue
    throw new SpliceError('download/nothing', `${repo} has no file that ${pattern} means`, {
      field: 'patterns',
      hint: `It has ${files
        .slice(0, 3)
        .map(file => file.path)
        .join(', ')}${files.length > 3 ? ` and ${files.length - 3} more` : ''}.`
    })
  }
  return files.filter(file => want.patterns.some(pattern => means(pattern, file.path)))
}

async function checkRoom(cache: string, missing: number): Promise<void> {
  const free = await freeBytes(cache)
  if (missing === 0 || free === null || free >= missing + spareBytes) return
  throw new SpliceError('download/no-room', `${inWords(missing)} are to be fetched, but the disk of ${cache} has ${inWords(free)} free`, {
    file: cache,
    hint: 'Make room, or name another cache with HF_HUB_CACHE.'
  })
}

/** Bytes of a file that are here already: all, or those of an interrupted try. */
async function bytesHere(blob: string, pointer: string, sizeBytes: number): Promise<number> {
  if ((await isThere(pointer, sizeBytes)) || (await isThere(blob, sizeBytes))) return sizeBytes
  const partial = await fs.stat(partialName(blob)).catch(() => null)
  return partial === null || partial.size > sizeBytes ? 0 : partial.size
}

/**
 * Downloads what an order means into the cache and gives the path to open: the SAE's, or the snapshot's folder. Files that are there
 * are not fetched again. Throws `hub/...` and `download/...`; then what was fetched stays, under names that nobody takes for whole.
 */
export async function downloadOrder(order: DownloadOrder, options: DownloadOptions): Promise<string> {
  const { cache, token, signal } = options
  const repository = await readRepository(order.repo, order.revision, { token, signal })
  const { repo, commit } = repository
  const files = inOrder(select(repository, order.want)).map(file => ({ file, ...placesOf(cache, repo, commit, file.path, file.hash.hex) }))
  const here = await Promise.all(files.map(({ file, blob, pointer }) => bytesHere(blob, pointer, file.sizeBytes)))
  const stateOf = (at: number): DownloadedFile => {
    const { path: within, sizeBytes } = files[at]?.file ?? { path: '', sizeBytes: 0 }
    const doneBytes = here[at] ?? 0
    return { path: within, sizeBytes, doneBytes, state: doneBytes === sizeBytes && sizeBytes > 0 ? 'cached' : 'waiting' }
  }
  options.onPlan({ commit, files: files.map((_, at) => stateOf(at)) })
  // Equal content is one blob.
  const missing = new Map(files.map(({ file, blob }, at) => [blob, file.sizeBytes - (here[at] ?? 0)]))
  await checkRoom(
    cache,
    [...missing.values()].reduce((sum, bytes) => sum + bytes, 0)
  )
  await writeRef(cache, repo, order.revision, commit)

  const locks = path.join(cache, '.locks', path.basename(repositoryFolder(cache, repo)))
  const bring = async ({ file, blob, pointer }: (typeof files)[number], signal: AbortSignal): Promise<void> => {
    let fetchedBefore = 0
    const tell = (state: DownloadedFile['state'], doneBytes: number, fetched = fetchedBefore) => {
      options.onFile({ path: file.path, sizeBytes: file.sizeBytes, doneBytes, state }, fetched - fetchedBefore)
      fetchedBefore = fetched
    }
    if (await isThere(pointer, file.sizeBytes)) return tell('cached', file.sizeBytes)
    const wasHere = await isThere(blob, file.sizeBytes)
    if (!wasHere) {
      const lock = path.join(locks, `${file.hash.hex}.splice.lock`)
      await withLock(lock, { signal, cancelled, onWait: () => tell('waiting', 0) }, () =>
        fetchBlob(
          blob,
          { url: contentUrl(repo, commit, file.path), what: `${repo}/${file.path}`, sizeBytes: file.sizeBytes, hash: file.hash, token },
          {
            signal,
            patience: options.patience ?? defaultPatience,
            onBytes: (done, fetched) => tell('running', done, fetched),
            onChecking: () => tell('checking', file.sizeBytes)
          }
        )
      )
    }
    await pointToBlob({ blob, pointer })
    tell(wasHere ? 'cached' : 'done', file.sizeBytes)
  }
  await inParallel(files, bring, signal)
  const snapshot = path.join(repositoryFolder(cache, repo), 'snapshots', commit)
  return order.want !== 'model' && 'sae' in order.want ? path.join(snapshot, ...order.want.sae.split('/')) : snapshot
}

/** Weights at once, what describes them after all of the weights. The first failure ends the rest, and is what is thrown. */
async function inParallel<Item extends { readonly file: HubFile }>(
  items: readonly Item[],
  work: (item: Item, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal
): Promise<void> {
  const isDescription = (item: Item) => /\.(json|ya?ml)$/.test(item.file.path)
  const failure = new AbortController()
  const either = AbortSignal.any([signal, failure.signal])
  for (const group of [items.filter(item => !isDescription(item)), items.filter(isDescription)]) {
    const waiting = [...group]
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (either.aborted) throw cancelled()
        try {
          await work(next, either)
        } catch (thrown) {
          if (!either.aborted) failure.abort(thrown)
          throw thrown
        }
      }
    }
    const ends = await Promise.allSettled(Array.from({ length: Math.min(atOnce, group.length) }, lane))
    if (signal.aborted) throw cancelled()
    if (ends.some(end => end.status === 'rejected')) throw failure.signal.reason
  }
}
