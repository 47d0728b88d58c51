import { expect, test } from 'vitest'
import { excerptOf, piecesOf } from './highlight.ts'

const text = (pieces: { text: string }[]) => pieces.map(piece => piece.text).join('')

test('a description is cut at its matches and joins to itself', () => {
  const pieces = piecesOf('deception and self-deception', [
    [0, 6],
    [19, 25]
  ])
  expect(pieces).toEqual([
    { text: 'decept', match: true },
    { text: 'ion and self-', match: false },
    { text: 'decept', match: true },
    { text: 'ion', match: false }
  ])
})

test('matches that overlap, touch, come in disorder or leave the text are merged and cut', () => {
  expect(
    piecesOf('abcdef', [
      [4, 99],
      [1, 3],
      [2, 4],
      [3, 3]
    ])
  ).toEqual([
    { text: 'a', match: false },
    { text: 'bcdef', match: true }
  ])
})

test('without matches there is one piece, and none of an empty text', () => {
  expect(piecesOf('plain', [])).toEqual([{ text: 'plain', match: false }])
  expect(piecesOf('', [[0, 3]])).toEqual([])
})

test('a long description is shortened around its first match, which stays whole', () => {
  const description = `${'x'.repeat(900)}needle${'y'.repeat(900)}`
  const pieces = excerptOf(description, [[900, 906]], 200)
  expect(pieces.filter(piece => piece.match)).toEqual([{ text: 'needle', match: true }])
  expect(pieces[0]).toEqual({ text: '… ', match: false })
  expect(pieces.at(-1)).toEqual({ text: ' …', match: false })
  expect(text(pieces)).toHaveLength(204)
})

test('a long description that matches early or nowhere keeps its beginning', () => {
  expect(text(excerptOf(`needle${'y'.repeat(900)}`, [[0, 6]], 100))).toBe(`needle${'y'.repeat(94)} …`)
  expect(text(excerptOf('y'.repeat(900), [], 100))).toBe(`${'y'.repeat(100)} …`)
})

test('a cut splits no surrogate pair', () => {
  const pieces = excerptOf('😀'.repeat(300), [], 101)
  expect(text(pieces)).toBe(`${'😀'.repeat(50)} …`)
})
