/** Shared libraries and other files of drivers, found as the system's loaders find them. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { outputOf } from '../machine/program-output.ts'

/** Lines `name (libc6,x86-64) => /path` of `ldconfig -p`, by name. */
export function librariesOf(listing: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of listing.split('\n')) {
    const [, name, file] = /^\s*(\S+) \(.*\) => (\S+)\s*$/.exec(line) ?? []
    if (name !== undefined && file !== undefined && !found.has(name)) found.set(name, file)
  }
  return found
}

/** Linux: the libraries that the loader knows, and those in the folders of LD_LIBRARY_PATH, which go first. */
export async function loadableLibraries(environment: NodeJS.ProcessEnv = process.env): Promise<Map<string, string>> {
  const listing = (await outputOf('/sbin/ldconfig', ['-p'])) ?? (await outputOf('ldconfig', ['-p'])) ?? ''
  const found = librariesOf(listing)
  for (const folder of (environment.LD_LIBRARY_PATH ?? '')
    .split(':')
    .filter(part => part !== '')
    .reverse()) {
    for (const name of await fs.readdir(folder).catch((): string[] => [])) {
      if (name.includes('.so')) found.set(name, path.join(folder, name))
    }
  }
  return found
}

const vulkanManifest = z.object({ ICD: z.object({ library_path: z.string() }) })

/** Where Vulkan's loader looks for drivers on Linux when no variable names them. */
const vulkanFolders = ['/etc/vulkan/icd.d', '/usr/share/vulkan/icd.d', '/usr/local/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d']

/** The manifests of Vulkan drivers: those that VK_DRIVER_FILES names (or VK_ICD_FILENAMES), else those in the usual folders. */
export async function vulkanDrivers(environment: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const named = environment.VK_DRIVER_FILES ?? environment.VK_ICD_FILENAMES ?? ''
  const places = named === '' ? vulkanFolders : named.split(path.delimiter)
  const files = await Promise.all(
    places.map(async place => {
      if (place.endsWith('.json')) return [place]
      const names = await fs.readdir(place).catch((): string[] => [])
      return names.filter(name => name.endsWith('.json')).map(name => path.join(place, name))
    })
  )
  const read = await Promise.all(
    files.flat().map(async file => {
      try {
        return vulkanManifest.safeParse(JSON.parse(await fs.readFile(file, 'utf8'))).success ? file : null
      } catch {
        // The loader passes over what it cannot read, too.
        return null
      }
    })
  )
  return read.filter(file => file !== null)
}
