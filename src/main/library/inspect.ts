/** Looks through whatever a path holds by its headers, and refuses what is broken: a model folder, an SAE, a file of weights. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { InspectedTensor, Inspection } from '../../contract/inspection.ts'
import { whyUnreadable } from '../checkpoint/open-file.ts'
import type { StoredTensor } from '../checkpoint/tensor.ts'
import { openWeightFile, type WeightEntry } from '../checkpoint/weight-file.ts'
import { isSae } from '../sae/open.ts'
import { looksLikeSae } from '../sae/place.ts'
import { readHookedConfig } from '../transformer/hooked-config.ts'
import { type Model, openModel } from '../transformer/model.ts'
import { looksLikeModel } from './candidates.ts'
import { describeModel, describeSae, openReleased } from './summaries.ts'

function listed({ name, dtype, shape, byteLength, file }: StoredTensor | WeightEntry): InspectedTensor {
  return { name, dtype, shape: [...shape], sizeBytes: byteLength, file }
}

/** A model's config by HookedTransformerConfig's names; its tensors were checked against it. */
function hookedConfig(model: Model): Record<string, unknown> {
  const { architectures } = model.checkpoint.config
  const { config } = readHookedConfig(model.checkpoint.config)
  return {
    model_name: model.name,
    original_architecture: Array.isArray(architectures) ? architectures[0] : null,
    n_layers: model.layers,
    d_model: model.dModel,
    n_ctx: model.context,
    d_head: model.dHead,
    n_heads: model.heads,
    n_key_value_heads: model.keyValueHeads === model.heads ? null : model.keyValueHeads,
    d_mlp: model.dMlp,
    d_vocab: model.vocabulary,
    ...config
  }
}

async function inspectModel(folder: string): Promise<Inspection> {
  const model = await openModel(folder)
  const tensors = [...model.checkpoint.tensors.values()].map(listed)
  return { kind: 'model', path: model.folder, model: describeModel(model), config: hookedConfig(model), tensors }
}

async function inspectSae(at: string): Promise<Inspection> {
  const sae = await openReleased(at, {})
  const [weightsFile = at] = sae.files
  const { entries } = await openWeightFile(weightsFile)
  return { kind: 'sae', path: sae.path, sae: await describeSae(sae), config: { ...sae.config }, tensors: [...entries.values()].map(listed) }
}

async function inspectFile(file: string): Promise<Inspection> {
  // Opened first, so that a broken file says what is broken rather than that it is no SAE.
  const { path: resolved, container, entries, metadata } = await openWeightFile(file)
  if (await isSae(file)) return inspectSae(file)
  return { kind: 'weights', path: resolved, container, metadata: { ...metadata }, tensors: [...entries.values()].map(listed) }
}

/** What a path holds. Throws what is wrong with it, or that it holds none of these, naming the file. */
export async function inspect(given: string): Promise<Inspection> {
  const absolute = path.resolve(given)
  let isFolder: boolean
  try {
    isFolder = (await fs.stat(absolute)).isDirectory()
  } catch (thrown) {
    throw new SpliceError('library/missing', `${given} ${whyUnreadable(thrown)}`, { file: given, hint: 'Check the path.' })
  }
  if (!isFolder) return inspectFile(absolute)
  const names = await fs.readdir(absolute)
  if (looksLikeModel(names)) return inspectModel(absolute)
  if (looksLikeSae(names)) return inspectSae(absolute)
  if (names.includes('config.json')) return inspectModel(absolute)
  throw new SpliceError('library/nothing', `${given} holds neither a model nor an SAE`, {
    file: given,
    hint: 'Name a Hugging Face model folder, the folder of an SAE, or a file of weights (safetensors, npz, pt).'
  })
}
