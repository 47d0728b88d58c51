import { expect, test } from 'vitest'
import { isNamed, tokenPieces } from './token-pieces.ts'

test('spaces, line ends and tabs become signs, everything else stays', () => {
  expect(tokenPieces('  worm\n')).toEqual([
    { text: '··', mark: true },
    { text: 'worm', mark: false },
    { text: '⏎', mark: true }
  ])
})

test('a text without signs is one piece, astral characters included', () => {
  expect(tokenPieces('𝕊é')).toEqual([{ text: '𝕊é', mark: false }])
})

test('special tokens and bytes go by their name', () => {
  expect([
    isNamed({ text: '<bos>', special: true }),
    isNamed({ text: '<0x0A>', special: false }),
    isNamed({ text: '<b>', special: false })
  ]).toEqual([true, true, false])
})
