/**
 * Gemma Scope (Lieberum et al. 2024, arXiv:2408.05147): one params.npz per SAE or transcoder with W_enc [dIn, dSae],
 * W_dec [dSae, dOut], b_enc, b_dec and threshold, all JumpReLU; b_dec is not subtracted from the input. There is no config:
 * repository and folder names say which activation it reads, `google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71`.
 * Transcoders read `ln2.hook_normalized`, without the norm's gain, and stand in for `hook_mlp_out`.
 */
import path from 'node:path'
import type { SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { Tensors } from './parts.ts'
import { finetuningFactor } from './scaling-factor.ts'

/** The arrays' names, and those that some repositories write instead. */
const names = {
  encoder: ['W_enc', 'w_enc', 'wenc', 'w_e'],
  decoder: ['W_dec', 'w_dec', 'wdec', 'w_d'],
  encoderBias: ['b_enc', 'benc', 'b_e'],
  decoderBias: ['b_dec', 'bdec', 'b_d']
}

/** Which hook point a path names; `out` for transcoders alone. */
export interface PathHooks {
  readonly hook: string
  readonly out: string | null
}

/** Where an SAE or transcoder belongs by its folder's path; null where the path does not say. */
export function hooksOfPath(folder: string): PathHooks | null {
  const parts = folder.split(/[\\/]/)
  const isSite = (site: string) => parts.some(part => new RegExp(`^(models--.*--)?[^/]*-${site}$`).test(part))
  if (parts.includes('embedding')) return { hook: 'hook_embed', out: null }
  const layer = parts.map(part => /^layer_(\d+)$/.exec(part)?.[1]).find(number => number !== undefined)
  if (layer === undefined) return null
  if (isSite('transcoders')) return { hook: `blocks.${layer}.ln2.hook_normalized`, out: `blocks.${layer}.hook_mlp_out` }
  if (isSite('res')) return { hook: `blocks.${layer}.hook_resid_post`, out: null }
  if (isSite('mlp')) return { hook: `blocks.${layer}.hook_mlp_out`, out: null }
  if (isSite('att')) return { hook: `blocks.${layer}.attn.hook_z`, out: null }
  return null
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const tensors = new Tensors(place.weights)
  const { entry: encoder, rows: dIn, columns: dSae } = tensors.matrix(...names.encoder)
  const byPath = hooksOfPath(place.folder)
  const hook = choices.hook ?? byPath?.hook ?? null
  const hookOut = choices.hookOut ?? byPath?.out ?? null
  const dOut = hookOut === null ? dIn : tensors.matrix(...names.decoder).columns
  const weights = {
    encoder,
    decoder: tensors.of([dSae, dOut], ...names.decoder),
    encoderBias: tensors.of([dSae], ...names.encoderBias),
    decoderBias: tensors.of([dOut], ...names.decoderBias),
    activation: { kind: 'jumprelu', threshold: { tensor: tensors.of([dSae], 'threshold'), isLogarithm: false } } as const,
    actsScale: await finetuningFactor(tensors, dSae, false)
  }
  tensors.finish('a Gemma Scope SAE')
  // Embedding SAEs were trained on the unscaled embedding; hook_embed is TransformerLens's, times sqrt(dModel).
  const embeddingScale = hook === 'hook_embed' ? Math.sqrt(dIn) : 1
  return {
    architecture: hookOut === null ? 'jumprelu' : 'jumprelu_transcoder',
    hook,
    hookOut,
    isTranscoder: hookOut !== null,
    dIn,
    dSae,
    dOut,
    weights,
    appliesDecoderBiasToInput: false,
    encoderScale: 1 / embeddingScale,
    decoderScale: embeddingScale,
    config: {},
    configFiles: []
  }
}

export const gemmaScope: SaeFormat = {
  name: 'gemma-scope',
  description: 'Gemma Scope (params.npz)',
  recognise: async ({ weights, weightsName }) =>
    weights.container === 'npz' && (path.basename(weightsName) === 'params.npz' || names.encoder.some(name => weights.entries.has(name))),
  read
}
