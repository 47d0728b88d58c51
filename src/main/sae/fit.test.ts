/** Whether an SAE fits a model, and what is said where it does not. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import { openModel } from '../transformer/model.ts'
import { attach, type FittingPoint } from './fit.ts'
import { openSae } from './open.ts'

const golden = path.resolve('fixtures/golden')
const sae = {
  ...{ path: '/saes/one', hook: 'blocks.0.hook_resid_post', hookOut: null, isTranscoder: false, headIndex: null },
  ...{ dIn: 32, dOut: 32 }
}
const points: FittingPoint[] = [
  { name: 'blocks.0.hook_resid_pre', shape: ['position', 32], width: 32 },
  { name: 'blocks.0.attn.hook_z', shape: ['position', 4, 8], width: 32 },
  { name: 'blocks.0.attn.hook_pattern', shape: [4, 'position', 'position'], width: null },
  { name: 'blocks.0.mlp.hook_post', shape: ['position', 128], width: 128 },
  { name: 'blocks.0.hook_resid_post', shape: ['position', 32], width: 32 }
]

/** The refusal of an SAE by a model called tiny. */
function refusal(changed: Partial<Parameters<typeof attach>[0]>): Pick<SpliceError, 'kind' | 'message' | 'hint'> {
  try {
    attach({ ...sae, ...changed }, points, 'tiny')
  } catch (thrown) {
    if (thrown instanceof SpliceError) return { kind: thrown.kind, message: thrown.message, hint: thrown.hint }
    throw thrown
  }
  throw new Error('it fits')
}

test('an SAE attaches where its hook point has its width', () => {
  expect(attach(sae, points, 'tiny')).toEqual({ hook: 'blocks.0.hook_resid_post', target: 'blocks.0.hook_resid_post' })
  expect(attach({ ...sae, dIn: 8, dOut: 8, hook: 'blocks.0.attn.hook_z', headIndex: 3 }, points, 'tiny').hook).toBe('blocks.0.attn.hook_z')
})

describe('a width that no hook point has names the SAE and the model', () => {
  test.each([
    [
      'of an SAE',
      { dIn: 64, dOut: 64 },
      '/saes/one reads 64 features, but no hook point of tiny has as many',
      'tiny has hook points of 32, 128 features'
    ],
    [
      'whatever hook it is put on',
      { dIn: 64, dOut: 64, hook: 'blocks.9.x' },
      '/saes/one reads 64 features, but no hook point of tiny',
      'of 32, 128'
    ],
    [
      'also where nothing says its hook',
      { dIn: 64, dOut: 64, hook: null },
      '/saes/one reads 64 features, but no hook point of tiny',
      'of 32, 128'
    ],
    [
      'of a transcoder’s output',
      { dOut: 64, isTranscoder: true, hookOut: 'blocks.0.hook_resid_post' },
      '/saes/one writes 64 features',
      'of 32, 128'
    ],
    [
      'of one head',
      { dIn: 16, dOut: 16, headIndex: 1 },
      'reads 16 features, but no attention head of tiny has as many',
      'attention heads of 8 features'
    ]
  ])('%s', (_, changed, message, hint) => {
    expect(refusal(changed)).toEqual({
      kind: 'sae/fits-nothing',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint)
    })
  })

  test('of a published SAE and another model', async () => {
    const at = path.join(golden, 'saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13')
    const [own, other] = await Promise.all(['gemma2-tiny', 'pythia-tiny'].map(name => openModel(path.join(golden, 'models', name))))
    if (own === undefined || other === undefined) throw new Error('no models')
    const opened = await openSae(at)
    expect(attach(opened, own.hookPoints, own.name).hook).toBe('blocks.1.hook_resid_post')
    const widths = new Set(other.hookPoints.map(({ width }) => width))
    const refuse = () => attach({ ...opened, dIn: 37, dOut: 37 }, other.hookPoints, other.name)
    expect(widths.has(37)).toBe(false)
    expect(refuse).toThrow(`${at}`)
    expect(refuse).toThrow(/pythia-tiny has as many/)
  })
})

test('an SAE of one head on a hook point without heads is told so', () => {
  expect(refusal({ headIndex: 0 })).toEqual({
    kind: 'sae/head',
    message: '/saes/one belongs to head 0, which blocks.0.hook_resid_post of tiny does not have',
    hint: 'No attention head has 32 features.'
  })
})

test('a width that another hook point has names those', () => {
  expect(refusal({ hook: 'blocks.0.mlp.hook_post' })).toEqual({
    kind: 'sae/width',
    message: '/saes/one reads 32 features, but blocks.0.mlp.hook_post of tiny has 128',
    hint: 'Those that fit: blocks.0.hook_resid_pre, blocks.0.attn.hook_z, blocks.0.hook_resid_post.'
  })
})
