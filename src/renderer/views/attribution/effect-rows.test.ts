/** The order of effects and their text. */
import { expect, test } from 'vitest'
import type { AttributionResult, FeatureEffect } from '../../../contract/attribution.ts'
import { type EffectOrder, effectsTsv, orderEffects } from './effect-rows.ts'

function effect(index: number, activation: number, value: FeatureEffect['effect'], position: number | null = 1): FeatureEffect {
  return {
    index,
    position,
    activation,
    effect: value,
    maxActivation: null,
    explanations: [{ description: `about ${index}`, explainer: null }]
  }
}
const effects = [effect(7, 2, -1.5), effect(3, 9, 1.25, 2), effect(5, 4, 0.5), effect(9, 1, 'NaN', null)]

test.each<[EffectOrder, number[]]>([
  [{ by: 'size', descending: true }, [7, 3, 5, 9]],
  [{ by: 'effect', descending: true }, [3, 5, 9, 7]],
  [{ by: 'effect', descending: false }, [7, 9, 5, 3]],
  [{ by: 'activation', descending: true }, [3, 5, 7, 9]],
  [{ by: 'position', descending: false }, [9, 7, 5, 3]],
  [{ by: 'feature', descending: false }, [3, 5, 7, 9]]
])('%o', (order, expected) => {
  expect(orderEffects(effects, order).map(({ index }) => index)).toEqual(expected)
})

test('the text has every number in full and the token', () => {
  const result = { tokens: [{ text: '<bos>' }, { text: ' a' }], sae: { source: 'm/1-res' }, base: -3.25 } as unknown as AttributionResult
  expect(effectsTsv([effect(7, 2.123456789, -1.5)], result).split('\n')[1]).toBe('0\tm/1-res\t7\t1\t a\t2.123456789\t-1.5\t-3.25\tabout 7')
})
