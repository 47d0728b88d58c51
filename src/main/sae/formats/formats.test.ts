/** What the formats share: weights stay where they lie, fields that change the numbers are read or refused, factors have an order. */
import { readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import { openSae } from '../open.ts'
import { mapSae, tensorsOf } from '../sae.ts'

const golden = fileURLToPath(new URL('../../../../fixtures/golden', import.meta.url))
const saes = path.join(golden, 'saes')
const index = z
  .object({ saes: z.array(z.object({ id: z.string(), path: z.string().optional() })) })
  .parse(JSON.parse(await fs.readFile(path.join(golden, 'index.json'), 'utf8')))

let folder = ''
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-formats-'))
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

describe('weights are mapped where they lie', () => {
  test.each(index.saes.filter(sae => sae.path !== undefined))('$id', async ({ path: at }) => {
    const sae = await openSae(path.join(golden, at ?? ''))
    const cacheFolder = path.join(folder, 'never')
    const mapped = await mapSae(sae, cacheFolder)
    expect(mapped.files).toEqual(sae.files)
    const places = await Promise.all(tensorsOf(sae.weights).map(entry => entry.map(cacheFolder)))
    for (const { file } of places) expect(sae.files).toContain(file)
    await expect(fs.access(cacheFolder)).rejects.toThrow()
  })
})

/** A copy of a golden SAE's folder, with fields of its config changed. */
async function changed(from: string, config: string, fields: Record<string, unknown>): Promise<string> {
  const place = await fs.mkdtemp(path.join(folder, 'sae-'))
  await fs.cp(path.join(saes, from), path.join(place, path.basename(from)), { recursive: true })
  const file = path.join(place, path.basename(from), config)
  await fs.writeFile(file, JSON.stringify({ ...JSON.parse(await fs.readFile(file, 'utf8')), ...fields }))
  return path.join(place, path.basename(from))
}

const llamaScope = 'fnlp/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L0R-8x'
const llamaScopeR1 = 'fnlp/Llama-Scope-R1-Distill-tiny/800M-Slimpajama-0-OpenR1-Math-220k/L1R'
const sparsify = 'EleutherAI/sae-qwen2-tiny/layers.0'
const gemmaScope2 = 'google/gemma-scope-2-1b-pt/resid_post/layer_1_width_72_l0_medium'
const topK = 'canrager/lm_sae/pythia-tiny/resid_post_layer_1/AutoEncoderTopK/trainer_0'
const hookZ = 'ckkissane/attn-saes-gpt2-small-all-layers'

describe('fields that would change the numbers are refused by name', () => {
  const cases: [string, string, Record<string, unknown>, RegExp][] = [
    [llamaScope, 'hyperparams.json', { act_fn: 'topk' }, /hyperparams.json: act_fn is topk/],
    [llamaScope, 'hyperparams.json', { use_glu_encoder: true }, /use_glu_encoder is true/],
    [llamaScope, 'hyperparams.json', { norm_activation: 'token-wise' }, /norm_activation is token-wise/],
    [llamaScope, 'hyperparams.json', { apply_decoder_bias_to_pre_encoder: true }, /apply_decoder_bias_to_pre_encoder is true/],
    [llamaScope, 'hyperparams.json', { hook_point_out: 'blocks.0.hook_mlp_out' }, /hook_point_out is blocks.0.hook_mlp_out/],
    [llamaScope, 'hyperparams.json', { d_sae: 64 }, /says d_sae 64, but encoder.weight is \[128, 32\]/],
    [llamaScopeR1, 'config.json', { use_decoder_bias: false }, /use_decoder_bias is false/],
    [llamaScopeR1, 'config.json', { expansion_factor: 4 }, /says expansion_factor 4/],
    [sparsify, 'cfg.json', { signed: true }, /signed is true/],
    [sparsify, 'cfg.json', { activation: 'groupmax' }, /activation is groupmax/],
    [sparsify, 'cfg.json', { skip_connection: true }, /no tensor W_skip/],
    [sparsify, 'cfg.json', { k: 97 }, /k is 97/],
    [sparsify, 'cfg.json', { num_latents: 97 }, /says num_latents 97/],
    [gemmaScope2, 'config.json', { architecture: 'topk' }, /architecture is "topk"/],
    [gemmaScope2, 'config.json', { affine_connection: true }, /no tensor affine_skip_connection/],
    [topK, 'config.json', { buffer: { io: 'in' } }, /buffer.io is in/],
    [
      topK,
      'config.json',
      { trainer: { dict_class: 'IdentityDict', activation_dim: 48, dict_size: 96, layer: 1 } },
      /dict_class is "IdentityDict"/
    ],
    [
      topK,
      'config.json',
      { trainer: { dict_class: 'AutoEncoderTopK', activation_dim: 48, dict_size: 96, layer: 1 } },
      /trainer.k is missing/
    ]
  ]
  test.each(cases)('%s %s %j', async (from, config, fields, message) => {
    await expect(changed(from, config, fields).then(place => openSae(place))).rejects.toThrow(message)
  })

  test('a tensor that the architecture does not have', async () => {
    await expect(changed('saelens6/skip_transcoder', 'cfg.json', { architecture: 'transcoder' }).then(at => openSae(at))).rejects.toThrow(
      /sae_weights.safetensors: holds the tensor W_skip, which a SAELens SAE of the architecture transcoder does not have/
    )
  })
})

describe('fields that SAELens reads are read', () => {
  test('sparsify: b_dec is subtracted unless the decoder is normalised, as SAELens has it, and a note says so', async () => {
    const plain = await openSae(path.join(saes, sparsify))
    expect([plain.appliesDecoderBiasToInput, plain.notes]).toEqual([true, []])
    const normalised = await openSae(await changed(sparsify, 'cfg.json', { normalize_decoder: true }))
    expect([normalised.appliesDecoderBiasToInput, normalised.notes.length]).toEqual([false, 1])
  })
  test('the hook point that a person names goes before all others', async () => {
    const hook = 'blocks.1.hook_resid_pre'
    for (const from of [llamaScope, sparsify, gemmaScope2, topK, hookZ, 'saelens6/topk']) {
      expect((await openSae(path.join(saes, from), { hook })).hook).toBe(hook)
    }
  })
  test('an SAE takes one hook point, a transcoder two', async () => {
    const hookOut = 'blocks.1.hook_resid_post'
    await expect(openSae(path.join(saes, 'saelens6/topk'), { hookOut })).rejects.toThrow(/is no transcoder/)
    expect((await openSae(path.join(saes, 'saelens6/transcoder'), { hookOut })).hookOut).toBe(hookOut)
    const unsaid = path.join(golden, 'hostile/sae_mismatch/transcoder_without_hook_out')
    expect((await openSae(unsaid, { hookOut })).hookOut).toBe(hookOut)
  })
})

describe('the factor of expected_average_only_in', () => {
  const release = { normFactor: 3, normalisation: null }
  test('is the person’s, else that of its files, else that of its release, else none', async () => {
    const inFile = path.join(saes, llamaScope)
    const inNone = path.join(saes, llamaScopeR1)
    expect((await openSae(inFile, { normFactor: 2, release })).normFactor).toEqual({ value: 2, from: 'chosen' })
    expect((await openSae(inFile, { release })).normFactor?.from).toBe('file')
    expect((await openSae(inNone, { release })).normFactor).toEqual({ value: 3, from: 'release' })
    const alone = await openSae(inNone)
    expect([alone.normFactor, alone.notes.join()]).toEqual([null, expect.stringContaining('none of its files')])
  })
  test('is refused for an SAE that has no such normalisation', async () => {
    await expect(openSae(path.join(saes, 'saelens6/norm_layer_norm'), { normFactor: 2 })).rejects.toThrow(
      /normalize_activations is layer_norm/
    )
  })
  test('a release may say another normalisation than the config', async () => {
    const overridden = { normFactor: null, normalisation: 'constant_norm_rescale' } as const
    expect((await openSae(path.join(saes, 'saelens_mid/mistral_standard'), { release: overridden })).normalisation).toBe(
      'constant_norm_rescale'
    )
  })
})

describe('hostile and odd files, named as SAEs of a hook point', () => {
  const hostile = path.join(golden, 'hostile')
  const loose = z
    .array(z.object({ path: z.string(), expect: z.string() }))
    .parse(JSON.parse(readFileSync(path.join(hostile, 'hostile.json'), 'utf8')))
    .filter(({ path: name }) => !/^(checkpoints|sae_mismatch)\//.test(name))

  // Whole ones are 8 features wide: an npz of them opens, and then fits no model; without a config the others are no SAEs.
  test.each(loose)('$path', async ({ path: name, expect: wanted }) => {
    const opened = await openSae(path.join(hostile, name), { hook: 'blocks.0.hook_resid_post' }).catch((thrown: unknown) => thrown)
    if (opened instanceof SpliceError) {
      expect(opened.message).toContain(path.basename(name))
      expect(wanted === 'accept' && name.endsWith('.npz')).toBe(false)
      return
    }
    expect([wanted, opened]).toEqual(['accept', expect.objectContaining({ format: 'gemma-scope', dIn: 8, dSae: 16 })])
  })
})

describe('places', () => {
  test('a folder with several weights files names them, and each has its file’s name', async () => {
    const from = path.join(saes, 'mwhanna/qwen3-0.6b-transcoders-lowl0')
    const place = path.join(folder, 'layers')
    await fs.cp(from, place, { recursive: true })
    await fs.copyFile(path.join(from, 'layer_1.safetensors'), path.join(place, 'layer_0.safetensors'))
    await expect(openSae(place)).rejects.toThrow(/holds several weights files: layer_0.safetensors, layer_1.safetensors/)
    const sae = await openSae(path.join(place, 'layer_0.safetensors'))
    expect([sae.name, sae.hook, sae.hookOut]).toEqual(['layer_0', 'blocks.0.mlp.hook_in', 'blocks.0.hook_mlp_out'])
  })
  test('a folder of folders names one of them', async () => {
    await expect(openSae(path.join(saes, 'EleutherAI/sae-qwen2-tiny'))).rejects.toMatchObject({ hint: expect.stringContaining('layers.0') })
  })
  test('weights of no known format say what they hold and which formats there are', async () => {
    const thrown = await openSae(path.join(golden, 'hostile/benign_edge/expected.safetensors')).catch((error: unknown) => error)
    expect(thrown).toMatchObject({ kind: 'sae/unknown-format', hint: expect.stringContaining('Llama Scope') })
  })
  test.each([
    ['saelens6/topk', 'topk'],
    [`${llamaScope}/checkpoints/final.safetensors`, 'Llama3_1-8B-Base-L0R-8x'],
    [gemmaScope2, 'resid_post/layer_1_width_72_l0_medium'],
    [topK, 'AutoEncoderTopK/trainer_0'],
    [sparsify, 'layers.0'],
    ['qresearch/DeepSeek-R1-Distill-Llama-8B-SAE-l19', 'DeepSeek-R1-Distill-Llama-8B-SAE-l1']
  ])('%s is called %s', async (from, name) => {
    expect((await openSae(path.join(saes, from))).name).toBe(name)
  })
  test('a config in which Python wrote NaN is read', async () => {
    const place = path.join(folder, 'not-a-number')
    await fs.cp(path.join(saes, 'saelens6/topk'), place, { recursive: true })
    const text = await fs.readFile(path.join(place, 'cfg.json'), 'utf8')
    await fs.writeFile(path.join(place, 'cfg.json'), text.replace('{', '{"lr": NaN, "list": [-Infinity, Infinity],'))
    expect((await openSae(place)).config).toMatchObject({ lr: null, list: [null, null] })
  })
  test('a config that is not what its name says is refused', async () => {
    const place = path.join(folder, 'broken-config')
    await fs.cp(path.join(saes, 'saelens6/topk'), place, { recursive: true })
    await fs.writeFile(path.join(place, 'cfg.json'), '{"d_in": 32,')
    await expect(openSae(place)).rejects.toThrow(/cfg.json is not JSON/)
    await fs.writeFile(path.join(place, 'cfg.json'), '[]')
    await expect(openSae(place)).rejects.toThrow(/cfg.json does not hold an object/)
    await fs.rm(path.join(place, 'cfg.json'))
    await expect(openSae(place)).rejects.toThrow(/lacks cfg.json/)
  })
})

describe('YAML of a transcoder set', () => {
  const transcoders = async (yaml: string) => {
    const place = await fs.mkdtemp(path.join(folder, 'yaml-'))
    await fs.cp(path.join(saes, 'mwhanna/qwen3-0.6b-transcoders-lowl0'), place, { recursive: true })
    await fs.writeFile(path.join(place, 'config.yaml'), yaml)
    return openSae(place)
  }
  test('says the hook points', async () => {
    const sae = await transcoders(
      'model_kind: transcoder_set\nfeature_input_hook: ln2.hook_normalized # no gain\nfeature_output_hook: hook_mlp_out\n'
    )
    expect([sae.hook, sae.readsGain]).toEqual(['blocks.1.ln2.hook_normalized', false])
  })
  test.each([
    ['an alias', 'a: &x [1]\nb: *x\n'],
    ['a tag', 'model_name: !!python/object/apply:os.system ["touch PWNED"]\n'],
    ['a broken line', 'model_name: [1, \n'],
    ['a nest of aliases', 'a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n']
  ])('%s is refused', async (_name, yaml) => {
    await expect(transcoders(yaml)).rejects.toThrow(/config.yaml is not plain YAML/)
  })
  test('the typo in the name of the other file is known', async () => {
    const place = await fs.mkdtemp(path.join(folder, 'typo-'))
    await fs.cp(path.join(saes, 'mwhanna/qwen3-0.6b-transcoders-lowl0'), place, { recursive: true })
    await fs.rename(path.join(place, 'wandb-config.yaml'), path.join(place, 'wanb-config.yaml'))
    await fs.rm(path.join(place, 'config.yaml'))
    expect((await openSae(place)).hook).toBe('blocks.1.mlp.hook_in')
  })
})
