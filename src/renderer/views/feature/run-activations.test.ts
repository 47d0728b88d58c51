import { expect, test } from 'vitest'
import type { RunResult } from '../../../contract/run.ts'
import { runActivations } from './run-activations.ts'

const feature = (index: number, activation: number) => ({ index, activation, maxActivation: null, explanations: [] })
const reading = (features: ReturnType<typeof feature>[][]) => ({
  l0: 1,
  mse: 0,
  explainedVariance: 1,
  cosineSimilarity: 1,
  positions: 2,
  active: [0, 0, 0],
  withSpecial: { l0: 1, explainedVariance: 1, positions: 3 },
  features
})
const variant = (name: string) => ({ name, loss: 1, logProbs: [null, -1, -2], ranks: [null, 0, 1], topK: [[], [], []] })
const result: RunResult = {
  model: { path: '/m', name: 'm' },
  tokens: [
    { id: 2, text: '<bos>', special: true },
    { id: 5, text: 'a', special: false },
    { id: 6, text: ' b', special: false }
  ],
  bosAdded: true,
  processing: [],
  processingFrom: 'unknown',
  processingReason: '',
  layerOrder: 'checkpoint',
  variants: [variant('clean'), variant('spliced')],
  comparison: [],
  saes: [
    {
      name: 'one',
      hook: 'blocks.2.hook_resid_post',
      hookOut: null,
      format: 'gemma-scope',
      dIn: 4,
      dSae: 16,
      release: null,
      normFactor: null,
      notes: [],
      published: { l0: null, explainedVariance: null },
      alarm: null,
      path: '/sae',
      source: 'model/2-res',
      sourceChosenByHand: false,
      byVariant: {
        clean: reading([[feature(7, 3)], [feature(9, 5), feature(7, 1.5)], [feature(9, 5), feature(8, 4)]]),
        spliced: reading([[], [], []])
      }
    },
    {
      name: 'other',
      hook: 'blocks.1.hook_resid_post',
      hookOut: null,
      format: 'gemma-scope',
      dIn: 4,
      dSae: 16,
      release: null,
      normFactor: null,
      notes: [],
      published: { l0: null, explainedVariance: null },
      alarm: null,
      path: '/sae1',
      source: null,
      sourceChosenByHand: false,
      byVariant: {}
    }
  ],
  provider: 'cpu',
  providerReason: '',
  warnings: [],
  milliseconds: { load: 0, compile: 0, run: 0 }
}

test('a feature is found at its tokens, zero where the list shows that it did not fire, unknown where the list was cut', () => {
  expect(runActivations(result, 'model/2-res', 7)).toEqual([
    { sae: 'one', variant: 'clean', listed: 2, values: [3, 1.5, null], largest: 3 },
    { sae: 'one', variant: 'spliced', listed: 0, values: [null, null, null], largest: 0 }
  ])
  expect(runActivations(result, 'model/2-res', 100)[0]?.values).toEqual([0, null, null])
})

test('a run without an SAE of the source has no activations to show', () => {
  expect(runActivations(result, 'model/1-res', 7)).toEqual([])
})
