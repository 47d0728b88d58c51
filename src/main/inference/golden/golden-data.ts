/** The comparisons that the README of fixtures/golden asks for. */
import { expect } from 'vitest'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import type { InferenceResult } from '../messages.ts'
import { logSoftmax, type Values } from './golden-files.ts'

export {
  golden,
  goldenProvider,
  index,
  logSoftmax,
  promptOf,
  readingOf,
  requireGoldenProvider,
  runAndSave,
  tensorsOf,
  type Values,
  variantOf
} from './golden-files.ts'

/** `|a - b| <= absolute + relative * max|b|` everywhere; infinities in the same places. Names the worst element. */
export function expectClose(name: string, actual: Values | undefined, expected: Values, absolute: number, relative: number): void {
  expect(actual?.shape, `${name}: shape`).toEqual(expected.shape)
  if (actual === undefined) return
  const largest = expected.data.reduce((max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max), 0)
  const tolerance = absolute + relative * largest
  let worst = 0
  let where = -1
  for (const [place, value] of expected.data.entries()) {
    const other = actual.data[place] ?? Number.NaN
    const difference = Object.is(value, other) || (value === other && !Number.isFinite(value)) ? 0 : Math.abs(value - other)
    if (!(difference <= worst)) {
      worst = difference
      where = place
    }
  }
  const message = `${name}: largest difference ${worst} at element ${where} (${actual.data[where]} for ${expected.data[where]})`
  expect(worst, message).toBeLessThanOrEqual(tolerance)
}

/** A hook's values within the golden data's tolerance. */
export function expectHook(name: string, actual: Values | undefined, expected: Values): void {
  expectClose(name, actual, expected, 1e-4, 1e-3)
}

/** The same set of active features. */
export function expectSameActive(name: string, actual: Values | undefined, expected: Values): void {
  const active = (values: Values | undefined) => [...(values?.data ?? []).entries()].flatMap(([place, value]) => (value > 0 ? [place] : []))
  expect(active(actual), `${name}: active features`).toEqual(active(expected))
}

/** A tensor that the golden data must have. */
export function expectValues(name: string, values: Values | undefined): Values {
  if (values === undefined) throw new Error(`the golden data has no ${name}`)
  return values
}

/** Logits, log-probs, ranks, losses and best predictions of a variant against the golden outputs. */
export function expectOutputs(
  result: InferenceResult,
  variant: string,
  logits: Values | undefined,
  expected: Map<string, Values>,
  ids: number[]
): void {
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
    const predicted = ours?.topK[position - 1]?.[0]
    expect(predicted?.id, `best prediction after ${position - 1}`).toBe(best)
    const logit = expected.get('output.logits')?.data[(position - 1) * vocabulary + best] ?? Number.NaN
    expect(Math.abs((fromMaybeNumber(predicted?.logit ?? null) ?? Number.NaN) - logit), `its logit`).toBeLessThanOrEqual(5e-4)
  }
  const losses = ours?.logProbs.slice(1).map(logProb => -(fromMaybeNumber(logProb) ?? Number.NaN)) ?? []
  const perToken = ids.slice(1).map((id, position) => -(expectedLogProbs.data[position * vocabulary + id] ?? Number.NaN))
  // Some golden files leave the losses to their log-probs.
  const recorded = expected.get('output.loss_per_token')?.data ?? Float32Array.from(perToken)
  expectClose(
    'loss per token',
    { shape: [losses.length], data: Float32Array.from(losses) },
    { shape: [recorded.length], data: recorded },
    5e-4,
    0
  )
  const loss = recorded.reduce((sum, value) => sum + value, 0) / recorded.length
  expect(Math.abs((fromMaybeNumber(ours?.loss ?? null) ?? Number.NaN) - loss)).toBeLessThanOrEqual(5e-4)
}
