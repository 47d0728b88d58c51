import { describe, expect, test } from 'vitest'
import { cutEmbedding, embeddingLength, readCutEmbedding, readEmbedding } from './embedding.ts'

describe('the embedding', () => {
  const left = (row: string) => JSON.parse(cutEmbedding(Buffer.from(row)).text)
  test.each([
    ['{"embedding":"[0.1,-2e-5]","description":"a"}', { embedding: null, description: 'a' }],
    ['{"description":"a","embedding":[0.1,-2e-5]}', { embedding: null, description: 'a' }],
    ['{"description":"ü","embedding": "[1]", "x": 1}', { embedding: null, description: 'ü', x: 1 }],
    ['{"embedding":null,"description":"a"}', { embedding: null, description: 'a' }],
    ['{"description":"a"}', { description: 'a' }]
  ])('is cut out of %s', (row, expected) => expect(left(row)).toEqual(expected))

  test('is told from a text that speaks of one', () => {
    const description = 'the key "embedding":[ and \\"embedding\\":"'
    expect(left(JSON.stringify({ description, embedding: '[1,2]' }))).toEqual({ description, embedding: null })
    expect(left(JSON.stringify({ description }))).toEqual({ description })
  })
})

describe('its numbers', () => {
  const numbers = Array.from({ length: embeddingLength }, (_, at) => (at % 2 === 0 ? 1 : -1) * 1.25e-3 * at)
  const floats = (bytes: Uint8Array | null) => (bytes === null ? null : Array.from(new Float32Array(bytes.buffer)))
  const expected = numbers.map(Math.fround)

  test.each([
    ['a string', JSON.stringify({ embedding: JSON.stringify(numbers), description: 'a' })],
    ['an array', JSON.stringify({ embedding: numbers, description: 'a' })],
    ['an array with spaces', `{"embedding": [ ${numbers.join(' , ')} ], "description": "a"}`]
  ])('are read from %s', (_, row) => {
    const { text, embedding } = cutEmbedding(Buffer.from(row))
    expect(JSON.parse(text)).toEqual({ embedding: null, description: 'a' })
    expect(floats(embedding === null ? null : readCutEmbedding(embedding))).toEqual(expected)
  })

  test('are none where they are not 256 finite numbers, or all zero', () => {
    for (const value of [
      null,
      'x',
      '[1,2]',
      numbers.slice(1),
      [...numbers.slice(1), 'a'],
      [...numbers.slice(1), 1e40],
      numbers.map(() => 0)
    ]) {
      expect(readEmbedding(value)).toBeNull()
    }
    expect(floats(readEmbedding(numbers))).toEqual(expected)
  })
})
