/** Every model, reading and prompt of fixtures/golden/index.json against what TransformerLens computes: hooks, their order, outputs. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { expectHook, expectOutputs, golden, index, promptOf, readingOf, runAndSave, tensorsOf, variantOf } from './golden-data.ts'

const clean = { name: 'clean', splices: [] }

interface Case {
  readonly model: string
  readonly reading: string
  readonly prompt: string
  readonly file: string
  readonly order: readonly string[]
}

const readings = await Promise.all(
  index.models.flatMap(({ id: model, prompts }) =>
    prompts.map(async ({ id: prompt }): Promise<Case[]> => {
      const { variants } = await promptOf(model, prompt)
      return Object.entries(variants).map(([reading, { file, cache_order: order = [] }]) => ({
        model,
        reading,
        prompt,
        file: path.join('runs', model, prompt, path.basename(file)),
        order
      }))
    })
  )
)
const further = index.extra_variants.flatMap(({ model, variant: reading, cache_order: order, runs }): Case[] =>
  runs.map(({ prompt, file }) => ({ model, reading, prompt, file, order }))
)
const cases = [...readings.flat(), ...further]

test('every recorded run of a model is compared here', async () => {
  const files = await fs.readdir(golden('runs'), { recursive: true })
  const recorded = files.filter(file => file.endsWith('.safetensors')).map(file => path.join('runs', file))
  expect(cases.map(({ file }) => file).sort()).toEqual(recorded.sort())
  for (const { id, variants, prompts } of index.models) {
    for (const variant of variants) {
      for (const prompt of prompts) {
        expect(cases, `${id} ${variant} ${prompt.id}`).toContainEqual(
          expect.objectContaining({ model: id, reading: variant, prompt: prompt.id })
        )
      }
    }
  }
})

describe('models equal TransformerLens at every hook point', () => {
  for (const { model, reading, prompt, file, order } of cases) {
    test(`${model} ${prompt} ${reading}`, async () => {
      const { ids } = await promptOf(model, prompt)
      const expected = await tensorsOf(golden(file))
      const { result, saved } = await runAndSave({
        model: golden('models', model),
        prompt: { ids },
        variants: [clean],
        ...readingOf(reading)
      })
      const ours = variantOf(saved, 'clean')
      // Some readings record outputs alone.
      if (order.length > 0) expect([...ours.keys()].filter(name => name !== 'logits')).toEqual(order)
      for (const [name, values] of expected) if (!name.startsWith('output.')) expectHook(name, ours.get(name), values)
      expectOutputs(result, 'clean', ours.get('logits'), expected, ids)
    })
  }
})
