/**
 * config.json in HookedTransformerConfig's names and values, as TransformerLens 2.18 has them for the unprocessed model
 * (transformer_lens/loading_from_pretrained.py). What only its loader or its training code reads is left out. Where TransformerLens
 * ignores a field of config.json (Llama's rope_theta, the order of Gemma-2's layers), the checkpoint counts.
 */
import { z } from 'zod'

/** By TransformerLens's names. A soft cap of -1 is none. */
export interface HookedConfig {
  readonly n_layers: number
  readonly d_model: number
  readonly n_ctx: number
  readonly d_head: number
  readonly n_heads: number
  /** Null where every head has its own keys and values. */
  readonly n_key_value_heads: number | null
  readonly d_mlp: number
  readonly d_vocab: number
  readonly d_vocab_out: number
  readonly act_fn: string
  readonly gated_mlp: boolean
  readonly normalization_type: 'LN' | 'RMS'
  readonly eps: number
  readonly final_rms: boolean
  readonly use_normalization_before_and_after: boolean
  readonly use_qk_norm: boolean
  readonly parallel_attn_mlp: boolean
  readonly positional_embedding_type: 'standard' | 'rotary'
  readonly rotary_dim: number | null
  readonly rotary_base: number
  readonly rotary_base_local: number | null
  readonly use_NTK_by_parts_rope: boolean
  readonly NTK_by_parts_low_freq_factor: number
  readonly NTK_by_parts_high_freq_factor: number
  readonly NTK_by_parts_factor: number
  readonly NTK_original_ctx_len: number
  readonly use_attn_scale: boolean
  readonly attn_scale: number
  readonly use_local_attn: boolean
  readonly window_size: number | null
  readonly attn_types: readonly ('local' | 'global')[] | null
  readonly attn_scores_soft_cap: number
  readonly output_logits_soft_cap: number
  readonly default_prepend_bos: boolean
  readonly original_architecture: string | null
  /** TransformerLens's count: the matrices of attention and MLP alone. */
  readonly n_params: number
}

/** What a family's code fixes, beside its config. */
interface FamilyFacts {
  readonly norm: 'LN' | 'RMS'
  readonly gated: boolean
  readonly finalRms?: boolean
  readonly postNorms?: boolean
  readonly qkNorm?: boolean
  readonly prependsBos?: boolean
  /** Whether the values have biases, which fold_value_biases moves. */
  readonly valueBiases?: boolean
}

const families: Readonly<Record<string, FamilyFacts>> = {
  gpt2: { norm: 'LN', gated: false, valueBiases: true },
  gpt_neox: { norm: 'LN', gated: false, valueBiases: true },
  gemma: { norm: 'RMS', gated: true, finalRms: true },
  gemma2: { norm: 'RMS', gated: true, finalRms: true, postNorms: true },
  gemma3_text: { norm: 'RMS', gated: true, finalRms: true, postNorms: true, qkNorm: true },
  mistral: { norm: 'RMS', gated: true },
  llama: { norm: 'RMS', gated: true, finalRms: true },
  qwen2: { norm: 'RMS', gated: true, finalRms: true, prependsBos: false, valueBiases: true },
  qwen3: { norm: 'RMS', gated: true, finalRms: true, prependsBos: false, qkNorm: true }
}

const size = z.int().positive()
const ropeScaling = z.looseObject({
  rope_type: z.string().optional(),
  factor: z.number().optional(),
  low_freq_factor: z.number().optional(),
  high_freq_factor: z.number().optional(),
  original_max_position_embeddings: z.number().optional(),
  rope_theta: z.number().optional()
})

const gpt2 = z.looseObject({
  n_layer: size,
  n_embd: size,
  n_positions: size,
  n_head: size,
  n_inner: size.nullish(),
  vocab_size: size,
  activation_function: z.string().default('gelu_new'),
  layer_norm_epsilon: z.number().default(1e-5)
})

