import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openSae } from '../open.ts'
import type { Sae } from '../sae.ts'
import { hooksOfPath } from './gemma-scope.ts'

const fixtures = fileURLToPath(new URL('../../../../fixtures/golden', import.meta.url))
const open = (...parts: string[]) => openSae(path.join(fixtures, ...parts))

describe('the path says the hook point', () => {
  const cases: [string, string | null][] = [
    ['/x/models--google--gemma-scope-2b-pt-res/snapshots/ab12/layer_20/width_16k/average_l0_71', 'blocks.20.hook_resid_post'],
    ['/x/gemma-scope-9b-pt-mlp/layer_3/width_16k/average_l0_5', 'blocks.3.hook_mlp_out'],
    ['/x/gemma-scope-2b-pt-att/layer_0/width_16k/average_l0_104', 'blocks.0.attn.hook_z'],
    ['/x/gemma-scope-2b-pt-res/embedding/width_4k/average_l0_44', 'hook_embed'],
    ['/x/demo-scope-res/layer_2/width_1k/average_l0_15', 'blocks.2.hook_resid_post'],
    ['/x/downloads/layer_20/width_16k/average_l0_71', null]
  ]
  for (const [folder, hook] of cases) test(`${folder} -> ${hook}`, () => expect(hooksOfPath(folder)?.hook ?? null).toBe(hook))

  test('a transcoder reads one hook point and writes to another', () => {
    expect(hooksOfPath('/x/gemma-scope-2b-pt-transcoders/layer_1/width_16k/average_l0_10')).toEqual({
      hook: 'blocks.1.ln2.hook_normalized',
      out: 'blocks.1.hook_mlp_out'
    })
  })
})

test('folder and file open the same SAE, and a hook the person names goes before the path', async () => {
  const folder = 'saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13'
  const byFolder = await open(folder)
  const byFile = await open(folder, 'params.npz')
  const facts = ({ weights: _, ...rest }: Sae) => ({ ...rest, path: '' })
  expect(facts(byFile)).toEqual(facts(byFolder))
  const named = await openSae(path.join(fixtures, folder), { hook: 'blocks.3.hook_resid_post' })
  expect(named.hook).toBe('blocks.3.hook_resid_post')
})

describe('arrays that contradict each other are refused by name', () => {
  const cases: [string, RegExp][] = [
    ['hostile/sae_mismatch/gemma_scope_w_dec_other_width', /W_dec is \[.*36\]/],
    ['hostile/sae_mismatch/gemma_scope_threshold_length', /threshold is/],
    ['hostile/npz/missing_threshold.npz', /no tensor threshold/],
    ['hostile/npz/deflate_bomb.npz', /W_enc has the shape \[1024, 1024, 8\]/]
  ]
  for (const [file, message] of cases) test(file, () => expect(open(file)).rejects.toThrow(message))
})
