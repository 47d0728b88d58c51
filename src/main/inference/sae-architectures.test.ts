/** Architectures and fields that the golden data has no case of, against plain loops in double precision. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromMaybeNumber } from '../../contract/numbers.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import { writeTorchZip } from '../checkpoint/torch-fixture.ts'
import { golden, promptOf, readingOf, runAndSave, tensorsOf, type Values, variantOf } from './golden/golden-data.ts'
import { clean, splicesOf } from './golden/sae-cases.ts'
import { above, largest, type Matrix, multiply, type ReferenceSae, reference, relu, transpose } from './sae-reference.ts'

const dIn = 32
const dSae = 24
const hook = 'blocks.1.hook_resid_post'

let folder = ''
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-saes-'))
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

/** The same numbers every time, from -1 to 1. */
function numbers(seed: number, count: number): number[] {
  let state = seed * 2654435761 + 1
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.fround((state / 2 ** 31 - 1) * 0.5)
  })
}
const matrix = (seed: number, rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, (_, row) => numbers(seed * 1000 + row, columns))

const W_enc = matrix(1, dIn, dSae)
const W_dec = matrix(2, dSae, dIn)
const b_enc = numbers(3, dSae)
const b_dec = numbers(4, dIn)
const base: ReferenceSae = {
  encoder: W_enc,
  decoder: W_dec,
  encoderBias: b_enc,
  decoderBias: b_dec,
  subtractsBias: true,
  activate: pre => pre.map(relu)
}

type Tensor = number | readonly number[] | Matrix

function flattened(tensor: Tensor): { shape: number[]; data: Float32Array } {
  if (typeof tensor === 'number') return { shape: [], data: Float32Array.of(tensor) }
  const isMatrix = (rows: readonly number[] | Matrix): rows is Matrix => typeof rows[0] !== 'number'
  if (!isMatrix(tensor)) return { shape: [tensor.length], data: Float32Array.from(tensor) }
  return { shape: [tensor.length, tensor[0]?.length ?? 0], data: Float32Array.from(tensor.flat()) }
}

/** Writes a safetensors file with a config beside it; gives the folder. */
async function writeFolder(name: string, tensors: Record<string, Tensor>, files: { weights: string; config: string; value: unknown }) {
  const place = path.join(folder, name)
  await fs.mkdir(place, { recursive: true })
  const list = Object.entries(tensors).map(([tensor, values]) => ({ name: tensor, ...flattened(values) }))
  await writeSafetensors(path.join(place, files.weights), list)
  await fs.writeFile(path.join(place, files.config), JSON.stringify(files.value))
  return place
}

const saeLens = (name: string, tensors: Record<string, Tensor>, fields: Record<string, unknown>, metadata: Record<string, unknown> = {}) =>
  writeFolder(name, tensors, {
    weights: 'sae_weights.safetensors',
    config: 'cfg.json',
    value: {
      d_in: dIn,
      d_sae: dSae,
      dtype: 'float32',
      architecture: 'standard',
      ...fields,
      metadata: { sae_lens_version: '6.18.0', hook_name: hook, ...metadata }
    }
  })

const oldSaeLens = (name: string, tensors: Record<string, Tensor>, fields: Record<string, unknown>) =>
  writeFolder(name, tensors, {
    weights: 'sae_weights.safetensors',
    config: 'cfg.json',
    value: { d_in: dIn, d_sae: dSae, dtype: 'torch.float32', hook_point: hook, ...fields }
  })

async function dictionaryLearning(name: string, tensors: Record<string, Tensor>, trainer: Record<string, unknown>) {
  const place = path.join(folder, name)
  await fs.mkdir(place, { recursive: true })
  const list = Object.entries(tensors).map(([tensor, values]) => {
    const { shape, data } = flattened(values)
    return [tensor, { shape, values: data }] as const
  })
  await writeTorchZip(path.join(place, 'ae.pt'), Object.fromEntries(list))
  const config = { trainer: { activation_dim: dIn, dict_size: dSae, layer: 1, lm_name: 'x', ...trainer }, buffer: { io: 'out' } }
  await fs.writeFile(path.join(place, 'config.json'), JSON.stringify(config))
  return place
}

