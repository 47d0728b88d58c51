/** `splice inspect` as a person reads it and as a script does. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Inspection, inspection } from '../../src/contract/inspection.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { golden } from '../golden.ts'

const home = temporaryFolder()

async function inspected(path: string): Promise<{ text: string; found: Inspection }> {
  const text = await splice(['inspect', path], { home })
  const json = await splice(['inspect', path, '--json'], { home })
  expect([text.code, text.stderr, json.code, json.stderr]).toEqual([0, '', 0, ''])
  expect(json.stdout.trimEnd()).not.toContain('\n')
  return { text: text.stdout, found: inspection.parse(JSON.parse(json.stdout)) }
}

describe('splice inspect', () => {
  test('a model: its sizes by their TransformerLens names, and every tensor', async () => {
    const { text, found } = await inspected(demo.model)
    expect(found).toMatchObject({ kind: 'model', model: { family: 'gemma2' }, config: { d_model: 128, n_layers: 4, d_vocab: 2048 } })
    expect(text).toMatch(/^d_model +128$/m)
    expect(text.split('\n').filter(line => /^model\./.test(line))).toHaveLength(found.tensors.length)
  })

  test('an SAE: format, architecture, hook point, sizes, its whole config', async () => {
    const { text, found } = await inspected(join(golden, 'saes/saelens6/topk_rescale_dec_norm'))
    expect(found).toMatchObject({
      kind: 'sae',
      sae: { format: 'saelens', architecture: 'topk', hook: 'blocks.0.hook_resid_post', hookOut: null, dIn: 32, dSae: 96 },
      config: { k: 8, rescale_acts_by_decoder_norm: true, metadata: { model_name: 'gpt2-tiny' } }
    })
    expect(text).toMatch(/^reads +blocks\.0\.hook_resid_post$/m)
    expect(text).toMatch(/^W_enc +F32 +\[32, 96\] +12,288$/m)
  })

  test('a transcoder: where it reads and where it writes', async () => {
    const { text } = await inspected(join(golden, 'saes/mwhanna/qwen3-0.6b-transcoders-lowl0/layer_1.safetensors'))
    expect(text).toMatch(/^reads +blocks\.1\.mlp\.hook_in$/m)
    expect(text).toMatch(/^writes +blocks\.1\.hook_mlp_out$/m)
  })

  test('a file of weights that is no SAE by itself', async () => {
    const { text, found } = await inspected(join(golden, 'hostile/benign_edge/ordered_dict_half.pt'))
    expect(found).toMatchObject({ kind: 'weights', container: 'torch' })
    expect(text).toMatch(/^W_dec +BF16 +\[16, 8\] +256$/m)
  })
})
