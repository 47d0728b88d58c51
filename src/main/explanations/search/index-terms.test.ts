import { expect, test } from 'vitest'
import { isWord, patternsOf, splitRuns, TermWriter } from './index-terms.ts'

const terms = (text: string) => new TermWriter().termsOf(text).split(' ')

test('runs are the whole text: words, what stands between them, and each character of scripts without spaces', () => {
  for (const text of ['THE "FOO", 漢字 A.B()', '  X\tY', 'ÉÀ 1²', '', '\0', 'ไทย', '🎉🎉 X']) expect(splitRuns(text).join('')).toBe(text)
  expect(splitRuns('THE "FOO", 漢字 A.B')).toEqual(['THE', ' "', 'FOO', '", ', '漢', '字', ' ', 'A', '.', 'B'])
  expect(['A', '9', 'É', '漢', ' ', '.', '🎉'].map(isWord)).toEqual([true, true, true, true, false, false, false])
})

test('a text has a term for each run, two for each pair of neighbours, and one for how many words it has', () => {
  expect(terms('the "fox"')).toEqual([
    'THE',
    '%20%22',
    '_THE_%20%22',
    '~%20%22~EHT',
    'FOX',
    '_%20%22_FOX',
    '~FOX~%22%20',
    '%22',
    '_FOX_%22',
    '~%22~XOF',
    '=w2'
  ])
  expect(terms('red fox')).toEqual(['RED', 'FOX', '_RED_FOX', '~FOX~DER', '=w2'])
})

test('a run that is too long marks its text and parts its neighbours', () => {
  expect(terms(`red ${'x'.repeat(65)} fox`)).toEqual(['RED', '!long', 'FOX', '=w3'])
})

test('every distinct run is told once it is met', () => {
  const writer = new TermWriter()
  writer.termsOf('Red fox, red')
  expect(writer.takeNewRuns()).toEqual(['RED', 'FOX', ', '])
  writer.termsOf('fox hole')
  expect(writer.takeNewRuns()).toEqual(['HOLE'])
})

test('a query knows which ends of its runs the text may go on beyond', () => {
  expect(patternsOf('DECEPT')).toEqual([{ run: 'DECEPT', start: false, end: false }])
  expect(patternsOf('ED TO TH')).toEqual([
    { run: 'ED', start: false, end: true },
    { run: 'TO', start: true, end: true },
    { run: 'TH', start: true, end: false }
  ])
  expect(patternsOf(' X')).toEqual([{ run: 'X', start: true, end: false }])
  expect(patternsOf(', X')).toEqual([
    { run: ', ', start: false, end: true },
    { run: 'X', start: true, end: false }
  ])
  expect(patternsOf(' ')).toEqual([])
})
