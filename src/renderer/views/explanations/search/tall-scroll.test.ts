import { expect, test } from 'vitest'
import { TallScroll, tallest } from './tall-scroll.ts'

const viewport = 600

test('a list that can be drawn scrolls as it is', () => {
  const scroll = new TallScroll()
  scroll.resize(20_000, viewport)
  expect(scroll.elementHeight).toBe(20_000)
  for (const place of [0, 40, 5000, 19_400, 3]) {
    expect(scroll.moved(place) ?? place).toBe(place)
    expect([scroll.top, scroll.shift]).toEqual([place, 0])
  }
})

test('a taller one is spanned by the bar, end to end', () => {
  const height = 290_000_000
  const scroll = new TallScroll()
  scroll.resize(height, viewport)
  expect(scroll.elementHeight).toBe(tallest)
  scroll.moved((tallest - viewport) / 2)
  expect(scroll.top).toBeCloseTo((height - viewport) / 2, -1)
  scroll.moved(tallest - viewport)
  expect(scroll.top).toBe(height - viewport)
  scroll.moved(0)
  expect(scroll.top).toBe(0)
})

test('and a wheel moves it by pixels, from the first row to beyond where the bar would be', () => {
  const scroll = new TallScroll()
  scroll.resize(290_000_000, viewport)
  let at = 0
  for (let turn = 1; turn <= 1000; turn++) {
    at += 100
    const put = scroll.moved(at)
    if (put !== null) at = put
    expect(scroll.top).toBeCloseTo(turn * 100, 3)
  }
  // Back up: the bar arrives at its end long before the list does, and the list goes on.
  for (let turn = 999; turn >= 0; turn--) {
    at = Math.max(0, at - 100)
    const put = scroll.moved(at)
    if (put !== null) at = put
    expect(Math.abs(scroll.top - turn * 100)).toBeLessThan(120)
  }
  expect(scroll.top).toBeLessThan(120)
})

test('a place is gone to exactly, and kept when the list grows', () => {
  const scroll = new TallScroll()
  scroll.resize(100_000_000, viewport)
  scroll.goTo(77_777_777)
  expect(scroll.top).toBeCloseTo(77_777_777, 3)
  scroll.resize(200_000_000, viewport)
  expect(scroll.top).toBeCloseTo(77_777_777, 3)
  scroll.resize(50_000_000, viewport)
  expect(scroll.top).toBe(50_000_000 - viewport)
  scroll.resize(10, viewport)
  expect([scroll.top, scroll.elementHeight]).toEqual([0, 10])
})
