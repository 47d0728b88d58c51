import { expect, test } from 'vitest'
import { fuzzyMatch, markedPieces } from './fuzzy.ts'

const best = (query: string, titles: string[]) =>
  titles
    .map(title => ({ title, match: fuzzyMatch(query, title) }))
    .filter(({ match }) => match !== null)
    .sort((a, b) => (b.match?.score ?? 0) - (a.match?.score ?? 0))
    .map(({ title }) => title)

test('a piece as it is written beats scattered letters, and the beginning of a word its middle', () => {
  expect(best('run', ['Prune', 'Run the prompt', 'Return until now'])[0]).toBe('Run the prompt')
  expect(best('copy', ['Photocopy', 'Make a copy'])).toEqual(['Make a copy', 'Photocopy'])
})

test('first letters of words are enough', () => {
  expect(fuzzyMatch('oam', 'Open a model…')?.at).toEqual([0, 5, 7])
})

test('every word has to match, in any order, in the title or as a keyword begins', () => {
  expect(fuzzyMatch('dark theme', 'Theme: dark')).not.toBeNull()
  expect(fuzzyMatch('night theme', 'Theme: dark', 'setting night')).not.toBeNull()
  expect(fuzzyMatch('theme purple', 'Theme: dark', 'setting night')).toBeNull()
  expect(fuzzyMatch('ight', 'Theme: dark', 'night')).toBeNull()
})

test('letters strewn over a title are no match, nor letters in another order', () => {
  expect(fuzzyMatch('zx', 'Export the run')).toBeNull()
  expect(fuzzyMatch('lle', 'Explanations of all features here')).toBeNull()
})

test('signs of regular expressions are letters like others', () => {
  expect(fuzzyMatch('a+b (c', 'x a+b (c)')?.at).toEqual([2, 3, 4, 6, 7])
})

test('an empty query matches everything', () => {
  expect(fuzzyMatch('  ', 'Anything')?.at).toEqual([])
})

test('what matched is marked in pieces', () => {
  expect(markedPieces('Open a model', [0, 5, 7])).toEqual([
    { text: 'O', isMatch: true },
    { text: 'pen ', isMatch: false },
    { text: 'a', isMatch: true },
    { text: ' ', isMatch: false },
    { text: 'm', isMatch: true },
    { text: 'odel', isMatch: false }
  ])
})
