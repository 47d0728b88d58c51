import { describe, expect, test } from 'vitest'
import type { ActivationWindow } from '../../contract/hooks.ts'
import { axesOf, layoutOf, sizesOf } from './activation-layout.ts'
import { windowOf } from './activation-window.ts'
import { KeptActivations, type KeptValues } from './kept-activations.ts'

const { NaN: nan, NEGATIVE_INFINITY: masked } = Number

function ask(window: Partial<ActivationWindow>): ActivationWindow {
  return {
    byHead: true,
    planes: [0, 99],
    rows: [0, 99],
    columns: [0, 99],
    mostRows: 99,
    mostColumns: 99,
    pooling: 'largest',
    difference: false,
    ...window
  }
}

/** 0, 1, 2, ... so that a value says where it came from. */
const counting = (length: number) => Float32Array.from({ length }, (_, place) => place)

describe('layouts', () => {
  test('name the axes of what families have', () => {
    expect(axesOf([4, 'query', 'key'])).toEqual(['head', 'query', 'key'])
    expect(axesOf(['position', 4, 12])).toEqual(['position', 'head', 'feature'])
    expect(axesOf(['position', 1])).toEqual(['position', 'feature'])
    expect(axesOf(['position'])).toEqual(['position'])
    expect(sizesOf([4, 'query', 'key'], 7)).toEqual([4, 7, 7])
  })
  test('a head of q is a plane of positions by d_head, or all heads lie side by side', () => {
    const axes = ['position', 'head', 'feature'] as const
    const byHead = layoutOf([2, 3, 2], axes, true, 2)
    expect([...windowOf(counting(12), null, byHead, ask({ planes: [1, 2] })).values]).toEqual([2, 3, 8, 9])
    const flat = layoutOf([2, 3, 2], axes, false, 2)
    expect(windowOf(counting(12), null, flat, ask({ rows: [1, 2] }))).toMatchObject({ columns: [0, 6], planes: [0, 1] })
  })
})

describe('windows', () => {
  const stream = layoutOf([3, 5], ['position', 'feature'], true, 3)

  test('are exact where they fit, and clamped to what there is', () => {
    const window = windowOf(counting(15), null, stream, ask({ rows: [1, 3], columns: [3, 50] }))
    expect(window).toMatchObject({ rows: [1, 3], columns: [3, 5], rowsPerCell: 1, columnsPerCell: 1 })
    expect([...window.values]).toEqual([8, 9, 13, 14])
    expect([...(window.norms ?? [])]).toEqual([Math.fround(Math.hypot(5, 6, 7, 8, 9)), Math.fround(Math.hypot(10, 11, 12, 13, 14))])
  })
  test('sum up equal numbers of values, the last cells what remains', () => {
    const values = Float32Array.of(1, -4, 2, 2, 7, 0, 0, 3, -3, 1, 5, 5, -6, 6, -1)
    const largest = windowOf(values, null, stream, ask({ mostColumns: 3 }))
    expect(largest.columnsPerCell).toBe(2)
    expect([...largest.values]).toEqual([-4, 2, 7, 0, 3, 1, 5, -6, -1])
    const mean = windowOf(values, null, stream, ask({ mostColumns: 3, mostRows: 2, pooling: 'mean' }))
    expect([mean.rowsPerCell, mean.columnsPerCell]).toEqual([2, 2])
    expect([...mean.values]).toEqual([-0.75, 1, 4, 5, 0, -1])
  })
  test('show a NaN however many values stand beside it, and a mask only where nothing else is', () => {
    const values = Float32Array.of(1, nan, masked, masked, 3, masked)
    const row = layoutOf([1, 6], ['position', 'feature'], true, 3)
    expect([...windowOf(values, null, row, ask({ mostColumns: 3 })).values]).toEqual([nan, masked, 3])
  })
  test('of attention have no norms, and differences are taken before they are summed up', () => {
    const square = layoutOf([1, 2, 2], ['head', 'query', 'key'], true, 2)
    const x = Float32Array.of(1, masked, 5, 2)
    const y = Float32Array.of(2, masked, 1, 4)
    const window = windowOf(x, y, square, ask({ mostColumns: 1 }))
    expect(window.norms).toBeNull()
    expect([...window.values]).toEqual([-1, 4])
  })
  test('that are too large are refused', () => {
    const wide = layoutOf([3000, 3000], ['position', 'feature'], true, 3)
    const all = ask({ rows: [0, 3000], columns: [0, 3000], mostRows: 8192, mostColumns: 8192 })
    expect(() => windowOf(new Float32Array(9e6), null, wide, all)).toThrow(/9000000 cells/)
  })
})

describe('kept activations', () => {
  const keep = (elements: number): KeptValues => ({
    hook: {
      name: 'hook_embed',
      sae: null,
      shape: [1, 1, elements],
      axes: ['batch', 'position', 'feature'],
      bytes: 4 * elements,
      statistics: { mean: 0, std: 0, min: 0, max: 0, finite: elements, nan: 0, positiveInfinity: 0, negativeInfinity: 0 },
      difference: null
    },
    positions: 1,
    sizes: [1, elements],
    axes: ['position', 'feature'],
    values: new Float32Array(elements),
    other: null,
    magnitudes: { largest: 0, ordinary: 0, most: 0 },
    differenceMagnitudes: null
  })

  test('stay within their bound, the least recently used going first', () => {
    const kept = new KeptActivations(100)
    kept.put('a', keep(10))
    kept.put('b', keep(10))
    expect(kept.get('a')).not.toBeNull()
    kept.put('c', keep(10))
    expect([kept.get('a') === null, kept.get('b') === null, kept.get('c') === null, kept.bytes]).toEqual([false, true, false, 80])
  })
  test('leave out what is larger than the bound', () => {
    const kept = new KeptActivations(100)
    kept.put('a', keep(10))
    kept.put('b', keep(1000))
    expect([kept.get('a') === null, kept.get('b'), kept.bytes]).toEqual([false, null, 40])
  })
})
