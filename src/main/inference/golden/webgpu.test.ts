/**
 * Some golden cases on WebGPU, with SwiftShader as its GPU: families, 16-bit weights, SAEs of every activation function, error terms and
 * edits, within the same tolerances as on the CPU. `npm run test:all` runs all of them.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Variant } from '../../../contract/run.ts'
import { howToGetSoftwareGpu, softwareGpu } from '../../doctor/software-gpu-fixture.ts'
import {
  expectClose,
  expectHook,
  expectOutputs,
  expectSameActive,
  expectValues,
  golden,
  promptOf,
  readingOf,
  runAndSave,
  tensorsOf,
  variantOf
} from './golden-data.ts'
import { modelCases } from './model-cases.ts'
import { clean, editOf, membersOf, saeCase, saeIndex, splicesOf } from './sae-cases.ts'

const provider = 'webgpu'
if (softwareGpu === null) console.log(howToGetSoftwareGpu)

describe.skipIf(softwareGpu === null)('on WebGPU', () => {
  beforeAll(() => {
    process.env.VK_DRIVER_FILES = softwareGpu ?? ''
  })

  async function run(model: string, prompt: string, reading: string, variants: Variant[], saes: ReturnType<typeof membersOf> = []) {
    const { ids } = await promptOf(model, prompt)
    const job = { provider, model: golden('models', model), prompt: { ids }, saes, variants, ...readingOf(reading) } as const
    const { result, saved } = await runAndSave(job)
    expect([result.provider, result.warnings], 'what ran').toEqual([provider, []])
    return { ids, result, saved }
  }

  // F32 of four kinds of attention and norm, F16 and BF16.
  test.each(['gemma2-tiny', 'gpt2-tiny', 'pythia-tiny', 'mistral-tiny', 'qwen3-tiny'])('%s equals TransformerLens', async model => {
    const one = modelCases.find(
      candidate => candidate.model === model && candidate.prompt === 'p1' && candidate.reading === 'no_processing'
    )
    if (one === undefined) throw new Error(`the golden data has no such run of ${model}`)
    const { ids, result, saved } = await run(model, 'p1', one.reading, [clean])
    const expected = await tensorsOf(golden(one.file))
    const ours = variantOf(saved, 'clean')
    for (const [name, values] of expected) if (!name.startsWith('output.')) expectHook(name, ours.get(name), values)
    expectOutputs(result, 'clean', ours.get('logits'), expected, ids)
  })

  test.each([
    ['gemma2-tiny.multi_att0_res1_mlp2', 'no_processing'],
    ['gpt2-tiny.topk_rescale_dec_norm', 'processed'],
    ['gpt2-tiny.gated', 'processed'],
    ['pythia-tiny.dictlearn_topk_l1', 'no_processing'],
    ['mistral-tiny.mistral_standard', 'no_processing'],
    ['gemma3-tiny.gemma_scope_2_transcoder_affine_l1', 'no_processing']
  ])('%s equals SAELens', async (id, reading) => {
    const entry = saeCase(id)
    const recorded = entry.runs?.find(candidate => candidate.model_variant === reading)
    if (recorded === undefined) throw new Error(`the golden data has no such run of ${id}`)
    const saes = membersOf(entry)
    const variants = [clean, splicesOf('spliced', saes, false), splicesOf('with-error', saes, true)]
    const { ids, result, saved } = await run(entry.model, recorded.prompt, reading, variants, saes)
    const expected = await tensorsOf(golden(recorded.file))
    const spliced = variantOf(saved, 'spliced')
    for (const [name, values] of expected) {
      if (name.startsWith('output.')) continue
      expectHook(name, spliced.get(name), values)
      if (name.endsWith('hook_sae_acts_post')) expectSameActive(name, spliced.get(name), values)
    }
    expectOutputs(result, 'spliced', spliced.get('logits'), expected, ids)
    if (recorded.file_error_term === undefined) return
    const withError = expectValues('logits', (await tensorsOf(golden(recorded.file_error_term))).get('output.logits'))
    expectClose('logits with the error term', variantOf(saved, 'with-error').get('logits'), withError, 5e-4, 0)
  })

  test('features are edited as TransformerLens and SAELens edit them', async () => {
    const entry = saeIndex.edits.find(({ sae, error_term: errorTerm }) => sae === 'gemma2-tiny.gemma_scope_res_l1' && errorTerm)
    if (entry === undefined || Array.isArray(entry.edit) || Array.isArray(entry.sae)) throw new Error('the golden data has no such edit')
    const saes = membersOf(saeCase(entry.sae))
    const edited = { ...splicesOf('edited', saes, true), edits: [editOf(entry.edit, saes[0]?.name ?? '')] }
    const { saved } = await run(entry.model, entry.prompt, entry.model_variant, [clean, edited], saes)
    const expected = await tensorsOf(golden(entry.file))
    const logits = expectValues('logits', expected.get('output.logits'))
    expectClose('logits', variantOf(saved, 'edited').get('logits'), logits, 5e-4, 0)
  })

  test('weights that are no numbers are said to be none', async () => {
    const model = golden('hostile/checkpoints/nan_weights')
    const { result } = await runAndSave({ provider, model, prompt: { ids: [7, 3, 9] }, variants: [clean], ...readingOf('no_processing') })
    expect(result.provider).toBe(provider)
    expect(result.warnings.join()).toMatch(/logits are not numbers at 3 positions.*hold NaN or infinities/)
    expect(result.variants[0]?.topK).toEqual([[], [], []])
  })
})
