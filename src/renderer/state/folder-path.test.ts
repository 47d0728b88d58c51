import { expect, test } from 'vitest'
import { parentOf, releaseFolder } from './folder-path.ts'

test('the parent of a folder, on either system', () => {
  expect(['/a/b/c', '/a/b/', 'C:\\models\\gemma', '/'].map(parentOf)).toEqual(['/a/b', '/a', 'C:\\models', '/'])
})

test('the neighbours of an SAE lie where its name begins', () => {
  expect(releaseFolder('/hub/scope/layer_2/width_1k/average_l0_15', 'layer_2/width_1k/average_l0_15')).toBe('/hub/scope')
  expect(releaseFolder('/saes/mine', 'other')).toBe('/saes')
})
