import { describe, expect, test } from 'vitest'
import { readSaeLensConfig } from './saelens-config.ts'

const file = '/sae/cfg.json'
const read = (value: Record<string, unknown>) => readSaeLensConfig({ file, value: { d_in: 4, d_sae: 8, ...value } })
const six = (value: Record<string, unknown>, metadata: Record<string, unknown> = {}) =>
  read({ architecture: 'standard', ...value, metadata: { sae_lens_version: '6.18.0', ...metadata } })

describe('before version 6', () => {
  test('what is left out has the defaults of SAELens', () => {
    expect(read({ hook_point: 'blocks.8.hook_resid_pre', hook_point_layer: 8, dtype: 'torch.float32' })).toEqual({
      isOld: true,
      architecture: 'standard',
      dIn: 4,
      dSae: 8,
      dOut: null,
      appliesDecoderBiasToInput: true,
      normalisation: 'none',
      k: 100,
      rescalesByDecoderNorm: false,
      isFinetuned: false,
      activation: 'relu',
      hook: 'blocks.8.hook_resid_pre',
      hookOut: null,
      headIndex: null,
      model: null,
      modelFromPretrainedKwargs: null
    })
  })
  test('a hook point may leave its layer to another field', () => {
    expect(read({ hook_point: 'blocks.{layer}.hook_mlp_out', hook_point_layer: 3 }).hook).toBe('blocks.3.hook_mlp_out')
  })
  test.each([
    [true, 'expected_average_only_in'],
    [false, 'none'],
    [null, 'none'],
    ['constant_norm_rescale', 'constant_norm_rescale'],
    ['layer_norm', 'layer_norm']
  ])('normalize_activations %s is %s', (stated, normalisation) => {
    expect(read({ normalize_activations: stated }).normalisation).toBe(normalisation)
  })
  test.each(['activation_fn', 'activation_fn_str'])('topk in %s makes topk of any architecture', name => {
    expect(read({ architecture: 'standard', [name]: 'topk', activation_fn_kwargs: { k: 3 } })).toMatchObject({ architecture: 'topk', k: 3 })
  })
  test('its own names of the head, the model and its loading are read', () => {
    const kwargs = { center_writing_weights: true }
    expect(read({ hook_point_head_index: 5, model_name: 'gpt2-small', model_from_pretrained_kwargs: kwargs })).toMatchObject({
      headIndex: 5,
      model: 'gpt2-small',
      modelFromPretrainedKwargs: kwargs
    })
  })
  test.each(['5.11.0', '3.20.0', '6.0.0.dev1', '', null])('sae_lens_version %j is before 6', version => {
    expect(read({ sae_lens_version: version, hook_name: 'x', activation_fn_str: 'tanh-relu' }).activation).toBe('tanh-relu')
  })
})

describe('from version 6 on', () => {
  test('what is known of the model stands under metadata', () => {
    const metadata = { hook_name: 'blocks.1.attn.hook_z', hook_head_index: null, model_from_pretrained_kwargs: { fold_ln: true } }
    expect(six({ reshape_activations: 'hook_z', hook_name: 'ignored' }, metadata)).toMatchObject({
      hook: 'blocks.1.attn.hook_z',
      appliesDecoderBiasToInput: true,
      modelFromPretrainedKwargs: { fold_ln: true }
    })
  })
  test.each(['6.0.0', '6.0.0-rc.0', '6.0.0rc1', '6.18.0', '7.1.0'])('sae_lens_version %s is not before 6', version => {
    expect(read({ hook_name: 'top', metadata: { sae_lens_version: version, hook_name: 'inner' } }).hook).toBe('inner')
  })
  test('a transcoder never subtracts b_dec', () => {
    const transcoder = { architecture: 'transcoder', d_out: 4 }
    expect(six(transcoder, { hook_name_out: 'blocks.0.hook_mlp_out' })).toMatchObject({
      hookOut: 'blocks.0.hook_mlp_out',
      appliesDecoderBiasToInput: false
    })
  })
})

describe('what would change the numbers and is not there is refused by its name', () => {
  test.each([
    [{ architecture: 'quantum' }, /architecture is "quantum"/],
    [{ normalize_activations: 'batch_norm' }, /normalize_activations is "batch_norm": not one of none/],
    [{ dtype: 'int8' }, /dtype is "int8"/],
    [{ d_in: 0 }, /d_in is 0/],
    [{ d_sae: undefined }, /d_sae is missing/],
    [{ activation_fn_str: 'identity' }, /activation_fn_str is "identity"/],
    [{ activation_fn: 'topk' }, /activation_fn_kwargs.k is missing/],
    [{ activation_fn: 'topk', activation_fn_kwargs: { k: 9 } }, /k is 9, but it has to be a whole number from 1 to d_sae \(8\)/],
    [{ activation_fn: 'topk', activation_fn_kwargs: { k: 2.5 } }, /k is 2.5/],
    [{ architecture: 'jumprelu', activation_fn: 'tanh-relu' }, /activation_fn is "tanh-relu", which jumprelu SAEs/],
    [{ reshape_activations: 'hook_z', hook_name: 'blocks.0.hook_resid_pre' }, /reshape_activations is hook_z, but the hook point/],
    [{ architecture: 'transcoder', apply_b_dec_to_input: true }, /apply_b_dec_to_input is true, but a transcoder/],
    [{ architecture: 'transcoder', hook_head_index_out: 1 }, /hook_head_index_out is 1/],
    [{ hook_head_index: -1 }, /hook_head_index is -1/]
  ])('%j', (value, message) => {
    expect(() => read(value)).toThrow(message)
    expect(() => read(value)).toThrow(file)
  })
})
