import { describe, expect, test } from 'vitest'
import { boundedSize, draggedSize, keyStep, largestSize, paneTrack } from './pane-size.ts'

const bounds = { least: 280, mainLeast: 400 }

describe('a pane', () => {
  test('is never smaller than its least size, nor so large that the main part has less than its own', () => {
    expect([100, 280, 333.4, 600, 5000].map(size => boundedSize(size, 1000, bounds))).toEqual([280, 280, 333, 600, 600])
  })

  test('keeps its least size where there is not room for both', () => {
    expect(largestSize(500, bounds)).toBe(280)
    expect(boundedSize(600, 500, bounds)).toBe(280)
  })

  test('folds away when it is drawn to less than half of its least size, where it may', () => {
    expect([139, 140].map(size => draggedSize(size, 1000, bounds, true))).toEqual(['collapsed', 280])
    expect(draggedSize(0, 1000, bounds, false)).toBe(280)
  })

  test('has a track that holds the same bounds in every window', () => {
    expect(paneTrack(450, { share: 0.34, least: 336, most: 520 }, bounds)).toBe('clamp(280px, 450px, max(280px, calc(100% - 400px)))')
    expect(paneTrack(null, { share: 0.34, least: 336, most: 520 }, bounds)).toBe(
      'clamp(336px, 34%, min(520px, max(280px, calc(100% - 400px))))'
    )
  })
})

test('arrow keys along the axis move the line, with Shift further; others do not', () => {
  expect([keyStep('ArrowLeft', false, 'vertical'), keyStep('ArrowRight', true, 'vertical')]).toEqual([-16, 64])
  expect([keyStep('ArrowUp', false, 'horizontal'), keyStep('ArrowDown', false, 'horizontal')]).toEqual([-16, 16])
  expect([keyStep('ArrowUp', false, 'vertical'), keyStep('ArrowRight', false, 'horizontal'), keyStep('Tab', false, 'vertical')]).toEqual([
    null,
    null,
    null
  ])
})
