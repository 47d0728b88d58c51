/** What lies at the path of an SAE: its weights file, opened from its headers, and the configs beside it. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { parseJson as parsePlainJson } from '../checkpoint/json.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'
import { openWeightFile, type WeightFile } from '../checkpoint/weight-file.ts'
import { parseYaml } from '../checkpoint/yaml.ts'

/** A config file's top level, and the file that it is from. */
export interface ConfigFile {
  readonly file: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface SaePlace {
  /** The folder or file that the person named, absolute. */
  readonly path: string
  /** The folder of the weights. */
  readonly folder: string
  /** The weights file's name in it. */
  readonly weightsName: string
  readonly weights: WeightFile
  /** A JSON or YAML config by its path from the folder; null where it is not there. Throws `sae/config` where it is not an object. */
  config(name: string): Promise<ConfigFile | null>
}

/** Names of weights files that say by themselves what they are, in the order in which they are looked for. */
const knownNames = [
  'params.npz',
  'params.safetensors',
  'sae_weights.safetensors',
  'sae.safetensors',
  'ae.pt',
  path.join('checkpoints', 'final.safetensors')
]
const weightsExtension = /\.(npz|safetensors|pt|pth)$/
/** What lies beside the weights in SAELens's folders, and the weights of models. */
const besideWeights = /^(sparsity|activations_store_state|trainer_state|model|model-\d+-of-\d+)\.(safetensors|pt)$/
const maximumConfigBytes = 4 * 1024 * 1024

function refuse(what: string, file: string, problem: string, hint: string): never {
  throw new SpliceError(`sae/${what}`, `${file} ${problem}`, { file, hint })
}

/** Whether a folder of these names is called as SAEs are, so that one that cannot be read is a broken SAE rather than none. */
export function isNamedAsSae(names: readonly string[]): boolean {
  return knownNames.some(name => names.includes(name.split(path.sep)[0] ?? name))
}

/** Whether weights of this name have a folder of their own, whose name says what they are. */
export function isFolderName(file: string): boolean {
  return knownNames.some(name => path.basename(name) === file)
}

/** Whether a folder or file of these names may be an SAE, judged without opening it. */
export function looksLikeSae(names: readonly string[]): boolean {
  return isNamedAsSae(names) || weightsIn(names).length > 0
}

function weightsIn(names: readonly string[]): string[] {
  return names.filter(name => weightsExtension.test(name) && !besideWeights.test(name))
}

async function isFile(file: string): Promise<boolean> {
  const stat = await fs.stat(file).catch(() => null)
  return stat?.isFile() === true
}

/** The weights file of a folder. Throws `sae/none` where it has none and `sae/several` where it has several, naming them. */
async function weightsOf(folder: string): Promise<string> {
  for (const name of knownNames) if (await isFile(path.join(folder, name))) return name
  const names = (await fs.readdir(folder)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const [first, ...others] = weightsIn(names)
  if (first !== undefined && others.length === 0) return first
  if (first !== undefined) {
    const some = others.length > 3 ? `${first}, ${others[0]} and ${others.length - 1} more` : [first, ...others].join(', ')
    return refuse('several', folder, `holds several weights files: ${some}`, `Name one of them, e.g. ${path.join(folder, first)}.`)
  }
  const below = await folderBelow(folder, names)
  const hint = below === null ? 'Name the folder or the weights file of one SAE.' : `Name the folder of one SAE, e.g. ${below}.`
  return refuse('none', folder, 'has no weights file of an SAE', hint)
}

/** The first folder right below that holds an SAE. */
async function folderBelow(folder: string, names: readonly string[]): Promise<string | null> {
  for (const name of names.slice(0, 200)) {
    const inner = await fs.readdir(path.join(folder, name)).catch(() => [])
    if (looksLikeSae(inner)) return path.join(folder, name)
  }
  return null
}

/** JSON, in which Python may have written NaN and infinities: those become null. */
function parseJson(text: string): unknown {
  try {
    return parsePlainJson(text)
  } catch {
    return parsePlainJson(text.replaceAll(/(?<=[:[,]\s*)(?:NaN|-?Infinity)(?=\s*[,\]}])/g, 'null'))
  }
}

async function readConfig(file: string): Promise<ConfigFile | null> {
  if (!(await isFile(file))) return null
  let text: string
  try {
    text = await readText(file, maximumConfigBytes)
  } catch (thrown) {
    return refuse('config', file, whyUnreadable(thrown), 'Download the SAE again.')
  }
  let value: unknown
  try {
    value = /\.ya?ml$/.test(file) ? parseYaml(text) : parseJson(text)
  } catch {
    return refuse('config', file, `is not ${/\.ya?ml$/.test(file) ? 'plain YAML' : 'JSON'}`, 'Download the SAE again.')
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(value)
  if (!parsed.success) return refuse('config', file, 'does not hold an object', 'Download the SAE again.')
  return { file: await fs.realpath(file), value: parsed.data }
}

/** Opens what lies at a path. Throws `sae/unreadable`, `sae/none`, `sae/several`, and what opening a weights file throws. */
export async function openPlace(given: string): Promise<SaePlace> {
  const absolute = path.resolve(given)
  let isFolder: boolean
  try {
    isFolder = (await fs.stat(absolute)).isDirectory()
  } catch (thrown) {
    return refuse('unreadable', given, whyUnreadable(thrown), 'Check the path of the SAE.')
  }
  const folder = isFolder ? absolute : path.dirname(absolute)
  const weightsName = isFolder ? await weightsOf(absolute) : path.basename(absolute)
  const weights = await openWeightFile(path.join(folder, weightsName))
  const configs = new Map<string, Promise<ConfigFile | null>>()
  return {
    path: absolute,
    folder,
    weightsName,
    weights,
    config(name) {
      const known = configs.get(name) ?? readConfig(path.join(folder, name))
      configs.set(name, known)
      return known
    }
  }
}
