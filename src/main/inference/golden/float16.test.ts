/**
 * Models with their matrices in float16, against TransformerLens. The graph is the one that GPUs get; the CPU, which computes products in
 * float32, runs it here, so that the error is that of the weights.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { standards } from '../sessions.ts'
import { golden, index, promptOf, readingOf, runAndSave, tensorsOf, variantOf } from './golden-data.ts'
import { modelCases } from './model-cases.ts'
import { differenceOf } from './parity.ts'
import { float16Tolerance } from './parity-page.ts'
import { clean } from './sae-cases.ts'

const usual = standards.auto
beforeAll(() => {
  standards.auto = { provider: 'cpu', precision: 'fp16', reason: 'to be measured' }
})
afterAll(() => {
  standards.auto = usual
})

/** Models that are stored in 16 bits have nothing to lose. */
const narrow = new Set(['pythia-tiny', 'mistral-tiny'])

describe('with matrices in float16', () => {
  test.each(index.models.map(({ id }) => id))('%s is as close as float16 is', async model => {
    const one = modelCases.find(
      candidate => candidate.model === model && candidate.prompt === 'p1' && candidate.reading === 'no_processing'
    )
    if (one === undefined) throw new Error(`the golden data has no such run of ${model}`)
    const { ids } = await promptOf(model, 'p1')
    const { result, saved } = await runAndSave({
      provider: 'auto',
      model: golden('models', model),
      prompt: { ids },
      variants: [clean],
      ...readingOf(one.reading)
    })
    expect([result.provider, result.precision]).toEqual(['cpu', 'fp16'])
    const ours = variantOf(saved, 'clean')
    let logits = 0
    for (const [name, values] of await tensorsOf(golden(one.file))) {
      if (name === 'output.logits') logits = differenceOf(name, ours.get('logits'), values, 'logits').absolute
      else if (!name.startsWith('output.')) {
        expect(differenceOf(name, ours.get(name), values, 'hook').relative, name).toBeLessThanOrEqual(float16Tolerance.hooks)
      }
    }
    expect(logits).toBeLessThanOrEqual(float16Tolerance.logits)
    // In float32 it would be below 5e-5: the weights really are rounded.
    if (!narrow.has(model)) expect(logits).toBeGreaterThan(1e-3)
  })
})
