import { expect, test } from 'vitest'
import { windowAround } from './context-window.ts'

test('a short context is shown whole', () => {
  expect(windowAround(22, 15)).toEqual([0, 22])
  expect(windowAround(0, 0)).toEqual([0, 0])
})

test('a long one is cut around its strongest token, which stays inside', () => {
  expect(windowAround(128, 64, 32, 16)).toEqual([32, 81])
  expect(windowAround(128, 0, 32, 16)).toEqual([0, 49])
  expect(windowAround(128, 127, 32, 16)).toEqual([79, 128])
})
