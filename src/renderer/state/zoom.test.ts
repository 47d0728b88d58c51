import { expect, test } from 'vitest'
import { nextZoom } from './zoom.ts'

test('zooming goes by Chromium’s steps and stops at their ends', () => {
  expect([nextZoom(1, 1), nextZoom(1, -1), nextZoom(1.1, -1), nextZoom(0.95, 1)]).toEqual([1.1, 0.9, 1, 1])
  expect([nextZoom(3, 1), nextZoom(0.5, -1)]).toEqual([3, 0.5])
})
