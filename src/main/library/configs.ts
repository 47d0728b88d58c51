/** Configs to read: all that an SAE's files and its release say, and a model's config in HookedTransformerConfig's names. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { ConfigValue, ModelConfig, SaeConfig } from '../../contract/configs.ts'
import { readJsonFile } from '../checkpoint/checkpoint.ts'
import { parseJson } from '../checkpoint/json.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'
import { parseYaml } from '../checkpoint/yaml.ts'
import { type Sae, tensorsOf } from '../sae/sae.ts'
import { readHookedConfig } from '../transformer/hooked-config.ts'
import { processingEffects } from '../transformer/processing-effects.ts'
import { releaseIndex, releaseOf } from './releases.ts'
import { openReleased } from './summaries.ts'
import { trapsAt } from './traps.ts'

const largestConfig = 1024 * 1024
const mostConfigs = 12
/** Files that hold weights' places or sparsities, not a config. */
const noConfig = /(\.safetensors\.index|sparsity|tokenizer)[^/]*\.json$/

type ConfigFile = SaeConfig['files'][number]

async function readConfigFile(file: string): Promise<ConfigFile> {
  const none = (why: string): ConfigFile => ({ file, value: null, why })
  let text: string
  try {
    text = await readText(file, largestConfig)
  } catch (thrown) {
    return none(whyUnreadable(thrown))
  }
  try {
    return { file, value: file.endsWith('.json') ? parseJson(text) : parseYaml(text), why: null }
  } catch {
    return none('is not valid')
  }
}

/** Config files of an SAE: those of its folder; of a single file, those beside it that are not another file's. */
async function configFilesOf(saePath: string): Promise<ConfigFile[]> {
  const isFolder = (await fs.stat(saePath)).isDirectory()
  const folder = isFolder ? saePath : path.dirname(saePath)
  const stem = path.parse(saePath).name
  const names = (await fs.readdir(folder)).filter(name => /\.(json|ya?ml)$/.test(name) && !noConfig.test(name))
  const own = isFolder
    ? names
    : names.filter(name => name.startsWith(stem) || /^(wandb-|wanb-)?(config|cfg|hyperparams)\.(json|ya?ml)$/.test(name))
  return Promise.all(
    own
      .sort()
      .slice(0, mostConfigs)
      .map(name => readConfigFile(path.join(folder, name)))
  )
}

const plain = z.union([z.string(), z.number(), z.boolean(), z.null()])
/** What is shown beside the reading, or says nothing of the SAE itself. */
const notShown = new Set(['path', 'name', 'keepsOwnKwargs'])

/** How an SAE is read, by name: what is plain, and what its parts come down to. */
function readingOf(sae: Sae): SaeConfig['reading'] {
  const { activation } = sae.weights
  const own = Object.entries(sae).flatMap(([name, value]): [string, z.infer<typeof plain>][] => {
    const parsed = plain.safeParse(value)
    return notShown.has(name) || !parsed.success ? [] : [[name, parsed.data]]
  })
  return {
    ...Object.fromEntries(own),
    activation: activation.kind,
    ...(activation.kind === 'topk' ? { k: activation.k } : {}),
    ...(sae.normFactor === null ? { normFactor: null } : { normFactor: sae.normFactor.value, normFactorFrom: sae.normFactor.from }),
    skip: sae.weights.skip !== null
  }
}

/** All that is known of an SAE without its weights. Throws what opening it throws. */
export async function readSaeConfig(given: string, hook: string | undefined): Promise<SaeConfig> {
  const sae = await openReleased(given, hook === undefined ? {} : { hook })
  const { catalogue } = await releaseIndex()
  const known = await releaseOf(sae.path)
  const [weightsFile = sae.path] = sae.files
  return {
    path: sae.path,
    reading: readingOf(sae),
    notes: [...sae.notes],
    tensors: tensorsOf(sae.weights).map(({ name, dtype, shape, byteLength }) => ({
      name,
      dtype,
      shape: [...shape],
      file: weightsFile,
      sizeBytes: byteLength
    })),
    files: await configFilesOf(sae.path),
    release: known === null ? null : { ...known },
    catalogue: { asOf: catalogue.state.asOf, origin: catalogue.state.origin },
    traps: await trapsAt(sae.path)
  }
}

function configValue(value: unknown): ConfigValue {
  if (Array.isArray(value)) return value.map(String)
  const parsed = plain.safeParse(value)
  return parsed.success ? parsed.data : JSON.stringify(value)
}

/** A model's config, without opening its weights. Throws `checkpoint/config` where config.json cannot be read. */
export async function readModelConfig(given: string): Promise<ModelConfig> {
  const folder = path.resolve(given)
  const file = path.join(folder, 'config.json')
  const value = await readJsonFile(file, z.record(z.string(), z.unknown()))
  const { config, hasValueBiases, why } = readHookedConfig(value)
  return {
    path: folder,
    architecture: config?.original_architecture ?? null,
    config: config === null ? null : Object.fromEntries(Object.entries(config).map(([name, field]) => [name, configValue(field)])),
    why,
    processing: config === null ? [] : processingEffects(config, hasValueBiases),
    file,
    value
  }
}
