/**
 * SAELens's cfg.json in all its ages, as SAELens 6.18's own loader reads it: before version 6 it is flat, with names that
 * changed over time and defaults; from 6 on what is known of the model stands under `metadata`.
 */
import { z } from 'zod'
import type { ConfigFile } from '../place.ts'
import type { Normalisation } from '../sae.ts'
import { parseConfig, refuseField } from './parts.ts'

const architectures = [
  'standard',
  'gated',
  'jumprelu',
  'topk',
  'batchtopk',
  'matryoshka_batchtopk',
  'transcoder',
  'skip_transcoder',
  'jumprelu_transcoder',
  'jumprelu_skip_transcoder'
] as const
export type SaeLensArchitecture = (typeof architectures)[number]

const normalisations = ['none', 'expected_average_only_in', 'constant_norm_rescale', 'layer_norm'] as const

const size = z.int().positive()
const dtype = z.string().regex(/^(torch\.)?(float32|float64|float16|bfloat16)$/, 'no type of weights')
const kwargs = z.record(z.string(), z.unknown())

/** Fields that mean the same in every age; null stands for what is left out. */
const common = z.looseObject({
  architecture: z.enum(architectures).nullish(),
  d_in: size,
  d_sae: size,
  d_out: size.nullish(),
  dtype: dtype.nullish(),
  apply_b_dec_to_input: z.boolean().nullish(),
  normalize_activations: z.union([z.boolean(), z.enum(normalisations)], `not one of ${normalisations.join(', ')}`).nullish(),
  reshape_activations: z.enum(['none', 'hook_z']).nullish(),
  k: z.number().nullish(),
  rescale_acts_by_decoder_norm: z.boolean().nullish(),
  finetuning_scaling_factor: z.boolean().nullish(),
  sae_lens_version: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish()
})

/** What the SAE knows of its model: under `metadata`, or at the top level before version 6. */
const modelFields = z.looseObject({
  sae_lens_version: z.string().nullish(),
  hook_name: z.string().nullish(),
  hook_point: z.string().nullish(),
  hook_layer: z.int().nullish(),
  hook_point_layer: z.int().nullish(),
  hook_head_index: z.int().nonnegative().nullish(),
  hook_point_head_index: z.int().nonnegative().nullish(),
  hook_name_out: z.string().nullish(),
  hook_head_index_out: z.int().nonnegative().nullish(),
  model_name: z.string().nullish(),
  model_from_pretrained_kwargs: kwargs.nullish(),
  activation_fn: z.string().nullish(),
  activation_fn_str: z.string().nullish(),
  activation_fn_kwargs: kwargs.nullish()
})

/** A cfg.json with its defaults filled in. */
export interface SaeLensConfig {
  /** Whether it is from before version 6. */
  readonly isOld: boolean
  readonly architecture: SaeLensArchitecture
  readonly dIn: number
  readonly dSae: number
  readonly dOut: number | null
  readonly appliesDecoderBiasToInput: boolean
  readonly normalisation: Normalisation
  readonly k: number
  readonly rescalesByDecoderNorm: boolean
  readonly isFinetuned: boolean
  readonly activation: 'relu' | 'tanh-relu'
  readonly hook: string | null
  readonly hookOut: string | null
  readonly headIndex: number | null
  readonly model: string | null
  readonly modelFromPretrainedKwargs: Readonly<Record<string, unknown>> | null
}

/** SAELens's own default, which its configs state all the same. */
const defaultK = 100

/** Whether a version is before 6.0.0-rc.0, as an absent one is. */
function isBeforeSix(version: string | null | undefined): boolean {
  const parts = /^v?(\d+)\.?(\d*)\.?(\d*)[-_.]?([a-z]*)/i.exec(version ?? '')
  if (parts === null) return true
  const [, major, minor, patch, stage = ''] = parts
  if (Number(major) !== 6) return Number(major) < 6
  return Number(minor) === 0 && Number(patch) === 0 && /^(a|b|alpha|beta|dev)$/i.test(stage)
}

