/** Models and SAEs as the contract describes them, from their headers and the table of releases. */
import path from 'node:path'
import type { ModelSummary, SaeSummary } from '../../contract/library.ts'
import { elementCount } from '../checkpoint/tensor.ts'
import { openSae } from '../sae/open.ts'
import { type Sae, tensorsOf } from '../sae/sae.ts'
import type { Model } from '../transformer/model.ts'
import { readingFacts, releaseOf } from './releases.ts'
import { trapsAt } from './traps.ts'

/** Short name for pickers: in Gemma Scope what follows the repository, else the SAE's own. */
function saeName(sae: Sae): string {
  const parts = sae.path.replace(/[\\/]params\.npz$/, '').split(path.sep)
  const layer = parts.findLastIndex(part => /^layer_\d+$/.test(part) || part === 'embedding')
  return layer === -1 ? sae.name : parts.slice(layer).join('/')
}

/** Bytes of a run's activations for 50 tokens in two rows: residual streams, scores, gated MLP, one piece of logits. */
function estimateMemory(model: Model): number {
  const rows = 100
  const perRow = 8 * model.dModel + 4 * model.dMlp + 6 * model.heads * model.dHead + 50 * model.heads + model.vocabulary / 4
  return 60e6 + 4 * rows * perRow
}

/** A model, from its headers. */
export function describeModel(model: Model): ModelSummary {
  const tensors = [...model.checkpoint.tensors.values()]
  return {
    path: model.folder,
    name: model.name,
    family: model.family,
    layers: model.layers,
    dModel: model.dModel,
    heads: model.heads,
    vocabulary: model.vocabulary,
    context: model.context,
    parameters: tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0),
    dtype: [...new Set(tensors.map(tensor => tensor.dtype))].join(', '),
    sizeBytes: model.checkpoint.sizeBytes,
    memoryEstimateBytes: estimateMemory(model),
    hookPoints: model.hookPoints.map(point => point.name),
    hookWidths: model.hookPoints.map(point => point.width),
    hasTokenizer: model.checkpoint.tokenizerFile !== null
  }
}

/** What a person says of an SAE that they open. */
export interface SaeChoices {
  readonly hook?: string
  readonly hookOut?: string
  readonly normFactor?: number
}

/** An SAE by its headers, with what its release says of how it is read. */
export async function openReleased(saePath: string, choices: SaeChoices): Promise<Sae> {
  return openSae(saePath, { ...choices, release: readingFacts(await releaseOf(saePath)) })
}

/** What the catalogue says of an SAE, put over what it said before: the catalogue may have changed since. */
export async function withRelease(sae: SaeSummary): Promise<SaeSummary> {
  const known = await releaseOf(sae.path)
  return {
    ...sae,
    averageL0: known?.averageL0 ?? null,
    source: known?.source ?? null,
    release: known?.release ?? null,
    saeId: known?.saeId ?? null,
    traps: await trapsAt(sae.path)
  }
}

/** An SAE, with what its release says of it. */
export async function describeSae(sae: Sae): Promise<SaeSummary> {
  const tensors = tensorsOf(sae.weights)
  return withRelease({
    path: sae.path,
    name: saeName(sae),
    format: sae.format,
    architecture: sae.architecture,
    hook: sae.hook,
    hookOut: sae.hookOut,
    headIndex: sae.headIndex,
    dIn: sae.dIn,
    dSae: sae.dSae,
    dOut: sae.dOut,
    activation: sae.weights.activation.kind,
    normalisation: sae.normalisation,
    normFactor: sae.normFactor,
    appliesDecoderBiasToInput: sae.appliesDecoderBiasToInput,
    hasSkip: sae.weights.skip !== null,
    model: sae.model,
    notes: [...sae.notes],
    averageL0: null,
    source: null,
    release: null,
    saeId: null,
    dtype: [...new Set(tensors.map(tensor => tensor.dtype))].join(', '),
    sizeBytes: tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0),
    traps: []
  })
}
