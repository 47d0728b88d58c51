/** A Hugging Face cache as Python's hub leaves it: blobs, relative links in a snapshot, a ref. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** The commit of every snapshot made here. */
export const cachedCommit = 'c'.repeat(40)

/** Puts a copy of a file into a cache, as a file of a repository's main branch; gives its path in the snapshot. */
export function cacheFile(cache: string, repo: string, within: string, source: string): string {
  const repository = join(cache, `models--${repo.replace('/', '--')}`)
  const blob = join(repository, 'blobs', within.replaceAll(/\W/g, '-'))
  const pointer = join(repository, 'snapshots', cachedCommit, within)
  const ref = join(repository, 'refs/main')
  for (const file of [blob, pointer, ref]) mkdirSync(dirname(file), { recursive: true })
  cpSync(source, blob)
  symlinkSync(relative(dirname(pointer), blob), pointer)
  writeFileSync(ref, cachedCommit)
  return pointer
}
