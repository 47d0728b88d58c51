/**
 * What each of TransformerLens's weight processing flags does to a model: which hook points change, what is skipped and why. Weights
 * are never rewritten here; the same effects are had on activations.
 */
import type { ProcessingEffect } from '../../contract/configs.ts'
import type { ProcessingFlag } from '../../contract/run.ts'
import type { HookedConfig } from './hooked-config.ts'

/** Names of hook points as the model has them, `*` for a layer. */
function streamOf(config: HookedConfig): string[] {
  return [
    'hook_embed',
    ...(config.positional_embedding_type === 'standard' ? ['hook_pos_embed'] : []),
    'blocks.*.hook_resid_pre',
    'blocks.*.hook_attn_out',
    ...(config.parallel_attn_mlp ? [] : ['blocks.*.hook_resid_mid']),
    'blocks.*.hook_mlp_out',
    'blocks.*.hook_resid_post'
  ]
}

function foldLn(config: HookedConfig): ProcessingEffect {
  const flag = 'fold_ln'
  if (config.normalization_type === 'RMS') {
    const qk = config.use_qk_norm ? ' Norms of queries and keys keep theirs.' : ''
    const post = config.use_normalization_before_and_after ? ' Norms after attention and MLP keep theirs.' : ''
    return {
      flag,
      effect: 'applied',
      why: `Gains of ln1, ln2 and ln_final go into the weights behind them.${post}${qk} An RMS norm's hook_normalized stands before the gain anyway, so of all hook points only what the MLP reads changes, which stands before the gain then.`,
      hookPoints: ['blocks.*.mlp.hook_in'],
      logits: null
    }
  }
  return {
    flag,
    effect: 'applied',
    why: 'Gains and biases of ln1, ln2 and ln_final go into the weights behind them, so hook_normalized is plain (x - mean) / scale.',
    hookPoints: ['blocks.*.ln1.hook_normalized', 'blocks.*.ln2.hook_normalized', 'ln_final.hook_normalized', 'blocks.*.mlp.hook_in'],
    logits: null
  }
}

function centerWritingWeights(config: HookedConfig): ProcessingEffect {
  const flag = 'center_writing_weights'
  if (config.normalization_type === 'RMS') {
    return {
      flag,
      effect: 'skipped',
      why: 'An RMS norm does not remove the mean of the residual stream, so taking it out would change the model.',
      hookPoints: [],
      logits: null
    }
  }
  return {
    flag,
    effect: 'applied',
    why: 'Everything written to the residual stream loses its mean over d_model, which LayerNorm removes anyway.',
    hookPoints: streamOf(config),
    logits: null
  }
}

function centerUnembed(config: HookedConfig): ProcessingEffect {
  const flag = 'center_unembed'
  if (config.output_logits_soft_cap > 0) {
    return {
      flag,
      effect: 'skipped',
      why: `The logits are soft-capped at ${config.output_logits_soft_cap}: a constant taken out before the cap would change the probabilities.`,
      hookPoints: [],
      logits: null
    }
  }
  return {
    flag,
    effect: 'applied',
    why: 'The unembedding loses its mean over the vocabulary.',
    hookPoints: [],
    logits: 'Each position loses a constant; log-probs stay the same.'
  }
}

function foldValueBiases(hasValueBiases: boolean): ProcessingEffect {
  const flag = 'fold_value_biases'
  if (!hasValueBiases) return { flag, effect: 'nothing', why: 'The values have no biases.', hookPoints: [], logits: null }
  return {
    flag,
    effect: 'applied',
    why: 'The biases of the values move behind W_O: attention weights sum to one, so they only add a constant there.',
    hookPoints: ['blocks.*.attn.hook_v', 'blocks.*.attn.hook_z'],
    logits: null
  }
}

/** The effect of each flag, in the order in which TransformerLens applies them. */
export function processingEffects(config: HookedConfig, hasValueBiases: boolean): ProcessingEffect[] {
  return [foldLn(config), centerWritingWeights(config), centerUnembed(config), foldValueBiases(hasValueBiases)]
}

function matches(pattern: string, hook: string): boolean {
  return new RegExp(
    `^${pattern
      .split('*')
      .map(part => part.replaceAll('.', '\\.'))
      .join('\\d+')}$`
  ).test(hook)
}

/**
 * Every combination of flags that gives one of some hook points other values: the sixteen without those that leave all of them alone.
 * None comes first.
 */
export function processingsAt(hooks: readonly string[], effects: readonly ProcessingEffect[]): ProcessingFlag[][] {
  const changes = ({ effect, hookPoints }: ProcessingEffect) =>
    effect === 'applied' && hooks.some(hook => hookPoints.some(pattern => matches(pattern, hook)))
  const own = new Set(effects.filter(changes).map(({ flag }) => flag))
  // What fold_ln makes of a LayerNorm's bias is part of the value biases: it changes values only where they go.
  const foldsBiases = effects.some(({ flag, hookPoints }) => flag === 'fold_ln' && hookPoints.includes('ln_final.hook_normalized'))
  const followsBiases = own.has('fold_value_biases') && foldsBiases && !own.has('fold_ln')
  const flags = effects.map(({ flag }) => flag).filter(flag => own.has(flag) || (followsBiases && flag === 'fold_ln'))
  const all = Array.from({ length: 2 ** flags.length }, (_, bits) => flags.filter((_flag, place) => ((bits >> place) & 1) === 1))
  return all.filter(combination => !(followsBiases && combination.includes('fold_ln') && !combination.includes('fold_value_biases')))
}
