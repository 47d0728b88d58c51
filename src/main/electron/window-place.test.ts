import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { WindowPlace } from '../../contract/settings.ts'
import { PlaceKeeper, placeOn } from './window-place.ts'

const laptop = { x: 0, y: 25, width: 1440, height: 875 }
const beside = { x: 1440, y: 0, width: 2560, height: 1400 }

describe('a window that was somewhere', () => {
  test('is there again where the displays have room for it', () => {
    const last = { x: 1500, y: 100, width: 1600, height: 1000 }
    expect(placeOn([laptop, beside], last)).toEqual(last)
  })

  test('is moved and cut to the work area that has most of it', () => {
    expect(placeOn([laptop], { x: 400, y: -100, width: 1200, height: 2000 })).toEqual({ x: 240, y: 25, width: 1200, height: 875 })
    expect(placeOn([laptop, beside], { x: 1300, y: 900, width: 1200, height: 800 })).toEqual({ x: 1440, y: 600, width: 1200, height: 800 })
  })

  test('goes to the middle of the first display when its own is gone', () => {
    expect(placeOn([laptop], { x: 2000, y: 100, width: 1240, height: 700 })).toEqual({ x: 100, y: 113, width: 1240, height: 700 })
  })

  test('is not smaller than the least size, whatever was kept and however small the display is', () => {
    expect(placeOn([laptop], { x: 10, y: 30, width: 200, height: 100 })).toEqual({ x: 10, y: 30, width: 1024, height: 640 })
    expect(placeOn([{ x: 0, y: 0, width: 800, height: 600 }], { x: 10, y: 10, width: 1200, height: 800 })).toMatchObject({
      x: 0,
      y: 0,
      width: 1024,
      height: 640
    })
  })
})

describe('the place of a window', () => {
  class FakeWindow extends EventEmitter {
    bounds = { x: 10, y: 20, width: 1200, height: 800 }
    maximized = false
    visible = true
    getNormalBounds = () => this.bounds
    isMaximized = () => this.maximized
    isVisible = () => this.visible
  }
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function kept() {
    const window = new FakeWindow()
    const places: WindowPlace[] = []
    const keeper = new PlaceKeeper(window, async place => places.push(place))
    return { window, places, keeper }
  }

  test('is kept once when it rests, not at every step of a move', () => {
    const { window, places } = kept()
    for (let step = 0; step < 20; step += 1) {
      window.bounds = { ...window.bounds, x: 10 + step }
      window.emit('move')
      vi.advanceTimersByTime(100)
    }
    expect(places).toEqual([])
    vi.advanceTimersByTime(500)
    expect(places).toEqual([{ x: 29, y: 20, width: 1200, height: 800, maximized: false }])
  })

  test('is kept when it closes, with its size before it was maximized', async () => {
    const { window, places, keeper } = kept()
    window.maximized = true
    window.emit('maximize')
    window.emit('close')
    await keeper.settled()
    vi.advanceTimersByTime(1000)
    expect(places).toEqual([{ x: 10, y: 20, width: 1200, height: 800, maximized: true }])
  })

  test('is not kept before it is shown, and a failure disturbs nobody', async () => {
    const { window, places } = kept()
    window.visible = false
    window.emit('resize')
    vi.advanceTimersByTime(1000)
    expect(places).toEqual([])
    const other = new FakeWindow()
    const keeper = new PlaceKeeper(other, () => Promise.reject(new Error('no engine')))
    other.emit('close')
    await keeper.settled()
  })
})
