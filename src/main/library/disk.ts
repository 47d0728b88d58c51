/**
 * What is on this disk: models and SAEs below the library's folders, read from their headers. What was read is kept in the home by
 * path, size and time of change, so that the library opens at once and a scan reads only what is new.
 */

import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { errorData, toErrorData } from '../../contract/errors.ts'
import {
  type DiskContents,
  type DiskModel,
  type DiskSae,
  diskModel,
  diskSae,
  type HubPlace,
  hubPlace,
  type LibraryFolder,
  type SaeSummary,
  type UnreadableItem,
  unreadableItem
} from '../../contract/library.ts'
import type { Settings } from '../../contract/settings.ts'
import { readRepositories, readSnapshots } from '../hub/cache.ts'
import { hubCacheFolder } from '../hub/environment.ts'
import { formats } from '../sae/formats/registry.ts'
import { families } from '../transformer/registry.ts'
import { releaseOf } from './releases.ts'
import { resourcesFolder } from './resources.ts'
import { StateFile } from './state-file.ts'
import { type Candidate, type WalkRoot, walk } from './walk.ts'

/** What is read of a candidate; whatever the catalogue says is added when it is asked for, since that may change. */
const entry = z.object({
  what: z.enum(['model', 'sae']),
  path: z.string(),
  /** Names, sizes and times of its files. */
  signature: z.string(),
  hub: hubPlace.nullable(),
  modifiedAt: z.number(),
  model: diskModel.omit({ hub: true, modifiedAt: true }).nullable(),
  sae: diskSae.omit({ hub: true, modifiedAt: true }).nullable(),
  error: errorData.nullable(),
  /** It only looked like one; kept, so that it is not opened again. */
  isNothing: z.boolean()
})
type Entry = z.infer<typeof entry>

const index = z.object({
  /** What could be read when it was written: with other formats or families everything is read anew. */
  readers: z.string(),
  scannedAt: z.number().nullable(),
  folders: z.int(),
  limits: z.array(z.string()),
  entries: z.array(entry),
  unreadable: z.array(unreadableItem)
})
type Index = z.infer<typeof index>

/** Raised whenever what is kept of an item changes its meaning. */
const indexVersion = 2

function readersNow(): string {
  return [indexVersion, ...formats.map(format => format.name), ...families.flatMap(family => family.modelTypes)].join(' ')
}

/** How the library reads a candidate: headers only. */
export interface HeaderReader {
  readModel(folder: string): Promise<Omit<DiskModel, 'hub' | 'modifiedAt'>>
  readSae(path: string): Promise<SaeSummary>
  /** Brings what the catalogue says of an SAE up to date. */
  withRelease(sae: SaeSummary): Promise<SaeSummary>
}

export interface ScanProgress {
  readonly signal: AbortSignal | undefined
  onFolder(folder: string, folders: number): void
  onFound(found: Pick<DiskContents, 'models' | 'saes' | 'unreadable'>): void
}

/** Errors that say that a path is no SAE, rather than what is wrong with one. */
const noSae = ['sae/unknown-format', 'sae/none', 'sae/several']

/** Whether the catalogue names this very path. */
async function isPublished(at: string): Promise<boolean> {
  const known = await releaseOf(at)
  return known !== null && at.replaceAll(path.sep, '/').endsWith(`/${known.path}`)
}

/** How many items are read at once. */
const atOnce = 4

async function statOf(file: string): Promise<{ line: string; modifiedAt: number }> {
  const stat = await fs.stat(file).catch(() => null)
  const name = path.basename(file)
  return stat === null
    ? { line: `${name}:gone`, modifiedAt: 0 }
    : { line: `${name}:${stat.size}:${stat.mtimeMs}`, modifiedAt: stat.mtimeMs }
}

async function signatureOf(files: readonly string[]): Promise<{ signature: string; modifiedAt: number }> {
  const stats = await Promise.all([...files].sort().map(statOf))
  return { signature: stats.map(({ line }) => line).join('|'), modifiedAt: Math.max(0, ...stats.map(({ modifiedAt }) => modifiedAt)) }
}

/** Two revisions of a repository share what did not change between them: that is one item, whose files are the same. */
async function keyOf({ path: at, files, hub }: Candidate): Promise<string> {
  if (hub === null) return at
  const real = await Promise.all(files.map(file => fs.realpath(file).catch(() => file)))
  return `${hub.repo} ${at.split(hub.commit)[1] ?? ''} ${real.sort().join('|')}`
}

/** Which of two equal items is listed: the main branch's, else another ref's, else that of the first commit. */
function rankOf(hub: HubPlace | null): string {
  if (hub === null) return ''
  return `${hub.refs.includes('main') ? 0 : hub.refs.length > 0 ? 1 : 2} ${hub.commit}`
}

const byName = (a: { name: string; path: string }, b: { name: string; path: string }) =>
  a.name.localeCompare(b.name, 'en', { numeric: true }) || a.path.localeCompare(b.path)

