import { expect, test } from 'vitest'
import { JsonBoundsError, parseJson } from './json.ts'

const bounds = { depth: 3, values: 6 }

test('what is within bounds is read as JSON has it, whatever stands in its texts', () => {
  for (const text of ['1', '"[[[[[[{{{{,,,,,,,,"', '{"a":[{"b":1}]}', '["\\"[[[[","\\\\",[[1]]]', '[1,2,3,4,5,6]', ' [ ] '])
    expect(parseJson(text, bounds)).toEqual(JSON.parse(text))
})

test('what is nested too deep, or holds too much, is refused before it is built', () => {
  expect(() => parseJson('[[[[1]]]]', bounds)).toThrow(new JsonBoundsError('is nested more than 3 deep'))
  expect(() => parseJson('{"\\\\":[[{"a":1}]]}', bounds)).toThrow(JsonBoundsError)
  expect(() => parseJson('[1,2,3,4,5,6,7]', bounds)).toThrow(new JsonBoundsError('holds more than 6 values'))
  expect(() => parseJson('['.repeat(10_000_000))).toThrow(JsonBoundsError)
})

test('what is no JSON is a SyntaxError of another kind', () => {
  for (const text of ['', '{', '"', '"\\', '[1,]', '{"a" 1}', ']]]]', 'NaN']) {
    expect(() => parseJson(text, bounds)).toThrow(SyntaxError)
    expect(() => parseJson(text, bounds)).not.toThrow(JsonBoundsError)
  }
})
