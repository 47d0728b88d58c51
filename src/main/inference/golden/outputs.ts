/** What a variant predicts against the golden `output.*` tensors. */
import { expect } from 'vitest'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import { expectClose, logSoftmax, type runAndSave, type Values } from './golden-data.ts'

/** Values that the golden data must have. */
export function expectValues(name: string, values: Values | undefined): Values {
  if (values === undefined) throw new Error(`the golden data has no ${name}`)
  return values
}

/** Logits, log-probs, ranks and loss of a variant against the golden outputs. */
export function expectOutputs(
  result: Awaited<ReturnType<typeof runAndSave>>['result'],
  variant: string,
  logits: Values | undefined,
  expected: Map<string, Values>,
  ids: number[]
) {
  const expectedLogProbs = expectValues('log_probs', expected.get('output.log_probs'))
  expectClose('logits', logits, expectValues('logits', expected.get('output.logits')), 5e-4, 0)
  if (logits !== undefined) expectClose('log_probs', logSoftmax(logits), expectedLogProbs, 5e-4, 0)
  const ours = result.variants.find(candidate => candidate.name === variant)
  const vocabulary = expectedLogProbs.shape[2] ?? 0
  for (const [position, id] of ids.entries()) {
    if (position === 0) {
      expect(ours?.logProbs[0]).toBeNull()
      continue
    }
    const row = expectedLogProbs.data.subarray((position - 1) * vocabulary, position * vocabulary)
    const actual = fromMaybeNumber(ours?.logProbs[position] ?? null)
    expect(Math.abs((actual ?? Number.NaN) - (row[id] ?? 0)), `log-prob of token ${position}`).toBeLessThanOrEqual(5e-4)
    expect(ours?.ranks[position], `rank of token ${position}`).toBe(row.filter(value => value > (row[id] ?? 0)).length)
    const best = row.indexOf(Math.max(...row))
    expect(ours?.topK[position - 1]?.[0]?.id, `best prediction after ${position - 1}`).toBe(best)
  }
  const losses = ids.slice(1).map((id, position) => -(expectedLogProbs.data[position * vocabulary + id] ?? Number.NaN))
  const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length
  expect(Math.abs((fromMaybeNumber(ours?.loss ?? null) ?? Number.NaN) - loss)).toBeLessThanOrEqual(5e-4)
  // Some golden files leave out the losses, which follow from the log-probs.
  const recorded = expected.get('output.loss_per_token')
  if (recorded !== undefined)
    expectClose('loss_per_token', { shape: [1, losses.length], data: Float32Array.from(losses) }, recorded, 5e-4, 0)
}
