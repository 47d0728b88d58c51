import { expect, test } from 'vitest'
import { saeName } from '../../contract/run.ts'
import { runNameOf } from './run-name.ts'

test('an SAE goes by the last part of its name', () => {
  expect(runNameOf('layer_2/width_1k/average_l0_15', [])).toBe('l0_15')
})

test('a taken name is lengthened from the left, then numbered', () => {
  const taken = ['l0_71', 'width_16k-l0_71', 'layer_20-width_16k-l0_71']
  expect(runNameOf('layer_20/width_16k/average_l0_71', taken.slice(0, 1))).toBe('width_16k-l0_71')
  expect(runNameOf('layer_20/width_16k/average_l0_71', taken)).toBe('l0_71-2')
})

test('names are what the contract allows', () => {
  for (const name of ['blocks.2.hook_mlp_out', 'a b/ü', '', '///']) expect(saeName.safeParse(runNameOf(name, [])).success).toBe(true)
})
