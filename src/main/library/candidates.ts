/** Which paths could be models or SAEs, by file names and, where those leave it open, by a look at a small file. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { formats } from '../sae/formats/registry.ts'
import { releaseOf } from './releases.ts'

/** Extensions of files that hold weights: what has none of them beside it is neither model nor SAE. */
const weightsPattern = /\.(npz|safetensors|pt|pth|bin|th|ckpt)$/i
const modelWeightsPattern = /(\.safetensors|\.safetensors\.index\.json|\.bin|\.pth|\.gguf)$/i
const configPattern = /\.(json|ya?ml)$/i
const largestConfig = 4 * 1024 * 1024

const modelConfig = z.looseObject({ model_type: z.string() })

/** Whether a file's name says that it may hold weights. */
export function mayHoldWeights(name: string): boolean {
  return weightsPattern.test(name)
}

/**
 * Whether a folder, or a file of it, is an SAE: some format takes it for its own, or the catalogue knows it, so that one in a format
 * that is not read yet is named too. `names` are the names in the folder, one for a file.
 */
export async function isSae(file: string, folder: string, names: readonly string[]): Promise<boolean> {
  const hasWeights = names.some(mayHoldWeights)
  if (!hasWeights && !names.some(name => configPattern.test(name))) return false
  for (const format of formats) if (await format.recognise({ path: file, folder, names })) return true
  return hasWeights && (await releaseOf(file)) !== null
}

/** Whether a folder is a model's: weights beside a config.json that names a model type. */
export async function isModel(folder: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes('config.json') || !names.some(name => modelWeightsPattern.test(name))) return false
  const file = path.join(folder, 'config.json')
  try {
    if ((await fs.stat(file)).size > largestConfig) return false
    return modelConfig.safeParse(JSON.parse(await fs.readFile(file, 'utf8'))).success
  } catch {
    // A config that cannot be read beside weights named as a model's: opening it says what is wrong.
    return names.some(name => /^model(-\d+-of-\d+)?\.safetensors/.test(name))
  }
}
