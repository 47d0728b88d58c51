import { expect, test } from 'vitest'
import { movement } from './movement.ts'

const guess = (id: number) => ({ id })

test('movement counts the places a token rose or fell and names a new one', () => {
  const clean = [guess(1), guess(2), guess(3)]
  expect([movement(guess(3), 0, clean), movement(guess(1), 2, clean), movement(guess(9), 1, clean)]).toEqual([2, -2, 'new'])
})