const plain = { W_enc, W_dec, b_enc, b_dec }

/** Runs an SAE on the golden prompt, and gives its variant's activations with the input that TransformerLens had there. */
async function spliced(at: string, at_hook: string, choices: Record<string, unknown> = {}) {
  const { ids } = await promptOf('gemma2-tiny', 'p1')
  const saes = [{ name: 'sae', path: at, ...choices }]
  const { result, saved } = await runAndSave({
    model: golden('models', 'gemma2-tiny'),
    prompt: { ids },
    saes,
    variants: [clean, splicesOf('spliced', saes, false)],
    metricPositions: 'all',
    ...readingOf('no_processing')
  })
  const cached = await tensorsOf(golden('runs/gemma2-tiny/p1/no_processing.safetensors'))
  return { result, saved: variantOf(saved, 'spliced'), clean: variantOf(saved, 'clean'), input: cached.get(at_hook) }
}

function rows(values: Values | undefined): number[][] {
  const positions = values?.shape[1] ?? 0
  const width = (values?.data.length ?? 0) / Math.max(1, positions)
  return Array.from({ length: positions }, (_, position) => [...(values?.data.subarray(position * width, (position + 1) * width) ?? [])])
}

function expectRows(name: string, actual: Values | undefined, expected: readonly (readonly number[])[]): void {
  const ours = rows(actual)
  expect(ours.length).toBe(expected.length)
  for (const [position, row] of expected.entries()) {
    const scale = Math.max(...row.map(Math.abs), 1)
    for (const [place, value] of row.entries()) {
      expect(Math.abs((ours[position]?.[place] ?? Number.NaN) - value), `${name} ${position},${place}`).toBeLessThanOrEqual(1e-4 * scale)
    }
  }
}

/** Activations and output at every position are the reference's. */
async function expectReference(at: string, sae: ReferenceSae, acts = `${hook}.hook_sae_acts_post`): Promise<void> {
  const { saved, input } = await spliced(at, hook)
  const computed = rows(input).map(x => reference(sae, x))
  expect(computed.some(({ acts: row }) => row.some(value => value > 0))).toBe(true)
  expectRows(
    'acts',
    saved.get(acts),
    computed.map(({ acts: row }) => row)
  )
  expectRows(
    'output',
    saved.get(`${hook}.hook_sae_output`),
    computed.map(({ output }) => output)
  )
}

