/** Whole files to break: those of the golden data, and the demo's. */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const golden = fileURLToPath(new URL('../../fixtures/golden', import.meta.url))

/** The demo, and its files of explanations. */
export const demo = fileURLToPath(new URL('../../resources/demo', import.meta.url))

/** A file of the golden data. */
export function goldenFile(...parts: string[]): Buffer {
  return fs.readFileSync(path.join(golden, ...parts))
}

/** Files below a folder of the golden data, by their paths from it. */
export function goldenFiles(folder: string, pattern: RegExp): { name: string; bytes: Buffer }[] {
  return fs
    .readdirSync(path.join(golden, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => pattern.test(name) && fs.statSync(path.join(golden, folder, name)).isFile())
    .sort()
    .map(name => ({ name, bytes: goldenFile(folder, name) }))
}

/** A folder of files, held in memory. */
export type Folder = readonly { readonly name: string; readonly bytes: Buffer }[]

/** Every folder below `folder` that has a file of this name, with its files. */
export function goldenFolders(folder: string, pattern: RegExp): { name: string; files: Folder }[] {
  const all = goldenFiles(folder, /./)
  const found = [...new Set(all.filter(({ name }) => pattern.test(path.basename(name))).map(({ name }) => path.dirname(name)))]
  return found.map(name => ({
    name,
    files: all.filter(file => path.dirname(file.name) === name).map(({ name: inner, bytes }) => ({ name: path.basename(inner), bytes }))
  }))
}

/** Writes files below a folder. */
export function writeFolder(folder: string, files: Folder): void {
  for (const { name, bytes } of files) {
    const file = path.join(folder, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, bytes)
  }
}
