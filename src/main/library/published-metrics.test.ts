import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { golden } from '../inference/golden/golden-files.ts'
import { openSae } from '../sae/open.ts'
import { l0OfPath, publishedMetrics } from './published-metrics.ts'
import { releaseOf } from './releases.ts'
import { resourcesFolder } from './resources.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-test-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

test.each([
  ['/a/layer_20/width_16k/average_l0_71', 71],
  ['/a/layer_20/width_16k/average_l0_71/params.npz', 71],
  ['/a/gemma-2-2b-saes-w-32k-l0-40/blocks.0.hook_resid_post', 40],
  ['/a/trainer_2_l0_12.5/ae.pt', 12.5],
  ['C:\\saes\\layer_1\\average_l0_9\\params.npz', 9],
  ['/a/qwen3-transcoders-lowl0/layer_1.safetensors', null],
  ['/a/layer_2_width_64_l0_small', null],
  ['/average_l0_5/a/b/c/d/params.npz', null],
  ['/a/all0_7/params.npz', null]
])('the path %s names the L0 %s', (at, l0) => {
  expect(l0OfPath(at)).toBe(l0)
})

async function metricsAt(at: string) {
  return publishedMetrics(await openSae(at), await releaseOf(at))
}

describe('published metrics', () => {
  test('are those of the release', async () => {
    const at = path.join(resourcesFolder(), 'demo/saes/demo-scope-res/layer_2/width_1k/average_l0_15')
    expect(await metricsAt(at)).toEqual({ l0: { value: 15.25, from: 'release' }, explainedVariance: { value: 0.8838, from: 'release' } })
  })

  test('else those of its files: the config of Gemma Scope 2', async () => {
    const at = golden('saes/google/gemma-scope-2-1b-pt/mlp_out/layer_2_width_64_l0_medium')
    expect(await metricsAt(at)).toEqual({ l0: { value: 6, from: 'file' }, explainedVariance: null })
  })

  test('else that of its path', async () => {
    const at = golden('saes/google/gemma-scope-2b-pt-mlp/layer_2/width_96/average_l0_8')
    expect(await metricsAt(at)).toEqual({ l0: { value: 8, from: 'path' }, explainedVariance: null })
  })

  test('are what dictionary_learning measured, before its path', async () => {
    const at = path.join(folder, 'average_l0_99')
    await fs.cp(golden('saes/canrager/lm_sae/pythia-tiny/resid_post_layer_1/AutoEncoderTopK/trainer_0'), at, { recursive: true })
    await fs.writeFile(path.join(at, 'eval_results.json'), JSON.stringify({ l0: 12, frac_variance_explained: 0.81, loss_original: 'x' }))
    expect(await metricsAt(at)).toEqual({ l0: { value: 12, from: 'file' }, explainedVariance: { value: 0.81, from: 'file' } })
    await fs.writeFile(path.join(at, 'eval_results.json'), '{"l0": "many", "frac_variance_explained": null}')
    expect(await metricsAt(at)).toEqual({ l0: { value: 99, from: 'path' }, explainedVariance: null })
    await fs.writeFile(path.join(at, 'eval_results.json'), 'no JSON')
    expect((await metricsAt(at)).l0).toEqual({ value: 99, from: 'path' })
  })

  test('are none where nothing states them', async () => {
    expect(await metricsAt(golden('saes/saelens6/standard_mlp_out'))).toEqual({ l0: null, explainedVariance: null })
  })
})
