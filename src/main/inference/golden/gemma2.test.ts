import { describe, expect, test } from 'vitest'
import { expectHook, golden, index, promptOf, readingOf, runAndSave, tensorsOf, variantOf } from './golden-data.ts'
import { expectOutputs } from './outputs.ts'

const clean = { name: 'clean', splices: [] }

describe('gemma2 models equal TransformerLens at every hook point', () => {
  for (const model of index.models.filter(candidate => candidate.id.startsWith('gemma2'))) {
    for (const { id: prompt } of model.prompts) {
      for (const variant of model.variants) {
        test(`${model.id} ${prompt} ${variant}`, async () => {
          const { ids, variants } = await promptOf(model.id, prompt)
          const recorded = variants[variant]
          const expected = await tensorsOf(golden('runs', model.id, prompt, recorded?.file ?? ''))
          const { result, saved } = await runAndSave({
            model: golden(model.path),
            prompt: { ids },
            variants: [clean],
            ...readingOf(variant)
          })
          const ours = variantOf(saved, 'clean')
          // Some readings record outputs alone.
          if (recorded?.cache_order !== undefined && recorded.cache_order.length > 0) {
            expect([...ours.keys()].filter(name => name !== 'logits')).toEqual(recorded.cache_order)
          }
          for (const [name, values] of expected) if (!name.startsWith('output.')) expectHook(name, ours.get(name), values)
          expectOutputs(result, 'clean', ours.get('logits'), expected, ids)
        })
      }
    }
  }
})