describe('SAELens', () => {
  test('a batchtopk training checkpoint fires above its one threshold, in units of its decoder norms', async () => {
    const fields = { architecture: 'batchtopk', k: 5, rescale_acts_by_decoder_norm: true }
    await expectReference(await saeLens('batchtopk', { ...plain, topk_threshold: 1.5 }, fields), {
      ...base,
      rescales: true,
      activate: above(1.5)
    })
  })
  test('a matryoshka training checkpoint without rescaling', async () => {
    const fields = { architecture: 'matryoshka_batchtopk', k: 5, rescale_acts_by_decoder_norm: false, matryoshka_widths: [8, 24] }
    await expectReference(await saeLens('matryoshka', { ...plain, topk_threshold: 2 }, fields), { ...base, activate: above(2) })
  })
  test('tanh-relu of old configs', async () => {
    await expectReference(await oldSaeLens('tanh', plain, { activation_fn_str: 'tanh-relu' }), {
      ...base,
      activate: pre => pre.map(value => Math.tanh(relu(value)))
    })
  })
  test('a finetuning scaling factor multiplies activations before they are decoded', async () => {
    const scaling_factor = numbers(9, dSae).map(value => 1 + value)
    const place = await oldSaeLens('finetuned', { ...plain, scaling_factor }, { finetuning_scaling_factor: true })
    await expectReference(place, { ...base, actsScale: scaling_factor.map(Math.fround) })
  })
  test('topk of old configs, whatever architecture they name', async () => {
    const fields = { architecture: 'standard', activation_fn: 'topk', activation_fn_kwargs: { k: 4 }, apply_b_dec_to_input: false }
    await expectReference(await oldSaeLens('topk', plain, fields), { ...base, subtractsBias: false, activate: largest(4) })
  })
  test('an SAE of one head reads and writes that head alone', async () => {
    const z = 'blocks.2.attn.hook_z'
    const dHead = 12
    const one = { W_enc: matrix(5, dHead, dSae), W_dec: matrix(6, dSae, dHead), b_enc, b_dec: numbers(7, dHead) }
    const place = await saeLens('head', one, { d_in: dHead, reshape_activations: 'none' }, { hook_name: z, hook_head_index: 2 })
    const { saved, clean: before, input } = await spliced(place, z)
    const sae = { ...base, encoder: one.W_enc, decoder: one.W_dec, decoderBias: one.b_dec }
    const computed = rows(input).map(row => reference(sae, row.slice(2 * dHead, 3 * dHead)).output)
    expectRows('output', saved.get(`${z}.hook_sae_output`), computed)
    // What the output projection reads: the other heads are as they were.
    const weights = await tensorsOf(golden('models/gemma2-tiny/model-00002-of-00002.safetensors'))
    const earlier = await tensorsOf(golden('models/gemma2-tiny/model-00001-of-00002.safetensors'))
    const name = 'model.layers.2.self_attn.o_proj.weight'
    const stored = weights.get(name) ?? earlier.get(name)
    const projection = transpose(Array.from({ length: 32 }, (_, row) => [...(stored?.data.subarray(row * 48, (row + 1) * 48) ?? [])]))
    const heads = rows(before.get(z)).map((row, position) => [...row.slice(0, 24), ...(computed[position] ?? []), ...row.slice(36)])
    const attended = heads.map(row => multiply(row, projection))
    const normalized = attended.map(row => row.map(value => value / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / 32 + 1e-6)))
    expectRows('behind the projection', saved.get('blocks.2.ln1_post.hook_normalized'), normalized)
  })
  test('a head that the hook point does not have is refused', async () => {
    const one = { W_enc: matrix(5, 12, dSae), W_dec: matrix(6, dSae, 12), b_enc, b_dec: numbers(7, 12) }
    const far = await saeLens('head-far', one, { d_in: 12 }, { hook_name: 'blocks.2.attn.hook_z', hook_head_index: 4 })
    await expect(spliced(far, hook)).rejects.toThrow(/head 4, which blocks.2.attn.hook_z of gemma2-tiny does not have/)
    const flat = await saeLens('head-flat', plain, {}, { hook_head_index: 0 })
    await expect(spliced(flat, hook)).rejects.toThrow(/head 0, which blocks.1.hook_resid_post/)
  })
  test('a feature that is no number counts as the largest of topk, as in torch, and leaves the others theirs', async () => {
    const broken = [...b_enc]
    broken[3] = Number.NaN
    const place = await saeLens('topk-nan', { ...plain, b_enc: broken }, { architecture: 'topk', k: 6 })
    const { saved, input } = await spliced(place, hook)
    const rest = { ...base, activate: (pre: readonly number[]) => largest(5)(pre.map((value, at) => (at === 3 ? -1e9 : value))) }
    for (const [position, x] of rows(input).entries()) {
      const ours = rows(saved.get(`${hook}.hook_sae_acts_post`))[position] ?? []
      const active = (acts: readonly number[]) => [...acts.keys()].filter(at => (acts[at] ?? 0) > 0)
      expect([ours[3], active(ours)]).toEqual([Number.NaN, active(reference(rest, x).acts)])
    }
  })
  test('weights that are no numbers are visible', async () => {
    const broken = [...b_enc]
    broken[3] = Number.NaN
    for (const fields of [{ architecture: 'standard' }, { architecture: 'topk', k: 4 }]) {
      const { result } = await spliced(await saeLens(`nan-${fields.architecture}`, { ...plain, b_enc: broken }, fields), hook)
      const reading = result.saes[0]?.byVariant.clean
      expect([reading?.mse, fromMaybeNumber(reading?.l0 ?? null)]).toEqual(['NaN', expect.any(Number)])
      expect(result.warnings.join()).toMatch(/not numbers/)
    }
  })
})

