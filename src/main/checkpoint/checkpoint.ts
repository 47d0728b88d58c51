/**
 * Opens Hugging Face model folders: config.json, one model.safetensors or shards with their index, tokenizer files.
 * Only headers are read; a shard's name may not lead out of the folder.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { type JsonBounds, parseJson, whyNoJson } from './json.ts'
import { readText, whyUnreadable } from './open-file.ts'
import { readSafetensors } from './safetensors.ts'
import type { StoredTensor, TensorFile } from './tensor.ts'

export interface Checkpoint {
  /** Absolute; links are not resolved, so that it stays the folder the person named. */
  readonly folder: string
  readonly config: Readonly<Record<string, unknown>>
  /** config.json's `model_type`. */
  readonly modelType: string
  readonly tensors: ReadonlyMap<string, StoredTensor>
  readonly files: readonly TensorFile[]
  readonly sizeBytes: number
  readonly tokenizerFile: string | null
  readonly tokenizerConfigFile: string | null
}

/** Far more than any config.json has, and any index of shards. Bytes. */
const maximumConfigBytes = 4 * 1024 * 1024
const maximumIndexBytes = 32 * 1024 * 1024
/** Mixtures of hundreds of experts have 100,000 tensors. */
const indexBounds: JsonBounds = { depth: 10, values: 500_000 }
const configSchema = z.looseObject({ model_type: z.string() })
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) })

/** A JSON file by a schema. Throws `checkpoint/config` naming the file and the first field that does not fit. */
export async function readJsonFile<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  mostBytes = maximumConfigBytes,
  bounds?: JsonBounds
): Promise<z.infer<Schema>> {
  const refuse = (problem: string, field?: string) =>
    new SpliceError('checkpoint/config', `${file} ${problem}`, { file, field, hint: 'Download the file again.' })
  let text: string
  try {
    text = await readText(file, mostBytes)
  } catch (thrown) {
    throw refuse(whyUnreadable(thrown))
  }
  let value: unknown
  try {
    value = parseJson(text, bounds)
  } catch (thrown) {
    throw refuse(whyNoJson(thrown))
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path.join('.') ?? ''
  throw refuse(field === '' ? 'is not a JSON object' : `has no usable ${field}`, field)
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false
  )
}

/** A file of the folder, or null. */
async function fileOf(folder: string, name: string): Promise<string | null> {
  const file = path.join(folder, name)
  return (await exists(file)) ? file : null
}

async function refuseNonFolder(folder: string): Promise<void> {
  const refuse = (why: string) =>
    new SpliceError('checkpoint/no-folder', `${folder} ${why}`, { file: folder, hint: 'Name the folder that holds config.json.' })
  try {
    if (!(await fs.stat(folder)).isDirectory()) throw refuse('is not a folder')
  } catch (thrown) {
    throw thrown instanceof SpliceError ? thrown : refuse(whyUnreadable(thrown))
  }
}

/** Opens a model folder. Throws `checkpoint/...` or `safetensors/...` naming the file and what to do. */
export async function openCheckpoint(given: string): Promise<Checkpoint> {
  const folder = path.resolve(given)
  await refuseNonFolder(folder)
  const configFile = path.join(folder, 'config.json')
  if (!(await exists(configFile))) {
    throw new SpliceError('checkpoint/no-config', `${folder} has no config.json`, {
      file: folder,
      hint: 'Name a Hugging Face model folder: config.json, tokenizer.json and safetensors files.'
    })
  }
  const config = await readJsonFile(configFile, configSchema)
  const files = await readWeights(folder)
  const tensors = new Map<string, StoredTensor>()
  for (const file of files) {
    for (const [name, tensor] of file.tensors) {
      const other = tensors.get(name)
      if (other !== undefined) {
        throw new SpliceError('checkpoint/tensor-twice', `${name} is in both ${other.file} and ${tensor.file}`, {
          file: tensor.file,
          field: name
        })
      }
      tensors.set(name, tensor)
    }
  }
  return {
    folder,
    config,
    modelType: config.model_type,
    tensors,
    files,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    tokenizerFile: await fileOf(folder, 'tokenizer.json'),
    tokenizerConfigFile: await fileOf(folder, 'tokenizer_config.json')
  }
}

async function readWeights(folder: string): Promise<TensorFile[]> {
  const index = path.join(folder, 'model.safetensors.index.json')
  if (await exists(index)) return readShards(folder, index)
  const single = path.join(folder, 'model.safetensors')
  if (await exists(single)) return [await readSafetensors(single)]
  const names = await fs.readdir(folder)
  const torch = names.find(name => name.endsWith('.bin') || name.endsWith('.pth') || name.endsWith('.gguf'))
  const shard = names.find(name => /^model-\d+-of-\d+\.safetensors$/.test(name))
  const hint =
    shard !== undefined
      ? `${shard} is there, but not model.safetensors.index.json, which says what is in which shard.`
      : torch === undefined
        ? 'Download model.safetensors, or its shards with model.safetensors.index.json.'
        : `${torch} is there, but Splice reads safetensors only; convert it with transformers' save_pretrained.`
  throw new SpliceError('checkpoint/no-weights', `${folder} has no model.safetensors`, { file: folder, hint })
}

async function readShards(folder: string, index: string): Promise<TensorFile[]> {
  const { weight_map: map } = await readJsonFile(index, indexSchema, maximumIndexBytes, indexBounds)
  const names = [...new Set(Object.values(map))].sort()
  for (const name of names) {
    if (name === path.basename(name) && !name.includes('\\') && name !== '..' && name !== '.') continue
    throw new SpliceError('checkpoint/shard-outside', `${index} names the shard ${name}, which is not a file of its folder`, {
      file: index,
      field: 'weight_map',
      hint: 'Shards lie beside their index; this file asks for something else.'
    })
  }
  const shards = new Map<string, TensorFile>()
  for (const name of names) {
    const file = path.join(folder, name)
    if (!(await exists(file))) {
      throw new SpliceError('checkpoint/shard-missing', `${folder} lacks the shard ${name} that its index names`, {
        file,
        hint: `Download ${name}; ${names.length} shards are needed.`
      })
    }
    shards.set(name, await readSafetensors(file))
  }
  for (const [tensor, shard] of Object.entries(map)) {
    if (shards.get(shard)?.tensors.has(tensor) === true) continue
    throw new SpliceError('checkpoint/tensor-missing', `${index} says that ${tensor} is in ${shard}, but it is not`, {
      file: path.join(folder, shard),
      field: tensor,
      hint: 'The index and its shards belong to different downloads.'
    })
  }
  return [...shards.values()]
}
