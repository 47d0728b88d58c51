/**
 * The Hugging Face cache on this disk, laid out as huggingface_hub does:
 *   models--owner--name/blobs/<etag>                      content, by sha256 (LFS) or git blob id
 *   models--owner--name/snapshots/<commit>/<path>         relative link into blobs, a copy where links cannot be made
 *   models--owner--name/refs/<revision>                   the commit that a branch or tag stood for
 */
import { randomBytes } from 'node:crypto'
import type { Dirent } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'

const commitPattern = /^[0-9a-f]{40}$/

/** Whether a revision is a whole commit id. */
export function isCommit(revision: string): boolean {
  return commitPattern.test(revision)
}

/** A repository's folder in the cache, e.g. `models--google--gemma-2-2b`. */
export function repositoryFolder(cache: string, repo: string): string {
  return path.join(cache, `models--${repo.replaceAll('/', '--')}`)
}

/** The repository whose folder this is; null for a folder of another kind. */
export function repositoryOf(folderName: string): string | null {
  const name = /^models--(.+)$/.exec(folderName)?.[1]
  return name === undefined ? null : name.replace('--', '/')
}

/** A snapshot of a repository: its files at one commit. */
export interface CachedSnapshot {
  readonly repo: string
  readonly commit: string
  readonly folder: string
  /** Branches and tags that stood for the commit when it was downloaded. */
  readonly refs: readonly string[]
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return fs.readdir(folder, { withFileTypes: true }).catch(() => [])
}

/** All refs of a repository's folder: name -> commit. Names may have slashes, e.g. `refs/pr/1`. */
async function readRefs(folder: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>()
  async function visit(below: string, prefix: string, depth: number): Promise<void> {
    for (const entry of await entriesOf(below)) {
      const file = path.join(below, entry.name)
      if (entry.isDirectory() && depth > 0) await visit(file, `${prefix}${entry.name}/`, depth - 1)
      else if (entry.isFile()) {
        const commit = (await fs.readFile(file, 'utf8').catch(() => '')).trim()
        if (isCommit(commit)) refs.set(prefix + entry.name, commit)
      }
    }
  }
  await visit(path.join(folder, 'refs'), '', 4)
  return refs
}

/** The snapshots of a repository's folder: those that a ref names first, `main` before all, then by commit. */
export async function readSnapshots(cache: string, repo: string): Promise<CachedSnapshot[]> {
  const folder = repositoryFolder(cache, repo)
  const refs = await readRefs(folder)
  const commits = (await entriesOf(path.join(folder, 'snapshots'))).filter(entry => entry.isDirectory()).map(entry => entry.name)
  const rank = (names: readonly string[]) => (names.includes('main') ? 0 : names.length > 0 ? 1 : 2)
  return commits
    .map(commit => ({
      repo,
      commit,
      folder: path.join(folder, 'snapshots', commit),
      refs: [...refs].filter(([, named]) => named === commit).map(([name]) => name)
    }))
    .sort((a, b) => rank(a.refs) - rank(b.refs) || a.commit.localeCompare(b.commit))
}

/** The repositories of a cache, by name. A cache that is not there has none. */
export async function readRepositories(cache: string): Promise<string[]> {
  return (await entriesOf(cache))
    .filter(entry => entry.isDirectory() || entry.isSymbolicLink())
    .map(entry => repositoryOf(entry.name))
    .filter(repo => repo !== null)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** Writes which commit a revision stands for, whole or not at all. A revision that is the commit itself needs no ref. */
export async function writeRef(cache: string, repo: string, revision: string, commit: string): Promise<void> {
  if (revision === commit) return
  const file = path.join(repositoryFolder(cache, repo), 'refs', ...revision.split('/'))
  if ((await fs.readFile(file, 'utf8').catch(() => '')) === commit) return
  await fs.mkdir(path.dirname(file), { recursive: true })
  const part = `${file}.${randomBytes(4).toString('hex')}.tmp`
  await fs.writeFile(part, commit)
  await fs.rename(part, file)
}

/** Where a file's content lies, and where it stands in a snapshot. */
export interface CachedFile {
  readonly blob: string
  readonly pointer: string
}

/** The places of a file. `within` must be a path that `isSafePath` lets pass. */
export function placesOf(cache: string, repo: string, commit: string, within: string, etag: string): CachedFile {
  const folder = repositoryFolder(cache, repo)
  return { blob: path.join(folder, 'blobs', etag), pointer: path.join(folder, 'snapshots', commit, ...within.split('/')) }
}

/** Whether a path that the hub names stays inside the folder it is put into, on every system. */
export function isSafePath(within: string): boolean {
  if (within === '' || within.includes('\\') || within.includes('\0')) return false
  return within.split('/').every(part => part !== '' && part !== '.' && part !== '..' && !/^[a-zA-Z]:/.test(part))
}

/** Whether a path leads to a whole file of this size. */
export async function isThere(file: string, sizeBytes: number): Promise<boolean> {
  const stat = await fs.stat(file).catch(() => null)
  return stat?.isFile() === true && stat.size === sizeBytes
}

/** Puts a blob into its snapshot: a relative link, or a copy where the system makes no links. What stood there goes only for a whole one. */
export async function pointToBlob({ blob, pointer }: CachedFile): Promise<void> {
  const folder = path.dirname(pointer)
  await fs.mkdir(folder, { recursive: true })
  const part = `${pointer}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await fs.symlink(path.relative(folder, blob), part)
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : ''
    if (code !== 'EPERM' && code !== 'EACCES' && code !== 'ENOSYS' && code !== 'ENOTSUP' && code !== 'UNKNOWN') throw thrown
    await fs.copyFile(blob, part)
  }
  await fs.rename(part, pointer)
}