describe('dictionary_learning', () => {
  const layers = { 'encoder.weight': transpose(W_enc), 'encoder.bias': b_enc, 'decoder.weight': transpose(W_dec) }
  test('BatchTopKSAE', async () => {
    const place = await dictionaryLearning('dl-batch', { ...layers, b_dec, threshold: 1 }, { dict_class: 'BatchTopKSAE', k: 4 })
    await expectReference(place, { ...base, activate: above(1) })
  })
  test('MatryoshkaBatchTopKSAE', async () => {
    const place = await dictionaryLearning('dl-matryoshka', { ...plain, threshold: 1 }, { dict_class: 'MatryoshkaBatchTopKSAE', k: 4 })
    await expectReference(place, { ...base, activate: above(1) })
  })
  test('JumpReluAutoEncoder does not subtract b_dec', async () => {
    const threshold = numbers(8, dSae).map(value => value + 1)
    const place = await dictionaryLearning('dl-jump', { ...plain, threshold }, { dict_class: 'JumpReluAutoEncoder' })
    const activate = (pre: readonly number[]) => pre.map((value, at) => (value > Math.fround(threshold[at] ?? 0) ? relu(value) : 0))
    await expectReference(place, { ...base, subtractsBias: false, activate })
  })
  test('AutoEncoderNew has biases in both layers and subtracts none', async () => {
    const place = await dictionaryLearning('dl-new', { ...layers, 'decoder.bias': b_dec }, { dict_class: 'AutoEncoderNew' })
    await expectReference(place, { ...base, subtractsBias: false })
  })
})

describe('sparsify', () => {
  const write = (name: string, tensors: Record<string, Tensor>, fields: Record<string, unknown>) =>
    writeFolder(name, tensors, { weights: 'sae.safetensors', config: 'cfg.json', value: { d_in: dIn, num_latents: dSae, k: 5, ...fields } })
  const tensors = { 'encoder.weight': transpose(W_enc), 'encoder.bias': b_enc, W_dec, b_dec }

  test('without num_latents, with a normalised decoder, of the embedding', async () => {
    const fields = { num_latents: 0, expansion_factor: dSae / dIn, normalize_decoder: true }
    const { saved, input } = await spliced(await write('embed_tokens', tensors, fields), 'hook_embed')
    const computed = rows(input).map(x => reference({ ...base, subtractsBias: false, activate: largest(5) }, x))
    expectRows(
      'output',
      saved.get('hook_embed.hook_sae_output'),
      computed.map(({ output }) => output)
    )
  })
  test('a skip transcoder of an MLP', async () => {
    const W_skip = matrix(11, dIn, dIn)
    const place = await write('layers.1.mlp', { ...tensors, W_skip }, { transcode: true, skip_connection: true })
    const { result, saved } = await spliced(place, hook)
    expect(result.saes.map(sae => [sae.hook, sae.hookOut])).toEqual([['blocks.1.mlp.hook_in', 'blocks.1.hook_mlp_out']])
    const sae = { ...base, subtractsBias: false, activate: largest(5), skip: transpose(W_skip) }
    const computed = rows(saved.get('blocks.1.mlp.hook_in')).map(x => reference(sae, x))
    expectRows(
      'output',
      saved.get('transcoder.output'),
      computed.map(({ output }) => output)
    )
  })
})