/** Reads a cfg.json. Throws `sae/config` naming the field. */
export function readSaeLensConfig(config: ConfigFile): SaeLensConfig {
  const cfg = parseConfig(config, common)
  const version = cfg.sae_lens_version || parseConfig({ ...config, value: cfg.metadata ?? {} }, modelFields).sae_lens_version
  const isOld = isBeforeSix(version)
  const known = parseConfig(
    { ...config, value: { ...(cfg.metadata ?? {}), ...(isOld || cfg.metadata === undefined ? config.value : {}) } },
    modelFields
  )
  const layer = known.hook_layer ?? known.hook_point_layer
  const hook = (known.hook_name ?? known.hook_point)?.replace('{layer}', String(layer)) ?? null
  const { architecture, k, activation } = activationOf(config, cfg, isOld ? known : {})
  const isTranscoder = architecture.endsWith('transcoder')
  if (isTranscoder && cfg.apply_b_dec_to_input === true) {
    refuseField(config, 'apply_b_dec_to_input', 'is true, but a transcoder writes to another hook point than it reads')
  }
  if (known.hook_head_index_out !== null && known.hook_head_index_out !== undefined) {
    refuseField(config, 'hook_head_index_out', `is ${known.hook_head_index_out}; Splice has no transcoders that write to one head`)
  }
  const reshape = cfg.reshape_activations ?? (isOld && hook?.includes('hook_z') === true ? 'hook_z' : 'none')
  if (reshape === 'hook_z' && hook !== null && !hook.endsWith('_z')) {
    refuseField(config, 'reshape_activations', `is hook_z, but the hook point ${hook} has no heads`)
  }
  return {
    isOld,
    architecture,
    dIn: cfg.d_in,
    dSae: cfg.d_sae,
    dOut: cfg.d_out ?? null,
    appliesDecoderBiasToInput: isTranscoder ? false : (cfg.apply_b_dec_to_input ?? true),
    normalisation: normalisationOf(cfg.normalize_activations),
    k,
    rescalesByDecoderNorm: cfg.rescale_acts_by_decoder_norm ?? false,
    isFinetuned: cfg.finetuning_scaling_factor ?? false,
    activation,
    hook,
    hookOut: isTranscoder ? (known.hook_name_out ?? null) : null,
    headIndex: known.hook_head_index ?? known.hook_point_head_index ?? null,
    model: known.model_name ?? null,
    modelFromPretrainedKwargs: known.model_from_pretrained_kwargs ?? null
  }
}

/** Before version 6 a truth value: whether activations are scaled by their expected average. */
function normalisationOf(stated: z.infer<typeof common>['normalize_activations']): Normalisation {
  if (typeof stated === 'boolean') return stated ? 'expected_average_only_in' : 'none'
  return stated ?? 'none'
}

/** Before version 6 the activation function is a field of its own, and topk turns any architecture into topk. */
function activationOf(
  config: ConfigFile,
  cfg: z.infer<typeof common>,
  known: Partial<z.infer<typeof modelFields>>
): Pick<SaeLensConfig, 'architecture' | 'k' | 'activation'> {
  const named = known.activation_fn ?? known.activation_fn_str ?? 'relu'
  const field = known.activation_fn === undefined ? 'activation_fn_str' : 'activation_fn'
  const parameters = known.activation_fn_kwargs ?? {}
  const stated = parameters.k ?? cfg.k
  const k = typeof stated === 'number' ? stated : defaultK
  const architecture = named === 'topk' && parameters.k !== undefined && parameters.k !== null ? 'topk' : (cfg.architecture ?? 'standard')
  if (architecture === 'topk' && (!Number.isInteger(k) || k < 1 || k > cfg.d_sae)) {
    refuseField(config, 'k', `is ${k}, but it has to be a whole number from 1 to d_sae (${cfg.d_sae})`)
  }
  if (named === 'topk' && architecture !== 'topk')
    refuseField(config, 'activation_fn_kwargs.k', 'is missing, although the activation function is topk')
  if (named === 'topk' || named === 'relu') return { architecture, k, activation: 'relu' }
  if (named === 'tanh-relu' && architecture === 'standard') return { architecture, k, activation: 'tanh-relu' }
  return refuseField(config, field, `is ${JSON.stringify(named)}, which ${architecture} SAEs of Splice do not have`)
}
