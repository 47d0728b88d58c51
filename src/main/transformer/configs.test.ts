/** Configs beyond the golden data's, against a forward pass in double precision that shares nothing with the families. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { processingFlag } from '../../contract/run.ts'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import { readTensor } from '../checkpoint/values.ts'
import {
  expectClose,
  golden,
  index,
  logSoftmax,
  promptOf,
  runAndSave,
  tensorsOf,
  type Values,
  variantOf
} from '../inference/golden/golden-data.ts'
import { openModel, plainReading } from './model.ts'
import { configCases } from './reference/config-cases.ts'
import { referenceLogits } from './reference/float64-forward.ts'
import { writeCheckpoint } from './reference/tiny-checkpoint.ts'
import { readTransformer } from './registry.ts'

const ids = [1, 17, 5, 33, 8, 8, 21, 39, 2, 14, 27, 30]
let folder = ''
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-configs-'))
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

function valuesOf(rows: readonly (readonly number[])[]): Values {
  return { shape: [1, rows.length, rows[0]?.length ?? 0], data: Float32Array.from(rows.flat()) }
}

async function logitsOf(model: string, prompt: number[], flags: 'none' | 'all') {
  const processing = flags === 'all' ? [...processingFlag.options] : []
  const { saved } = await runAndSave({
    model,
    prompt: { ids: prompt },
    variants: [{ name: 'clean', splices: [] }],
    processing,
    layerOrder: 'checkpoint',
    hooks: 'none'
  })
  return variantOf(saved, 'clean').get('logits')
}

describe('the reference itself gives the golden logits', () => {
  test.each(index.models)('$id', async ({ id, variants }) => {
    const checkpoint = await openCheckpoint(golden('models', id))
    const floats = [...checkpoint.tensors.values()].filter(({ dtype }) => dtype !== 'BOOL')
    const tensors = new Map(
      await Promise.all(floats.map(async tensor => [tensor.name, { shape: tensor.shape, data: await readTensor(tensor) }] as const))
    )
    const prompt = await promptOf(id, 'p0')
    const reading = variants.includes('no_processing__hf_layer_order') ? 'no_processing__hf_layer_order' : 'no_processing'
    const expected = await tensorsOf(golden('runs', id, 'p0', path.basename(prompt.variants[reading]!.file)))
    expectClose(id, valuesOf(referenceLogits(checkpoint.config, tensors, prompt.ids)), expected.get('output.logits')!, 1e-4, 0)
  })
})

describe('logits equal the reference', () => {
  test.each(configCases)('$title', async ({ title, config, tensors, dtype }) => {
    const model = path.join(folder, title.replaceAll(/\W+/g, '-'))
    await writeCheckpoint(model, config, tensors, dtype)
    const expected = valuesOf(referenceLogits(config, tensors, ids))
    expect(Math.max(...expected.data)).toBeGreaterThan(0.5)
    expectClose('logits', await logitsOf(model, ids, 'none'), expected, 2e-5, 1e-5)
    // Weight processing moves logits by a constant at most.
    const processed = await logitsOf(model, ids, 'all')
    expectClose('log-probs of the processed reading', processed && logSoftmax(processed), logSoftmax(expected), 2e-5, 1e-5)
  })
})

/** Writes a case with fields changed or tensors renamed away, and opens it. */
async function openChanged(title: string, change: Record<string, unknown>, drop: (name: string) => boolean = () => false) {
  const { config, tensors, dtype } = configCases.find(candidate => candidate.title === title)!
  const kept = new Map([...tensors].filter(([name]) => !drop(name)))
  const model = await fs.mkdtemp(path.join(folder, 'changed-'))
  await writeCheckpoint(model, { ...config, ...change }, kept, dtype)
  return openModel(model)
}

const plain = {
  gpt2: 'GPT-2 in float16',
  neox: 'GPT-NeoX, linear rope scaling',
  llama: 'Llama without prefix',
  mistral: 'Mistral without a window',
  qwen2: 'Qwen2, tied, heads that do not share',
  gemma2: 'Gemma-2 without soft caps',
  gemma3: 'Gemma-3 with layer_types and capped logits',
  multimodal: 'Gemma-3, multimodal, below language_model.'
} as const

