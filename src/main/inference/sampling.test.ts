/** Sampling against its definitions, written out the slow way, and against the frequencies it promises. */
import { describe, expect, test } from 'vitest'
import { largest, logSumExp, randomnessOf, type Sampling, sampleToken } from './sampling.ts'

const plain: Sampling = { temperature: 1, topK: null, topP: null, frequencyPenalty: 0 }
const none = new Map<number, number>()
const logits = Float32Array.of(0.5, 2, -1, 1.9, 0, -3, 1)

function softmax(values: readonly number[]): number[] {
  const total = Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0))
  return values.map(value => Math.exp(value - total))
}

/** How often each id comes in many draws. */
function frequencies(how: Sampling, counts: ReadonlyMap<number, number> = none): number[] {
  const draws = 40_000
  const random = randomnessOf(17)
  const seen = Array.from(logits, () => 0)
  for (let draw = 0; draw < draws; draw++) {
    const id = sampleToken(logits, how, counts, random)
    seen[id] = (seen[id] ?? 0) + 1
  }
  return seen.map(count => count / draws)
}

function expectFrequencies(actual: readonly number[], expected: readonly number[]): void {
  // Five standard deviations of a frequency in 40,000 draws.
  for (const [id, probability] of expected.entries()) {
    const spread = 5 * Math.sqrt((probability * (1 - probability)) / 40_000)
    expect(Math.abs((actual[id] ?? Number.NaN) - probability), `id ${id}`).toBeLessThanOrEqual(spread)
  }
}

describe('a token comes as often as its probability says', () => {
  test('at temperature 1 and at others', () => {
    expectFrequencies(frequencies(plain), softmax([...logits]))
    expectFrequencies(frequencies({ ...plain, temperature: 2 }), softmax(Array.from(logits, logit => logit / 2)))
  })

  test('among the k largest', () => {
    const expected = softmax(Array.from(logits, (logit, id) => ([1, 3, 6].includes(id) ? logit : Number.NEGATIVE_INFINITY)))
    expectFrequencies(frequencies({ ...plain, topK: 3 }), expected)
  })

  test('in the nucleus: the most probable until their mass exceeds p', () => {
    const probabilities = softmax([...logits])
    const order = [...probabilities.keys()].sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0))
    for (const topP of [0.01, 0.5, 0.75, 0.9, 0.999]) {
      let before = 0
      const kept = order.filter(id => {
        const stays = before <= topP
        before += probabilities[id] ?? 0
        return stays
      })
      const expected = softmax(Array.from(logits, (logit, id) => (kept.includes(id) ? logit : Number.NEGATIVE_INFINITY)))
      expectFrequencies(frequencies({ ...plain, topP }), expected)
    }
  })

  test('less by the penalty for each time it stood before, after the division by the temperature', () => {
    const counts = new Map([
      [1, 2],
      [5, 1]
    ])
    const expected = softmax(Array.from(logits, (logit, id) => logit / 2 - 0.7 * (counts.get(id) ?? 0)))
    expectFrequencies(frequencies({ ...plain, temperature: 2, frequencyPenalty: 0.7 }, counts), expected)
  })
})

test('temperature 0 takes the largest, the first of equals, whatever the other settings say', () => {
  const how = { temperature: 0, topK: 1, topP: 0.1, frequencyPenalty: 100 }
  expect(sampleToken(Float32Array.of(1, 4, 4, 2), how, new Map([[1, 9]]), () => 0.99)).toBe(1)
})

test('ties with the k-th largest stay', () => {
  const random = randomnessOf(2)
  const seen = new Set(Array.from({ length: 200 }, () => sampleToken(Float32Array.of(1, 3, 1, 1), { ...plain, topK: 2 }, none, random)))
  expect([...seen].sort()).toEqual([0, 1, 2, 3])
})

test('a k of half a large vocabulary keeps that half', () => {
  const values = Float32Array.from({ length: 200_000 }, (_, place) => (place * 7919) % 200_000)
  const random = randomnessOf(4)
  const flat = values.map(value => value / 1e6)
  for (let draw = 0; draw < 20; draw++) {
    expect(values[sampleToken(flat, { ...plain, topK: 100_000 }, none, random)]).toBeGreaterThanOrEqual(100_000)
  }
})

test('the largest come in descending order, equal ones by their place', () => {
  expect(largest(Float32Array.of(3, 9, 3, 7, 9), 3)).toEqual([
    { value: 9, place: 1 },
    { value: 9, place: 4 },
    { value: 7, place: 3 }
  ])
  expect(largest(Float32Array.of(1), 5)).toEqual([{ value: 1, place: 0 }])
  const values = Float32Array.from({ length: 5000 }, (_, place) => Math.fround(Math.sin(place * place)))
  const sorted = [...values].sort((a, b) => b - a).slice(0, 50)
  expect(largest(values, 50).map(({ value }) => value)).toEqual(sorted)
})

test('large logits do not overflow', () => {
  expect(logSumExp(Float32Array.of(1000, 1000))).toBeCloseTo(1000 + Math.log(2), 10)
  expect(Number.isNaN(logSumExp(Float32Array.of(1, Number.NaN)))).toBe(true)
})
