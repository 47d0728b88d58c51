import { describe, expect, test } from 'vitest'
import { chooseProcessing } from './processing.ts'

type Kwargs = Record<string, unknown> | null
const sae = (name: string, releaseKwargs: Kwargs, ownKwargs: Kwargs = null) => ({ name, releaseKwargs, ownKwargs })
const all = ['fold_ln', 'center_writing_weights', 'center_unembed', 'fold_value_biases']

describe('auto processing', () => {
  test('is everything without an SAE, as from_pretrained', () => {
    expect(chooseProcessing('auto', []).flags).toEqual(all)
  })

  test('is nothing where nothing is known of the SAE, as SAELens 6', () => {
    expect(chooseProcessing('auto', [sae('sae1', null)]).flags).toEqual([])
  })

  test('is what the release asks for', () => {
    const { flags, reason } = chooseProcessing('auto', [sae('sae1', { center_writing_weights: true, n_devices: 1 })])
    expect({ flags, reason }).toEqual({ flags: ['center_writing_weights'], reason: 'asked for by the release of sae1' })
  })

  test('is what its own config asks for, whatever the release says', () => {
    const { flags, reason } = chooseProcessing('auto', [sae('sae1', { center_writing_weights: true }, { fold_ln: true })])
    expect({ flags, reason }).toEqual({ flags: ['fold_ln'], reason: 'asked for by the config of sae1' })
    expect(chooseProcessing('auto', [sae('sae1', { center_writing_weights: true }, { fold_ln: false })]).flags).toEqual([])
  })

  test('is what the release asks for where the config says nothing', () => {
    expect(chooseProcessing('auto', [sae('sae1', { center_writing_weights: true }, {})]).flags).toEqual(['center_writing_weights'])
    expect(chooseProcessing('auto', [sae('sae1', null, {})]).flags).toEqual([])
  })

  test('refuses SAEs that disagree, naming both', () => {
    const saes = [sae('sae1', { center_writing_weights: true }), sae('sae2', {})]
    expect(() => chooseProcessing('auto', saes)).toThrow(/sae1 \(center_writing_weights\) and sae2 \(none\)/)
  })
})

test('a list by name keeps the order in which TransformerLens applies it', () => {
  expect(chooseProcessing(['center_unembed', 'fold_ln'], []).flags).toEqual(['fold_ln', 'center_unembed'])
  expect(chooseProcessing('none', [sae('sae1', { fold_ln: true })]).flags).toEqual([])
  expect(chooseProcessing('all', []).flags).toEqual(all)
})
