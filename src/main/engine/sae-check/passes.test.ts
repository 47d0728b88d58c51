/** Places and passes on the golden models: each tensor once, and every reading that makes a difference, in few passes. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { ProcessingFlag } from '../../../contract/run.ts'
import { golden } from '../../inference/golden/golden-files.ts'
import { openSae } from '../../sae/open.ts'
import { readHookedConfig } from '../../transformer/hooked-config.ts'
import { openModel } from '../../transformer/model.ts'
import { processingEffects, processingsAt } from '../../transformer/processing-effects.ts'
import { passesOf } from './passes.ts'
import { placesOf } from './places.ts'

async function effectsOf(model: string) {
  const value = z
    .record(z.string(), z.unknown())
    .parse(JSON.parse(await fs.readFile(path.join(golden('models', model), 'config.json'), 'utf8')))
  const { config, hasValueBiases } = readHookedConfig(value)
  return config === null ? [] : processingEffects(config, hasValueBiases)
}

async function placesFor(model: string, saePath: string, hook?: string) {
  const { hookPoints, layers } = await openModel(golden('models', model))
  const sae = await openSae(golden('saes', saePath), hook === undefined ? {} : { hook })
  const own = await openSae(golden('saes', saePath))
  const ownPlace = own.hook === null ? null : { hook: own.hook, hookOut: own.hookOut }
  return placesOf(sae, { hook: sae.hook ?? '', hookOut: sae.hookOut }, ownPlace, hookPoints, layers)
}

const hooksOf = (places: Awaited<ReturnType<typeof placesFor>>) => places.map(({ hook }) => hook)

describe('places', () => {
  test('are the hook points of its width in its layer and beside it, the present one first, each tensor once', async () => {
    const places = await placesFor('gemma3-tiny', 'google/gemma-scope-2-1b-pt/resid_post/layer_1_width_72_l0_medium')
    const site = (layer: number, ...names: string[]) => names.map(name => `blocks.${layer}.${name}`)
    const names = [
      'ln1.hook_normalized',
      'ln1_post.hook_normalized',
      'hook_attn_out',
      'hook_resid_mid',
      'ln2.hook_normalized',
      'mlp.hook_in'
    ]
    const after = ['ln2_post.hook_normalized', 'hook_mlp_out']
    expect(hooksOf(places)).toEqual([
      'blocks.1.hook_resid_post',
      ...['blocks.0.hook_resid_pre', ...site(0, ...names, ...after, 'hook_resid_post')],
      ...site(1, ...names, ...after),
      ...site(2, ...names, ...after, 'hook_resid_post')
    ])
  })

  test('keep the present name of a tensor that has two', async () => {
    const places = hooksOf(await placesFor('gpt2-tiny', 'gpt2-small-res-jb/blocks.1.hook_resid_pre'))
    expect(places[0]).toBe('blocks.1.hook_resid_pre')
    expect(places).not.toContain('blocks.0.hook_resid_post')
  })

  test('begin with the present one, then the SAE’s own', async () => {
    const places = hooksOf(await placesFor('gpt2-tiny', 'gpt2-small-res-jb/blocks.1.hook_resid_pre', 'blocks.1.hook_mlp_out'))
    expect(places.slice(0, 2)).toEqual(['blocks.1.hook_mlp_out', 'blocks.1.hook_resid_pre'])
    expect(places).not.toContain('blocks.0.hook_resid_post')
  })

  test('of another width are none', async () => {
    const places = await placesFor('gemma3-tiny', 'google/gemma-scope-2-1b-pt/attn_out_all/layer_1_width_72_l0_small')
    expect(hooksOf(places)).toEqual(['blocks.1.attn.hook_z', 'blocks.0.attn.hook_z', 'blocks.2.attn.hook_z'])
  })

  test('of the embedding are beside the first layer', async () => {
    const places = hooksOf(await placesFor('gemma2-tiny', 'google/gemma-scope-2b-pt-res/embedding/width_96/average_l0_10'))
    expect(places[0]).toBe('hook_embed')
    expect(places.every(hook => hook === 'hook_embed' || hook.startsWith('blocks.0.'))).toBe(true)
  })

  test('of a transcoder are other inputs of its output, and both moved by a layer', async () => {
    const places = await placesFor('gemma3-tiny', 'google/gemma-scope-2-1b-pt/transcoder_all/layer_2_width_64_l0_small')
    expect(places[0]).toEqual({ hook: 'blocks.2.mlp.hook_in', hookOut: 'blocks.2.hook_mlp_out' })
    expect(places).toContainEqual({ hook: 'blocks.2.ln2.hook_normalized', hookOut: 'blocks.2.hook_mlp_out' })
    expect(places).toContainEqual({ hook: 'blocks.1.mlp.hook_in', hookOut: 'blocks.1.hook_mlp_out' })
    expect(places.filter(({ hook, hookOut }) => hook === 'blocks.3.mlp.hook_in' && hookOut === 'blocks.2.hook_mlp_out')).toEqual([])
  })
})

describe('processings that make a difference', () => {
  const at = async (model: string, hook: string) => processingsAt([hook], await effectsOf(model))

  test('are those of the flags that change the hook point', async () => {
    expect(await at('gpt2-tiny', 'blocks.1.hook_resid_pre')).toEqual([[], ['center_writing_weights']])
    expect(await at('gpt2-tiny', 'blocks.1.ln2.hook_normalized')).toEqual([[], ['fold_ln']])
    expect(await at('gemma2-tiny', 'blocks.1.hook_resid_post')).toEqual([[]])
    expect(await at('gemma2-tiny', 'blocks.1.mlp.hook_in')).toEqual([[], ['fold_ln']])
    expect(await at('qwen2-tiny', 'blocks.0.attn.hook_z')).toEqual([[], ['fold_value_biases']])
  })

  test('of value biases include what fold_ln adds to them', async () => {
    expect(await at('gpt2-tiny', 'blocks.1.attn.hook_z')).toEqual([[], ['fold_value_biases'], ['fold_ln', 'fold_value_biases']])
  })
})

describe('passes', () => {
  const nothing = () => false

  test('show every reading of every place once, the present one first', async () => {
    const places = await placesFor('gpt2-tiny', 'gpt2-small-res-jb/blocks.1.hook_resid_pre')
    const effects = await effectsOf('gpt2-tiny')
    const present: ProcessingFlag[] = ['center_writing_weights', 'center_unembed']
    const passes = passesOf(places, present, effects, nothing)
    expect(passes).toHaveLength(3)
    expect(passes[0]?.readings[0]).toEqual({ place: places[0], processing: present })
    const shown = passes.flatMap(({ readings }) => readings.map(({ place, processing }) => `${place.hook} ${processing}`))
    const wanted = places.flatMap(({ hook, hookOut }) => processingsAt(hookOut === null ? [hook] : [hook, hookOut], effects))
    expect(shown).toHaveLength(wanted.length)
    expect(new Set(shown).size).toBe(wanted.length)
    for (const { flags, readings } of passes) {
      for (const { place, processing } of readings) {
        const counts = new Set(processingsAt([place.hook], effects).flat())
        expect(processing.filter(flag => counts.has(flag))).toEqual(flags.filter(flag => counts.has(flag)))
        expect(processing.filter(flag => !counts.has(flag))).toEqual(present.filter(flag => !counts.has(flag)))
      }
    }
  })

  test('are one where nothing makes a difference', async () => {
    const places = [{ hook: 'blocks.1.hook_resid_post', hookOut: null }]
    expect(passesOf(places, ['fold_ln'], await effectsOf('gemma2-tiny'), nothing)).toEqual([
      { flags: [], readings: [{ place: places[0], processing: ['fold_ln'] }] }
    ])
  })

  test('do not fold the gain that an SAE reads', async () => {
    const places = [{ hook: 'blocks.1.mlp.hook_in', hookOut: null }]
    const effects = await effectsOf('gemma2-tiny')
    expect(passesOf(places, [], effects, nothing)).toHaveLength(2)
    expect(passesOf(places, [], effects, () => true)).toHaveLength(1)
  })
})