/** Opens what is kept in a home; nothing is read until it is asked for. */
export function openDisk(home: string, reader: HeaderReader) {
  const file = new StateFile(path.join(home, 'library.json'), index.nullable(), () => null)

  async function contentsOf(entries: readonly Entry[], unreadable: readonly UnreadableItem[]) {
    const models: DiskModel[] = []
    const saes: DiskSae[] = []
    const broken = [...unreadable]
    for (const { what, path: at, hub, modifiedAt, model, sae, error } of entries) {
      if (model !== null) models.push({ ...model, hub, modifiedAt })
      else if (sae !== null) saes.push({ ...(await reader.withRelease(sae)), hub, modifiedAt })
      else if (error !== null) broken.push({ what, path: at, name: await nameOf(at, hub), hub, error })
    }
    return { models: models.sort(byName), saes: saes.sort(byName), unreadable: broken.sort(byName) }
  }

  async function nameOf(at: string, hub: HubPlace | null): Promise<string> {
    const known = await releaseOf(at)
    if (known !== null) return known.path
    return hub === null ? path.basename(at) : `${hub.repo}${at.slice(at.indexOf(hub.commit) + hub.commit.length)}`
  }

  /** Reads a candidate, unless it is as it was when it was read last. */
  async function readCandidate(candidate: Candidate, before: ReadonlyMap<string, Entry>): Promise<Entry> {
    const { what, path: at, files, isNamed, hub } = candidate
    const { signature, modifiedAt } = await signatureOf(files)
    const known = before.get(at)
    if (known?.signature === signature && known.what === what) return { ...known, hub }
    const blank = { what, path: at, signature, hub, modifiedAt, model: null, sae: null, error: null, isNothing: false }
    try {
      return what === 'model' ? { ...blank, model: await reader.readModel(at) } : { ...blank, sae: await reader.readSae(at) }
    } catch (thrown) {
      const error = toErrorData(thrown)
      // A published SAE in a format that is not read yet is named too.
      const isMeant = what === 'model' || (isNamed && !noSae.includes(error.kind)) || (await isPublished(at))
      return isMeant ? { ...blank, error } : { ...blank, isNothing: true }
    }
  }

  async function scan(roots: readonly WalkRoot[], progress: ScanProgress): Promise<Index> {
    const kept = await file.read()
    const readers = readersNow()
    const before = new Map((kept?.readers === readers ? kept.entries : []).map(known => [known.path, known]))
    const entries = new Map<string, Entry>()
    const unreadable: UnreadableItem[] = []
    const limits: string[] = []
    let folders = 0
    let reading = 0
    const turns: (() => void)[] = []
    await walk(roots, {
      signal: progress.signal,
      onFolder(folder) {
        folders += 1
        progress.onFolder(folder, folders)
      },
      async onCandidate(candidate) {
        if (reading >= atOnce) await new Promise<void>(resolve => turns.push(resolve))
        reading += 1
        try {
          const read = await readCandidate(candidate, before)
          const key = await keyOf(candidate)
          const other = entries.get(key)
          if (other === undefined || rankOf(read.hub) < rankOf(other.hub)) entries.set(key, read)
          if (!read.isNothing && other === undefined) progress.onFound(await contentsOf([read], []))
          return !read.isNothing
        } finally {
          reading -= 1
          turns.shift()?.()
        }
      },
      onUnreadable(folder, hub, error) {
        const item: UnreadableItem = { what: 'folder', path: folder, name: path.basename(folder), hub, error: error.toData() }
        unreadable.push(item)
        progress.onFound({ models: [], saes: [], unreadable: [item] })
      },
      onLimit: sentence => limits.push(sentence)
    })
    return { readers, scannedAt: Date.now(), folders, limits, entries: [...entries.values()], unreadable }
  }

  async function describe({ entries, unreadable, scannedAt, folders, limits }: Index): Promise<DiskContents> {
    return { ...(await contentsOf(entries, unreadable)), scannedAt, folders, limits }
  }

  return {
    /** What the last scan found, without looking. */
    async contents(): Promise<DiskContents> {
      const kept = await file.read()
      return describe(kept ?? { readers: '', scannedAt: null, folders: 0, limits: [], entries: [], unreadable: [] })
    },

    /**
     * Looks through the library's folders and keeps what it finds. Throws `library/cancelled` when the signal ends it; then what was
     * kept before stays.
     */
    async scanFolders(folders: readonly LibraryFolder[], progress: ScanProgress): Promise<DiskContents> {
      const included = folders.filter(folder => folder.included && folder.exists)
      const roots = (await Promise.all(included.map(rootsOf))).flat()
      const result = await scan(roots, progress)
      await file.write(result)
      return describe(result)
    },

    /** Looks through other folders, and keeps nothing. */
    async scanPaths(paths: readonly string[], progress: ScanProgress): Promise<DiskContents> {
      return describe(
        await scan(
          paths.map(folder => ({ folder: path.resolve(folder), hub: null })),
          progress
        )
      )
    }
  }
}

/** Where the library looks, by its settings. */
export async function libraryFolders({ library }: Settings): Promise<LibraryFolder[]> {
  const all = [
    { path: path.join(resourcesFolder(), 'demo'), origin: 'demo', included: library.demo },
    { path: hubCacheFolder(), origin: 'hub-cache', included: library.hubCache },
    ...library.folders.map(folder => ({ path: folder, origin: 'chosen', included: true }) as const)
  ] as const
  return Promise.all(all.map(async folder => ({ ...folder, exists: await isFolder(folder.path) })))
}

async function isFolder(folder: string): Promise<boolean> {
  return fs.stat(folder).then(
    stat => stat.isDirectory(),
    () => false
  )
}

/** The Hugging Face cache is entered at its snapshots; other folders as they are. */
async function rootsOf({ path: folder, origin }: LibraryFolder): Promise<WalkRoot[]> {
  if (origin !== 'hub-cache') return [{ folder, hub: null }]
  const roots: WalkRoot[] = []
  for (const repo of await readRepositories(folder)) {
    for (const { folder: snapshot, commit, refs } of await readSnapshots(folder, repo)) {
      roots.push({ folder: snapshot, hub: { repo, commit, refs: [...refs] } })
    }
  }
  return roots
}
