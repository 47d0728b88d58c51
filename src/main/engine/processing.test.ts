import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { golden } from '../inference/golden/golden-data.ts'
import { chooseProcessing, readProcessing, type SaeLoading } from './processing.ts'
import { processingOf } from './sae-loadings.ts'

type Kwargs = Record<string, unknown> | null
const sae = (name: string, releaseKwargs: Kwargs, ownKwargs: Kwargs = null, keepsOwnKwargs = false): SaeLoading => {
  return { name, release: releaseKwargs === null ? null : 'a-release', releaseKwargs, ownKwargs, keepsOwnKwargs }
}
const all = ['fold_ln', 'center_writing_weights', 'center_unembed', 'fold_value_biases']

describe('auto processing', () => {
  test('is everything without an SAE, as from_pretrained', () => {
    expect(chooseProcessing('auto', [])).toMatchObject({ flags: all, from: 'no-sae' })
  })

  test('is nothing where nothing is known of the SAE, as SAELens 6', () => {
    expect(chooseProcessing('auto', [sae('sae1', null)])).toMatchObject({ flags: [], from: 'unknown' })
  })

  test('is what the release asks for', () => {
    const chosen = chooseProcessing('auto', [sae('sae1', { center_writing_weights: true, n_devices: 1 })])
    expect(chosen).toEqual({ flags: ['center_writing_weights'], from: 'release', reason: 'asked for by the release of sae1' })
  })

  test('is what the release asks for, whatever a config from before version 6 says', () => {
    const chosen = chooseProcessing('auto', [sae('sae1', { center_writing_weights: true }, { fold_ln: true })])
    expect(chosen).toEqual({ flags: ['center_writing_weights'], from: 'release', reason: 'asked for by the release of sae1' })
  })

  test('is what a config of version 6 asks for, whatever the release says', () => {
    const chosen = chooseProcessing('auto', [sae('sae1', { center_writing_weights: true }, { fold_ln: true }, true)])
    expect(chosen).toEqual({ flags: ['fold_ln'], from: 'config', reason: 'asked for by the config of sae1' })
    expect(chooseProcessing('auto', [sae('sae1', { center_writing_weights: true }, {}, true)]).flags).toEqual([])
  })

  test('is what the config asks for where the release says nothing', () => {
    expect(chooseProcessing('auto', [sae('sae1', {}, { fold_ln: true })])).toMatchObject({ flags: ['fold_ln'], from: 'config' })
    expect(chooseProcessing('auto', [sae('sae1', null, { fold_ln: false })])).toMatchObject({ flags: [], from: 'config' })
  })

  test('refuses SAEs that disagree, naming both', () => {
    const saes = [sae('sae1', { center_writing_weights: true }), sae('sae2', {})]
    expect(() => chooseProcessing('auto', saes)).toThrow(/sae1 \(center_writing_weights\) and sae2 \(none\)/)
    expect(readProcessing('auto', saes)).toMatchObject({
      inForce: null,
      disagreement: 'sae1 (center_writing_weights) and sae2 (none) want different processing of the model',
      asked: [
        { sae: 'sae1', flags: ['center_writing_weights'], from: 'release' },
        { sae: 'sae2', flags: [], from: 'release' }
      ]
    })
    expect(readProcessing('none', saes).inForce).toMatchObject({ flags: [], from: 'chosen' })
  })
})

test('a list by name keeps the order in which TransformerLens applies it', () => {
  expect(chooseProcessing(['center_unembed', 'fold_ln'], []).flags).toEqual(['fold_ln', 'center_unembed'])
  expect(chooseProcessing('none', [sae('sae1', { fold_ln: true })]).flags).toEqual([])
  expect(chooseProcessing('all', []).flags).toEqual(all)
})

describe('SAEs on disk', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-test-'))
  afterAll(() => fs.rm(folder, { recursive: true, force: true }))
  const hook = 'blocks.1.hook_resid_pre'

  /** The golden SAE at a place that a release names, its config changed. */
  async function placed(place: string, change: (config: Record<string, unknown>) => unknown): Promise<string> {
    const at = path.join(folder, place)
    await fs.cp(golden('saes/gpt2-small-res-jb', hook), at, { recursive: true })
    const file = path.join(at, 'cfg.json')
    await fs.writeFile(file, JSON.stringify(change(JSON.parse(await fs.readFile(file, 'utf8')))))
    return at
  }

  test('are asked for by their release, else their config, else not at all', async () => {
    const released = await placed(`GPT2-Small-SAEs-Reformatted/${hook}`, config => config)
    const own = await placed('own', config => ({ ...config, model_from_pretrained_kwargs: { fold_value_biases: true } }))
    const silent = await placed('silent', config => config)
    const asked = async (at: string) => (await processingOf('auto', [{ name: 'sae1', path: at }])).asked[0]
    expect(await asked(released)).toEqual({
      sae: 'sae1',
      flags: ['center_writing_weights'],
      from: 'release',
      release: 'gpt2-small-res-jb'
    })
    expect(await asked(own)).toEqual({ sae: 'sae1', flags: ['fold_value_biases'], from: 'config', release: null })
    expect(await asked(silent)).toEqual({ sae: 'sae1', flags: [], from: 'unknown', release: null })
  })

  test('of version 6 keep what their metadata say', async () => {
    const six = await placed(`models--jbloom--GPT2-Small-SAEs-Reformatted/snapshots/0/${hook}`, ({ d_in, d_sae }) => {
      return {
        ...{ architecture: 'standard', d_in, d_sae, dtype: 'float32', device: 'cpu', apply_b_dec_to_input: true },
        metadata: { sae_lens_version: '6.18.0', hook_name: hook, model_from_pretrained_kwargs: { fold_ln: true } }
      }
    })
    const { asked } = await processingOf('auto', [{ name: 'sae1', path: six }])
    expect(asked).toEqual([{ sae: 'sae1', flags: ['fold_ln'], from: 'config', release: 'gpt2-small-res-jb' }])
  })
})
