import { expect, test } from 'vitest'
import { saeName, variant } from '../../contract/run.ts'
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

test('a long name keeps its beginning and its end, and a variant of it is what the contract allows', () => {
  const long = `run-of-${'a-long-experiment_'.repeat(12)}`
  const first = runNameOf(`${long}step_1000`, [])
  const second = runNameOf(`${long}step_2000`, [first])
  expect(first).not.toBe(second)
  expect(second).toMatch(/^run-of-a-long.*step_2000$/)
  for (const name of [second, runNameOf(`${long}step_2000`, [second])]) {
    expect(saeName.safeParse(name).success).toBe(true)
    expect(variant.safeParse({ name: `spliced: ${name}+error`, splices: [] }).success).toBe(true)
  }
})