const common = z.looseObject({
  num_hidden_layers: size,
  hidden_size: size,
  intermediate_size: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size,
  max_position_embeddings: size,
  hidden_act: z.string().nullish(),
  hidden_activation: z.string().nullish(),
  rms_norm_eps: z.number().nullish(),
  layer_norm_eps: z.number().nullish(),
  rope_theta: z.number().nullish(),
  rotary_emb_base: z.number().nullish(),
  rotary_pct: z.number().nullish(),
  rope_local_base_freq: z.number().nullish(),
  rope_scaling: ropeScaling.nullish(),
  rope_parameters: ropeScaling.nullish(),
  use_parallel_residual: z.boolean().nullish(),
  query_pre_attn_scalar: z.number().positive().nullish(),
  attn_logit_softcapping: z.number().nullish(),
  final_logit_softcapping: z.number().nullish(),
  sliding_window: z.int().nullish(),
  use_sliding_window: z.boolean().nullish(),
  sliding_window_pattern: z.int().positive().nullish(),
  layer_types: z.array(z.string()).nullish()
})
type Common = z.infer<typeof common>

const heading = z.looseObject({
  model_type: z.string(),
  architectures: z.array(z.string()).nullish(),
  text_config: z.record(z.string(), z.unknown()).nullish()
})

const noNtk = {
  use_NTK_by_parts_rope: false,
  NTK_by_parts_low_freq_factor: 1,
  NTK_by_parts_high_freq_factor: 4,
  NTK_by_parts_factor: 8,
  NTK_original_ctx_len: 8192
}

function ntkOf(config: Common) {
  const scaling = config.rope_scaling ?? config.rope_parameters
  if (scaling?.rope_type !== 'llama3') return noNtk
  return {
    use_NTK_by_parts_rope: true,
    NTK_by_parts_low_freq_factor: scaling.low_freq_factor ?? noNtk.NTK_by_parts_low_freq_factor,
    NTK_by_parts_high_freq_factor: scaling.high_freq_factor ?? noNtk.NTK_by_parts_high_freq_factor,
    NTK_by_parts_factor: scaling.factor ?? noNtk.NTK_by_parts_factor,
    NTK_original_ctx_len: scaling.original_max_position_embeddings ?? noNtk.NTK_original_ctx_len
  }
}

/** Which layers attend locally; null where all attend to everything. */
function attentionTypes(family: string, config: Common): ('local' | 'global')[] | null {
  const layers = Array.from({ length: config.num_hidden_layers }, (_, layer) => layer)
  const isSwitchedOff = config.sliding_window == null || config.use_sliding_window === false
  if (isSwitchedOff) return null
  if (config.layer_types != null) return config.layer_types.map(type => (type === 'sliding_attention' ? 'local' : 'global'))
  if (family === 'gemma2') return layers.map(layer => (layer % 2 === 0 ? 'local' : 'global'))
  if (family === 'gemma3_text') {
    const pattern = config.sliding_window_pattern ?? 6
    return layers.map(layer => ((layer + 1) % pattern === 0 ? 'global' : 'local'))
  }
  return family === 'mistral' ? layers.map(() => 'local') : null
}

function parameterCount(of: { layers: number; dModel: number; heads: number; dHead: number; dMlp: number; gated: boolean }): number {
  const attention = 4 * of.heads * of.dHead * of.dModel
  return of.layers * (attention + (of.gated ? 3 : 2) * of.dMlp * of.dModel)
}

function ofGpt2(config: z.infer<typeof gpt2>, architecture: string | null): HookedConfig {
  const dHead = config.n_embd / config.n_head
  const dMlp = config.n_inner ?? 4 * config.n_embd
  return {
    n_layers: config.n_layer,
    d_model: config.n_embd,
    n_ctx: config.n_positions,
    d_head: dHead,
    n_heads: config.n_head,
    n_key_value_heads: null,
    d_mlp: dMlp,
    d_vocab: config.vocab_size,
    d_vocab_out: config.vocab_size,
    act_fn: config.activation_function,
    gated_mlp: false,
    normalization_type: 'LN',
    eps: config.layer_norm_epsilon,
    final_rms: false,
    use_normalization_before_and_after: false,
    use_qk_norm: false,
    parallel_attn_mlp: false,
    positional_embedding_type: 'standard',
    rotary_dim: null,
    rotary_base: 10_000,
    rotary_base_local: null,
    ...noNtk,
    use_attn_scale: true,
    attn_scale: Math.sqrt(dHead),
    use_local_attn: false,
    window_size: null,
    attn_types: null,
    attn_scores_soft_cap: -1,
    output_logits_soft_cap: -1,
    default_prepend_bos: true,
    original_architecture: architecture,
    n_params: parameterCount({ layers: config.n_layer, dModel: config.n_embd, heads: config.n_head, dHead, dMlp, gated: false })
  }
}

