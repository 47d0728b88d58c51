/** What lies on this disk: judging a path by its content, listing folders. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { FolderEntry, FolderListing, PathKind } from '../../contract/library.ts'
import { whyUnreadable } from '../checkpoint/open-file.ts'
import { hubCacheFolder } from '../hub/environment.ts'
import { isSae } from '../sae/open.ts'
import { looksLikeSae } from '../sae/place.ts'
import { looksLikeModel } from './candidates.ts'
import { resourcesFolder } from './resources.ts'

/** What a path holds. `folder` is a folder that is neither model nor SAE, `unknown` a file of no known kind. */
export async function kindOf(file: string): Promise<PathKind> {
  const stat = await fs.stat(file).catch(() => null)
  if (stat === null) return 'unknown'
  if (stat.isFile()) return kindOfFile(file)
  const names = await fs.readdir(file).catch((): string[] => [])
  if (looksLikeModel(names)) return 'model'
  return looksLikeSae(names) && (await isSae(file)) ? 'sae' : 'folder'
}

async function kindOfFile(file: string): Promise<PathKind> {
  if (looksLikeSae([path.basename(file)]) && (await isSae(file))) return 'sae'
  return /\.(jsonl|json|csv)(\.gz)?$/.test(file) ? 'explanations' : 'unknown'
}

/** How far below a folder explanations are looked for, and into how many folders of each: bulk data lies in `v1/<model>/<source>/explanations`. */
const deepest = 5
const looksInto = 3

/** Whether a folder holds files of explanations as Neuronpedia's bulk data has them. */
export async function holdsBulkData(folder: string, depth = 0): Promise<boolean> {
  const entries = await fs.readdir(folder, { withFileTypes: true }).catch(() => [])
  if (entries.some(entry => entry.isFile() && /^batch-\d+\.jsonl(\.gz)?$/.test(entry.name))) return true
  if (depth === deepest) return false
  const inside = entries.filter(entry => entry.isDirectory() && !entry.name.startsWith('.')).slice(0, looksInto)
  for (const { name } of inside) if (await holdsBulkData(path.join(folder, name), depth + 1)) return true
  return false
}

/** Starting points for a folder dialog, as far as they exist. */
async function places(): Promise<{ label: string; path: string }[]> {
  const all = [
    { label: 'Home', path: os.homedir() },
    { label: 'Hugging Face cache', path: hubCacheFolder() },
    { label: 'Demo', path: path.join(resourcesFolder(), 'demo') },
    { label: 'Disk', path: path.parse(os.homedir()).root }
  ]
  const there = await Promise.all(
    all.map(place =>
      fs.access(place.path).then(
        () => true,
        () => false
      )
    )
  )
  return all.filter((_, index) => there[index])
}

/** Folders first, then files, each by name; hidden ones left out. Throws `library/unreadable` naming the folder. */
export async function listFolder(given: string | undefined): Promise<FolderListing> {
  const folder = path.resolve(given ?? os.homedir())
  let found: { name: string }[]
  try {
    found = await fs.readdir(folder, { withFileTypes: true })
  } catch (thrown) {
    throw new SpliceError('library/unreadable', `${folder} ${whyUnreadable(thrown)}`, { file: folder, hint: 'Choose another folder.' })
  }
  const shown = found.filter(({ name }) => !name.startsWith('.'))
  const entries = await Promise.all(
    shown.map(async ({ name }): Promise<FolderEntry | null> => {
      const file = path.join(folder, name)
      const stat = await fs.stat(file).catch(() => null)
      if (stat === null) return null
      const isFolder = stat.isDirectory()
      return { name, path: file, isFolder, kind: await kindOf(file), sizeBytes: isFolder ? null : stat.size }
    })
  )
  const kept = entries.filter(entry => entry !== null)
  kept.sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || a.name.localeCompare(b.name, 'en', { numeric: true }))
  const parent = path.dirname(folder)
  return { path: folder, parent: parent === folder ? null : parent, entries: kept, places: await places() }
}
