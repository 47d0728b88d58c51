/** Which folders could be models, by file names and, where those leave it open, by a look at the config. SAEs: src/main/sae/place.ts. */
import path from 'node:path'
import { z } from 'zod'
import { parseJson } from '../checkpoint/json.ts'
import { readText } from '../checkpoint/open-file.ts'

const otherWeights = /\.(safetensors|bin|pth|gguf)$/
const largestConfig = 4 * 1024 * 1024
const modelConfig = z.looseObject({ model_type: z.string() })

/** Whether a folder of these names is a model's, whatever else lies in it. */
export function looksLikeModel(names: readonly string[]): boolean {
  return names.includes('config.json') && names.some(name => /^model(-\d+-of-\d+)?\.safetensors$|\.safetensors\.index\.json$/.test(name))
}

/** Whether a folder is meant as a model's, also where Splice reads no such weights: they lie beside a config that names a model type. */
export async function isModel(folder: string, names: readonly string[]): Promise<boolean> {
  if (looksLikeModel(names)) return true
  if (!names.includes('config.json') || !names.some(name => otherWeights.test(name))) return false
  const file = path.join(folder, 'config.json')
  try {
    return modelConfig.safeParse(parseJson(await readText(file, largestConfig))).success
  } catch {
    return false
  }
}
