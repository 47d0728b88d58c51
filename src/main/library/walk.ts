/**
 * Walks folders and says which paths could be models and SAEs. Links are followed, each folder is visited once however many ways
 * lead to it, and the walk is bounded in depth and number.
 */
import type { Dirent } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { HubPlace } from '../../contract/library.ts'
import { whyUnreadable } from '../checkpoint/open-file.ts'
import { isNamedAsSae, looksLikeSae } from '../sae/place.ts'
import { isModel } from './candidates.ts'

/** A path that could be a model or an SAE. `files` are those that make it up, for telling whether it changed. */
export interface Candidate {
  readonly what: 'model' | 'sae'
  readonly path: string
  readonly files: readonly string[]
  /** Whether its name says what it is: if it cannot be read it is broken, else it is something else. */
  readonly isNamed: boolean
  readonly hub: HubPlace | null
}

export interface WalkRoot {
  readonly folder: string
  readonly hub: HubPlace | null
}

export interface WalkOptions {
  readonly signal: AbortSignal | undefined
  onFolder(folder: string): void
  /** Tells whether it is one. */
  onCandidate(candidate: Candidate): Promise<boolean>
  onUnreadable(folder: string, hub: HubPlace | null, error: SpliceError): void
  /** A bound that ended the walk early, as a sentence. */
  onLimit(sentence: string): void
}

const deepest = 12
const mostFolders = 60_000
/** Weights files of one folder that are looked at one by one. */
const mostFilesOfFolder = 2000
/** How many folders are read at once: slow disks answer many questions as fast as one. */
const atOnce = 8

interface Visit extends WalkRoot {
  /** With links resolved. */
  readonly real: string
  readonly depth: number
}

/** Walks all roots. Throws `library/cancelled` when the signal ends it. */
export async function walk(roots: readonly WalkRoot[], options: WalkOptions): Promise<void> {
  const visited = new Set<string>()
  let count = 0
  let level: Visit[] = []
  for (const root of roots) {
    const real = await fs.realpath(root.folder).catch(() => null)
    if (real !== null) level.push({ ...root, real, depth: 0 })
  }
  while (level.length > 0) {
    const next: Visit[] = []
    const waiting = level
    const lane = async () => {
      for (let visit = waiting.shift(); visit !== undefined; visit = waiting.shift()) {
        if (options.signal?.aborted) throw new SpliceError('library/cancelled', 'the scan was cancelled', { mistake: false })
        if (visited.has(visit.real)) continue
        visited.add(visit.real)
        if (count >= mostFolders) return
        count += 1
        options.onFolder(visit.folder)
        next.push(...(await visitFolder(visit, options)))
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
    if (count >= mostFolders) {
      options.onLimit(`After ${mostFolders} folders the search ended. Name folders further inside.`)
      return
    }
    const tooDeep = next.find(visit => visit.depth > deepest)
    if (tooDeep !== undefined) options.onLimit(`${tooDeep.folder} and folders as deep were not looked into.`)
    level = next.filter(visit => visit.depth <= deepest)
  }
}

/** Files and folders of a folder, links followed. A link that leads nowhere counts as a file: opening it says so. */
async function readEntries(folder: string): Promise<{ files: string[]; folders: { name: string; real: string | null }[] }> {
  const entries: Dirent[] = await fs.readdir(folder, { withFileTypes: true })
  const files: string[] = []
  const folders: { name: string; real: string | null }[] = []
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
    if (entry.isDirectory()) folders.push({ name: entry.name, real: null })
    else if (entry.isFile()) files.push(entry.name)
    else if (entry.isSymbolicLink()) {
      const file = path.join(folder, entry.name)
      const stat = await fs.stat(file).catch(() => null)
      if (stat?.isDirectory()) folders.push({ name: entry.name, real: await fs.realpath(file) })
      else if (stat === null || stat.isFile()) files.push(entry.name)
    }
  }
  return { files, folders }
}

/** Reports what a folder could be and gives the folders inside. There is nothing to find inside a model or an SAE. */
async function visitFolder(visit: Visit, options: WalkOptions): Promise<Visit[]> {
  const { folder, real, depth, hub } = visit
  let entries: Awaited<ReturnType<typeof readEntries>>
  try {
    entries = await readEntries(folder)
  } catch (thrown) {
    const why = whyUnreadable(thrown)
    options.onUnreadable(
      folder,
      hub,
      new SpliceError('library/unreadable', `${folder} ${why}`, { file: folder, hint: 'Check its permissions.' })
    )
    return []
  }
  const { files, folders } = entries
  const names = [...files, ...folders.map(({ name }) => name)]
  const report = (what: Candidate['what'], at: string, of: readonly string[], isNamed: boolean) =>
    options.onCandidate({ what, path: at, files: of.map(name => path.join(folder, name)), isNamed, hub })
  if ((await isModel(folder, files)) && (await report('model', folder, files, true))) return []
  if (isNamedAsSae(names) && (await report('sae', folder, names, true))) return []
  const weights = files.filter(name => looksLikeSae([name]))
  if (weights.length > mostFilesOfFolder) options.onLimit(`Of ${folder}, ${mostFilesOfFolder} of ${weights.length} files were looked at.`)
  for (const name of weights.slice(0, mostFilesOfFolder)) await report('sae', path.join(folder, name), [name], false)
  return folders.map(({ name, real: linked }) => ({
    folder: path.join(folder, name),
    real: linked ?? path.join(real, name),
    depth: depth + 1,
    hub
  }))
}
