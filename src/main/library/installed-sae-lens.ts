/** Finds `pretrained_saes.yaml` in installed copies of sae_lens: environments, user and system site-packages, or below a path. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { InstalledCatalogue } from '../../contract/releases.ts'

const yamlName = 'pretrained_saes.yaml'

/** Folders that match a path whose parts may be `*` or end in one. */
async function expand(pattern: string): Promise<string[]> {
  const { root } = path.parse(pattern)
  let found = [root]
  for (const part of pattern.slice(root.length).split(path.sep)) {
    if (!part.includes('*')) {
      found = found.map(folder => path.join(folder, part))
      continue
    }
    const start = part.slice(0, part.indexOf('*'))
    const below = await Promise.all(
      found.map(async folder => {
        const names = await fs.readdir(folder).catch((): string[] => [])
        return names.filter(name => name.startsWith(start)).map(name => path.join(folder, name))
      })
    )
    found = below.flat()
  }
  return found
}

/** An environment's site-packages, on Unix and on Windows. */
const ofEnvironment = (prefix: string) => [path.join(prefix, 'lib', 'python3*', 'site-packages'), path.join(prefix, 'Lib', 'site-packages')]

/** Where Python packages usually lie on this system. */
function usualPlaces(): string[] {
  const home = os.homedir()
  const { VIRTUAL_ENV, CONDA_PREFIX, APPDATA, LOCALAPPDATA } = process.env
  const conda = ['miniconda3', 'anaconda3', 'miniforge3', 'mambaforge', 'micromamba'].flatMap(name => [
    ...ofEnvironment(path.join(home, name)),
    ...ofEnvironment(path.join(home, name, 'envs', '*'))
  ])
  return [
    ...[VIRTUAL_ENV, CONDA_PREFIX].filter(prefix => prefix !== undefined && prefix !== '').flatMap(prefix => ofEnvironment(prefix ?? '')),
    ...ofEnvironment(path.join(home, '.local')),
    ...conda,
    ...ofEnvironment(path.join(home, '.pyenv', 'versions', '*')),
    ...ofEnvironment(path.join(home, '.virtualenvs', '*')),
    ...ofEnvironment(path.join(home, '.local', 'share', 'uv', 'tools', '*')),
    ...(process.platform === 'win32'
      ? [
          path.join(APPDATA ?? path.join(home, 'AppData', 'Roaming'), 'Python', 'Python3*', 'site-packages'),
          path.join(LOCALAPPDATA ?? path.join(home, 'AppData', 'Local'), 'Programs', 'Python', 'Python3*', 'Lib', 'site-packages')
        ]
      : ['/usr/lib/python3*/dist-packages', '/usr/local/lib/python3*/dist-packages', '/usr/local/lib/python3*/site-packages']),
    ...(process.platform === 'darwin'
      ? [
          '/opt/homebrew/lib/python3*/site-packages',
          '/Library/Frameworks/Python.framework/Versions/*/lib/python3*/site-packages',
          path.join(home, 'Library', 'Python', '*', 'lib', 'python', 'site-packages')
        ]
      : [])
  ]
}

/** What a folder that a person names may be: the package, site-packages, an environment, a project with one in it. */
function placesBelow(named: string): string[] {
  return [named, ...ofEnvironment(named), ...['.venv', 'venv', 'env'].flatMap(name => ofEnvironment(path.join(named, name)))]
}

/** The version of sae_lens beside which a table lies, by its dist-info folder. */
async function versionBeside(yaml: string): Promise<string | null> {
  const names = await fs.readdir(path.dirname(path.dirname(yaml))).catch((): string[] => [])
  return names.map(name => /^sae_lens-(.+)\.dist-info$/.exec(name)?.[1]).find(version => version !== undefined) ?? null
}

async function describe(file: string): Promise<InstalledCatalogue | null> {
  const stat = await fs.stat(file).catch(() => null)
  if (stat === null || !stat.isFile()) return null
  return { path: await fs.realpath(file), version: await versionBeside(file), modifiedAt: stat.mtimeMs }
}

/** The tables of installed copies of sae_lens, newest first: in the usual places, or at or below a path that the person named. */
export async function findInstalledCatalogues(named?: string): Promise<InstalledCatalogue[]> {
  const itself = named === undefined ? null : await describe(path.resolve(named))
  if (itself !== null) return [itself]
  const places = named === undefined ? usualPlaces() : placesBelow(path.resolve(named))
  const folders = (await Promise.all(places.map(expand))).flat()
  const files = folders.flatMap(folder => [path.join(folder, 'sae_lens', yamlName), path.join(folder, yamlName)])
  const found = (await Promise.all(files.map(describe))).filter(item => item !== null)
  const unique = new Map(found.map(item => [item.path, item]))
  return [...unique.values()].sort((a, b) => b.modifiedAt - a.modifiedAt)
}
