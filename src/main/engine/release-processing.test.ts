import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ProcessingFlag } from '../../contract/run.ts'
import { readCatalogue } from '../library/catalogue.ts'
import { releaseOf } from '../library/releases.ts'
import { chooseProcessing } from './processing.ts'

const none: readonly ProcessingFlag[] = []
const centred: readonly ProcessingFlag[] = ['center_writing_weights']

/**
 * What SAELens 6.18 loads each release's model with, on top of from_pretrained_no_processing: the `model_from_pretrained_kwargs` of its
 * pretrained_saes.yaml; those that its loaders state themselves (Hanna's transcoders and mntss: `fold_ln: false`) ask for nothing.
 */
const expected: Readonly<Record<string, readonly ProcessingFlag[]>> = {
  'deepseek-r1-distill-llama-8b-qresearch': none,
  'demo-saelens': none,
  'demo-scope-res': none,
  'gemma-2-2b-res-matryoshka-dc': none,
  'gemma-2-2b-res-snap-matryoshka-dc': none,
  'gemma-2-9b-res-matryoshka-dc': none,
  'gemma-2b-it-res-jb': none,
  'gemma-2b-res-jb': none,
  'gemma-3-1b-res-matryoshka-dc': none,
  'gemma-scope-27b-pt-res': none,
  'gemma-scope-27b-pt-res-canonical': none,
  'gemma-scope-2b-pt-att': none,
  'gemma-scope-2b-pt-att-canonical': none,
  'gemma-scope-2b-pt-mlp': none,
  'gemma-scope-2b-pt-mlp-canonical': none,
  'gemma-scope-2b-pt-res': none,
  'gemma-scope-2b-pt-res-canonical': none,
  'gemma-scope-2b-pt-transcoders': none,
  'gemma-scope-9b-it-res': none,
  'gemma-scope-9b-it-res-canonical': none,
  'gemma-scope-9b-pt-att': none,
  'gemma-scope-9b-pt-att-canonical': none,
  'gemma-scope-9b-pt-mlp': none,
  'gemma-scope-9b-pt-mlp-canonical': none,
  'gemma-scope-9b-pt-res': none,
  'gemma-scope-9b-pt-res-canonical': none,
  'gpt2-small-attn-out-v5-128k': none,
  'gpt2-small-attn-out-v5-32k': none,
  'gpt2-small-hook-z-kk': none,
  'gpt2-small-mlp-out-v5-128k': none,
  'gpt2-small-mlp-out-v5-32k': none,
  'gpt2-small-mlp-tm': centred,
  'gpt2-small-res-jb': centred,
  'gpt2-small-res-jb-feature-splitting': centred,
  'gpt2-small-res_sce-ajt': none,
  'gpt2-small-res_scefr-ajt': none,
  'gpt2-small-res_scl-ajt': none,
  'gpt2-small-res_sle-ajt': none,
  'gpt2-small-res_slefr-ajt': none,
  'gpt2-small-res_sll-ajt': none,
  'gpt2-small-resid-mid-v5-128k': none,
  'gpt2-small-resid-mid-v5-32k': none,
  'gpt2-small-resid-post-v5-128k': none,
  'gpt2-small-resid-post-v5-32k': none,
  'llama-3-8b-it-res-jh': none,
  'llama-3.1-8b-instruct-andyrdt': none,
  llama_scope_lxa_32x: none,
  llama_scope_lxa_8x: none,
  llama_scope_lxm_32x: none,
  llama_scope_lxm_8x: none,
  llama_scope_lxr_32x: none,
  llama_scope_lxr_8x: none,
  llama_scope_r1_distill: none,
  'mistral-7b-res-wg': none,
  'mntss-gemma-2-2b-2.5m-clt-as-per-layer': none,
  'mwhanna-qwen3-0.6b-transcoders-lowl0': none,
  'mwhanna-qwen3-1.7b-transcoders-lowl0': none,
  'mwhanna-qwen3-14b-transcoders': none,
  'mwhanna-qwen3-14b-transcoders-lowl0': none,
  'mwhanna-qwen3-4b-transcoders': none,
  'mwhanna-qwen3-8b-transcoders': none,
  'pythia-70m-deduped-att-sm': none,
  'pythia-70m-deduped-mlp-sm': none,
  'pythia-70m-deduped-res-sm': none,
  'qwen2.5-7b-instruct-andyrdt': none,
  'sae_bench_gemma-2-2b_topk_width-2pow12_date-1109': none,
  'sae_bench_gemma-2-2b_topk_width-2pow14_date-1109': none,
  'sae_bench_gemma-2-2b_topk_width-2pow16_date-1109': none,
  'sae_bench_gemma-2-2b_vanilla_width-2pow12_date-1109': none,
  'sae_bench_gemma-2-2b_vanilla_width-2pow14_date-1109': none,
  'sae_bench_gemma-2-2b_vanilla_width-2pow16_date-1109': none,
  sae_bench_pythia70m_sweep_gated_ctx128_0730: none,
  sae_bench_pythia70m_sweep_panneal_ctx128_0730: none,
  sae_bench_pythia70m_sweep_standard_ctx128_0712: none,
  sae_bench_pythia70m_sweep_topk_ctx128_0730: none
}

const { releases } = await readCatalogue(null)

/** Where Python's huggingface_hub puts a file of a repository; the demo's lie in resources. */
function cachePath(repo: string, within: string): string {
  if (!repo.includes('/')) return path.join('/opt/splice/resources/demo/saes', repo, within)
  return path.join('/home/someone/.cache/huggingface/hub', `models--${repo.replace('/', '--')}`, 'snapshots', '0'.repeat(40), within)
}

test('every release of the table is stated here', () => {
  expect(releases.map(({ release }) => release).sort()).toEqual(Object.keys(expected).sort())
})

describe.each(releases.map(({ release, repo, saes }) => ({ release, repo, saes })))('$release', ({ release, repo, saes }) => {
  test('is read as SAELens 6 loads it, whichever of its SAEs is opened', async () => {
    for (const { path: within } of saes) {
      if (within === null) continue
      const known = await releaseOf(cachePath(repo, within))
      expect(known?.repo).toBe(repo)
      const loading = {
        name: 'sae1',
        release: known?.release ?? null,
        ownKwargs: null,
        releaseKwargs: known?.modelFromPretrainedKwargs ?? null,
        keepsOwnKwargs: false
      }
      const { flags, from } = chooseProcessing('auto', [loading])
      expect({ within, flags, from }).toEqual({ within, flags: expected[release], from: 'release' })
    }
  })
})
