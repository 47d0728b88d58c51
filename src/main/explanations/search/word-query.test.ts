import { describe, expect, test } from 'vitest'
import { findWords, foldedWords, holds, readWordQuery } from './word-query.ts'

/** Which of some texts a query finds. */
const texts = ['time travel', 'travel through time', 'deceptive travel', 'a café in Paris', 'Time, travel', 'deception']
function found(query: string): string[] {
  const { node } = readWordQuery(query)
  return node === null ? [] : texts.filter(text => holds(node, foldedWords(text)))
}

test.each([
  ['travel time', ['time travel', 'travel through time', 'Time, travel']],
  ['travel AND time', ['time travel', 'travel through time', 'Time, travel']],
  ['"time travel"', ['time travel', 'Time, travel']],
  ['decept*', ['deceptive travel', 'deception']],
  ['"time trav"*', ['time travel', 'Time, travel']],
  ['time OR deceptive', ['time travel', 'travel through time', 'deceptive travel', 'Time, travel']],
  ['travel NOT time', ['deceptive travel']],
  ['travel -time', ['deceptive travel']],
  ['-time travel', ['deceptive travel']],
  ['travel NOT (time OR deceptive)', []],
  ['(time OR deceptive) (through OR deceptive)', ['travel through time', 'deceptive travel']],
  ['cafe', ['a café in Paris']],
  ['CAFÉ', ['a café in Paris']],
  ['cafe.in', ['a café in Paris']],
  ['and', []],
  ['nowhere', []]
])('%s', (query, expected) => {
  expect(found(query)).toEqual(expected)
  expect(readWordQuery(query).problem).toBeNull()
})

describe('a mistake is pointed at, and the rest is asked', () => {
  test.each([
    ['"time travel', 0, 1, /never closed/, ['time travel', 'Time, travel']],
    ['(time', 0, 1, /never closed/, ['time travel', 'travel through time', 'Time, travel']],
    ['time) travel', 4, 5, /never opened/, ['time travel', 'travel through time', 'Time, travel']],
    ['time AND', 5, 8, /AND stands between/, ['time travel', 'travel through time', 'Time, travel']],
    ['OR time', 0, 2, /OR stands between/, ['time travel', 'travel through time', 'Time, travel']],
    ['time NOT', 5, 8, /follows NOT/, ['time travel', 'travel through time', 'Time, travel']],
    ['time ()', 5, 6, /hold nothing/, ['time travel', 'travel through time', 'Time, travel']],
    ['time ?!', 5, 7, /no letters or digits/, ['time travel', 'travel through time', 'Time, travel']],
    ['*', 0, 1, /no letters or digits/, []],
    ['NOT time', 0, 8, /which words must occur/, []],
    ['time OR -travel', 0, 15, /which words must occur/, []]
  ])('%s', (query, start, end, message, expected) => {
    expect(readWordQuery(query).problem).toEqual({ message: expect.stringMatching(message), start, end })
    expect(found(query)).toEqual(expected)
  })

  test('nothing that can be typed is an error', () => {
    for (const query of [
      '',
      ' ',
      '"',
      '"""',
      '((((',
      '))))',
      'AND OR NOT',
      '- - -',
      '\0',
      '\ud800',
      '(a OR (b AND -(c',
      '*a*'.repeat(50)
    ]) {
      expect(() => readWordQuery(query)).not.toThrow()
    }
  })
})

test('the words that are asked for are marked where they stand', () => {
  const marks = (text: string, query: string) => {
    const { node } = readWordQuery(query)
    return node === null ? [] : findWords(text, node).map(([start, end]) => text.slice(start, end))
  }
  expect(marks('Travelling, to travel in TIME', 'travel* time NOT boat')).toEqual(['Travelling', 'travel', 'TIME'])
  expect(marks('time for time travel', '"time travel"')).toEqual(['time', 'travel'])
  expect(marks('Café straße 漢字', 'cafe strasse 字')).toEqual(['Café', 'straße', '字'])
})