function ofCommon(family: string, facts: FamilyFacts, config: Common, architecture: string | null): HookedConfig {
  const heads = config.num_attention_heads
  const isGemma = family.startsWith('gemma')
  const dHead = config.head_dim ?? (isGemma ? 256 : config.hidden_size / heads)
  const keyValueHeads = config.num_key_value_heads ?? heads
  const types = attentionTypes(family, config)
  const activation = config.hidden_activation ?? config.hidden_act ?? (isGemma ? 'gelu_pytorch_tanh' : 'silu')
  return {
    n_layers: config.num_hidden_layers,
    d_model: config.hidden_size,
    n_ctx: config.max_position_embeddings,
    d_head: dHead,
    n_heads: heads,
    n_key_value_heads: keyValueHeads === heads ? null : keyValueHeads,
    d_mlp: config.intermediate_size,
    d_vocab: config.vocab_size,
    d_vocab_out: config.vocab_size,
    // TransformerLens calls the same tanh form gelu_new for the first Gemma.
    act_fn: family === 'gemma' && activation === 'gelu_pytorch_tanh' ? 'gelu_new' : activation,
    gated_mlp: facts.gated,
    normalization_type: facts.norm,
    eps: (facts.norm === 'LN' ? config.layer_norm_eps : config.rms_norm_eps) ?? (facts.norm === 'LN' ? 1e-5 : 1e-6),
    final_rms: facts.finalRms ?? false,
    use_normalization_before_and_after: facts.postNorms ?? false,
    use_qk_norm: facts.qkNorm ?? false,
    parallel_attn_mlp: family === 'gpt_neox' && config.use_parallel_residual !== false,
    positional_embedding_type: 'rotary',
    rotary_dim: family === 'gpt_neox' ? Math.floor(dHead * (config.rotary_pct ?? 0.25)) : dHead,
    rotary_base: config.rope_theta ?? config.rotary_emb_base ?? config.rope_parameters?.rope_theta ?? 10_000,
    rotary_base_local: family === 'gemma3_text' ? (config.rope_local_base_freq ?? 10_000) : null,
    ...ntkOf(config),
    use_attn_scale: true,
    attn_scale: Math.sqrt(config.query_pre_attn_scalar ?? dHead),
    use_local_attn: types !== null,
    window_size: types === null ? null : (config.sliding_window ?? null),
    attn_types: types,
    attn_scores_soft_cap: config.attn_logit_softcapping ?? -1,
    output_logits_soft_cap: config.final_logit_softcapping ?? -1,
    default_prepend_bos: facts.prependsBos ?? true,
    original_architecture: architecture,
    n_params: parameterCount({
      layers: config.num_hidden_layers,
      dModel: config.hidden_size,
      heads,
      dHead,
      dMlp: config.intermediate_size,
      gated: facts.gated
    })
  }
}

/** A translated config, and whether the model's values have biases; or why there is none. */
export type HookedConfigReading =
  | { readonly config: HookedConfig; readonly hasValueBiases: boolean; readonly why: null }
  | { readonly config: null; readonly hasValueBiases: false; readonly why: string }

/** Translates the content of a config.json. A family that is not known, or a field that is missing, is named in `why`. */
export function readHookedConfig(content: unknown): HookedConfigReading {
  const none = (why: string): HookedConfigReading => ({ config: null, hasValueBiases: false, why })
  const head = heading.safeParse(content)
  if (!head.success) return none('config.json names no model_type')
  // Models that also see pictures keep the language model's config inside.
  const isOuter = head.data.model_type === 'gemma3' && head.data.text_config != null
  const family = isOuter ? 'gemma3_text' : head.data.model_type
  const facts = families[family]
  if (facts === undefined) return none(`Splice does not know what TransformerLens makes of the family ${family}`)
  const inner = isOuter ? head.data.text_config : content
  const architecture = head.data.architectures?.[0] ?? null
  const parsed = family === 'gpt2' ? gpt2.safeParse(inner) : common.safeParse(inner)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return none(
      `config.json: ${issue?.path.join('.') ?? 'a field'} ${issue?.code === 'invalid_type' ? 'is missing or no number' : 'is not valid'}`
    )
  }
  const config = family === 'gpt2' ? ofGpt2(gpt2.parse(inner), architecture) : ofCommon(family, facts, common.parse(inner), architecture)
  return { config, hasValueBiases: facts.valueBiases ?? false, why: null }
}
