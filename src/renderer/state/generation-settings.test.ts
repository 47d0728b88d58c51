import { expect, test } from 'vitest'
import { generationRequest } from '../../contract/generation.ts'
import { parseSettings, type SettingFields } from './generation-settings.ts'

const fields: SettingFields = {
  temperature: '0.7',
  topK: '',
  topP: '',
  frequencyPenalty: '0',
  maxNewTokens: '50',
  samples: '1',
  seed: '7'
}

test('what is typed becomes what the engine takes', () => {
  expect(parseSettings(fields)).toEqual({
    settings: { sampling: { temperature: 0.7, topK: null, topP: null, frequencyPenalty: 0 }, maxNewTokens: 50, samples: 1, seed: 7 },
    mistakes: {}
  })
  expect(parseSettings({ ...fields, topK: ' 40 ', topP: '.95', frequencyPenalty: '-1e-1' }).settings?.sampling).toEqual({
    temperature: 0.7,
    topK: 40,
    topP: 0.95,
    frequencyPenalty: -0.1
  })
})

test.each([
  ['temperature', ''],
  ['temperature', '-1'],
  ['temperature', 'hot'],
  ['temperature', 'Infinity'],
  ['topK', '0'],
  ['topK', '2.5'],
  ['topP', '0'],
  ['topP', '1.01'],
  ['maxNewTokens', '0'],
  ['maxNewTokens', '100001'],
  ['samples', '65'],
  ['seed', '2147483648'],
  ['seed', '0x10']
] as const)('%s cannot be %j, and only that is said', (name, text) => {
  const { settings, mistakes } = parseSettings({ ...fields, [name]: text })
  expect(settings).toBeNull()
  expect(Object.keys(mistakes)).toEqual([name])
})

test.each([
  { temperature: '0', topK: '1', topP: '1', frequencyPenalty: '-100', maxNewTokens: '1', samples: '1', seed: '0' },
  { temperature: '100', topK: '10000000', topP: '1e-9', frequencyPenalty: '100', maxNewTokens: '100000', samples: '64', seed: '2147483647' }
])('the bounds are those of the contract', extreme => {
  const { settings } = parseSettings(extreme)
  const rest = { model: '/model', prompt: { text: 'a' }, variants: [{ name: 'clean', splices: [] }] }
  expect(generationRequest.safeParse({ ...rest, ...settings }).success).toBe(true)
})