describe('what would change the numbers and is not supported is refused by name', () => {
  const refused: [keyof typeof plain, Record<string, unknown>, RegExp][] = [
    ['llama', { rope_scaling: { type: 'dynamic', factor: 2 } }, /rope_scaling\.type is "dynamic"/],
    ['llama', { rope_scaling: { rope_type: 'yarn', factor: 4 } }, /rope_scaling\.rope_type is "yarn".*"default"\|"linear"\|"llama3"/],
    ['qwen2', { rope_scaling: { rope_type: 'longrope', short_factor: [1], long_factor: [1] } }, /rope_scaling\.rope_type is "longrope"/],
    ['qwen2', { rope_scaling: { rope_type: 'default', mrope_section: [1, 1, 2] } }, /rope_scaling\.mrope_section is not supported/],
    ['llama', { rope_parameters: { rope_type: 'linear' } }, /rope_parameters\.factor is missing/],
    ['llama', { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1 } }, /rope_scaling\.high_freq_factor is missing/],
    ['llama', { partial_rotary_factor: 0.5 }, /partial_rotary_factor is 0\.5/],
    ['llama', { rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.5 } }, /partial_rotary_factor is 0\.5/],
    ['llama', { quantization_config: { quant_method: 'gptq', bits: 4 } }, /quantization_config is set/],
    ['multimodal', { quantization_config: { quant_method: 'awq', bits: 4 } }, /quantization_config is set/],
    ['llama', { hidden_act: 'mish' }, /hidden_act is "mish".*"silu"/],
    ['llama', { num_key_value_heads: 3 }, /num_attention_heads is 4, which is not a multiple of num_key_value_heads \(3\)/],
    ['llama', { hidden_size: 18 }, /hidden_size is 18, which is not a multiple of num_attention_heads \(4\)/],
    ['llama', { head_dim: 5 }, /head_dim is 5/],
    ['llama', { attention_bias: true }, /has no tensor layers\.0\.self_attn\.q_proj\.bias/],
    ['gpt2', { n_head: 3 }, /n_embd is 16, which is not a multiple of n_head \(3\)/],
    ['gpt2', { add_cross_attention: true }, /add_cross_attention is set/],
    ['gpt2', { pruned_heads: { 0: [1] } }, /pruned_heads is set/],
    ['gpt2', { tie_word_embeddings: false }, /has no tensor lm_head\.weight/],
    [
      'neox',
      { attention_bias: false },
      /has gpt_neox\.layers\.0\.attention\.query_key_value\.bias, but config\.json asks for no bias there/
    ],
    ['mistral', { layer_types: ['full_attention', 'sliding_attention', 'full_attention'] }, /layer_types has sliding_attention/],
    ['qwen2', { layer_types: ['sliding_attention', 'full_attention', 'full_attention'] }, /sliding_window is null/],
    ['qwen2', { layer_types: ['full_attention'] }, /layer_types has 1 entries for 3 layers/],
    ['qwen2', { layer_types: ['full_attention', 'chunked_attention', 'full_attention'] }, /layer_types\.1 is "chunked_attention"/],
    ['gemma2', { use_bidirectional_attention: true }, /use_bidirectional_attention is set/],
    ['gemma3', { attn_logit_softcapping: 50 }, /attn_logit_softcapping is 50/],
    ['gemma3', { rope_parameters: { rope_type: 'default', rope_theta: 10 } }, /rope_parameters\.rope_type is not supported/],
    ['multimodal', { text_config: 7 }, /text_config is not an object/],
    ['multimodal', { text_config: { head_dim: 'wide' } }, /text_config\.head_dim is "wide"/]
  ]
  test.each(refused)('%s with %j', async (family, change, message) => {
    await expect(openChanged(plain[family], change)).rejects.toThrow(message)
    await expect(openChanged(plain[family], change)).rejects.toMatchObject({ kind: expect.stringMatching(/^checkpoint\//) })
  })

  test('an unset field of the kind is nothing', async () => {
    const unset = { quantization_config: null, pruned_heads: {}, add_cross_attention: false, rope_scaling: null, partial_rotary_factor: 1 }
    await expect(openChanged(plain.llama, unset)).resolves.toMatchObject({ family: 'llama' })
  })

  test('a family that is none names those that are', async () => {
    const opening = openChanged(plain.llama, { model_type: 'mamba' })
    await expect(opening).rejects.toMatchObject({ kind: 'checkpoint/unknown-family', field: 'model_type' })
    await expect(opening).rejects.toMatchObject({
      hint: 'Supported families: gpt2, gpt_neox, llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3_text, gemma3.'
    })
  })

  test('a number of layers that no checkpoint has asks for no memory', async () => {
    for (const title of [plain.llama, plain.qwen2, plain.multimodal]) {
      const sizes = { num_hidden_layers: 1e12 }
      const { config } = configCases.find(candidate => candidate.title === title)!
      const change = config.text_config === undefined ? sizes : { text_config: { ...(config.text_config as object), ...sizes } }
      await expect(openChanged(title, change)).rejects.toThrow(/has no tensor .*layers\.3\./)
    }
  })

  test('a missing norm of queries is named with its whole name', async () => {
    const opening = openChanged(plain.multimodal, {}, name => name.endsWith('layers.1.self_attn.q_norm.weight'))
    await expect(opening).rejects.toThrow(/has no tensor language_model\.layers\.1\.self_attn\.q_norm\.weight/)
  })
})

describe('hook points and special tokens', () => {
  test('GPT-NeoX has hook_resid_mid where its sublayers stand one after the other, and only there', async () => {
    const [sequential, parallel] = await Promise.all([
      openChanged('GPT-NeoX, sublayers one after the other', {}),
      openChanged('GPT-NeoX, linear rope scaling', {})
    ])
    const names = (model: typeof sequential) => model.hookPoints.map(({ name }) => name).filter(name => /blocks\.0\.(hook|ln)/.test(name))
    const around = ['blocks.0.hook_resid_pre', 'blocks.0.ln1.hook_scale', 'blocks.0.ln1.hook_normalized', 'blocks.0.hook_attn_out']
    const behind = ['blocks.0.ln2.hook_scale', 'blocks.0.ln2.hook_normalized', 'blocks.0.hook_mlp_out', 'blocks.0.hook_resid_post']
    expect(names(sequential)).toEqual([...around, 'blocks.0.hook_resid_mid', ...behind])
    expect(names(parallel)).toEqual([...around, ...behind])
  })

  test.each([
    ['gpt2', {}, 50256, [50256]],
    ['gpt2', { bos_token_id: 3, eos_token_id: 4, pad_token_id: -1 }, 3, [3, 4]],
    ['neox', {}, 0, [0, 2]],
    ['llama', { eos_token_id: [2, 9], pad_token_id: 6 }, 1, [1, 6, 2, 9]],
    ['qwen2', { bos_token_id: 38, eos_token_id: 39 }, null, [38, 39]],
    ['multimodal', {}, 2, [2, 0, 1, 7]]
  ] as const)('%s with %j', async (family, change, bosId, specialIds) => {
    const { checkpoint } = await openChanged(plain[family], change)
    expect(readTransformer(checkpoint, plainReading)).toMatchObject({ bosId, specialIds })
  })
})
