import { describe, expect, test } from 'vitest'
import type { PublishedSae } from '../../../contract/releases.ts'
import { heightOf, neighbour, picturesOf, stateOf, widthValue } from './bands.ts'
import { fitsModel } from './fit.ts'
import { formatL0 } from './l0.ts'

let count = 0
function sae(of: Partial<PublishedSae>): PublishedSae {
  count += 1
  return {
    names: [{ release: 'r', saeId: `id${count}` }],
    repo: 'o/r',
    path: `p${count}`,
    family: 'f',
    format: 'gemma_2',
    site: 'res',
    layer: 0,
    width: '16k',
    variant: '',
    averageL0: null,
    varianceExplained: null,
    normScalingFactor: null,
    source: null,
    diskPath: null,
    explanations: 0,
    traps: [],
    ...of
  }
}

describe('the picture', () => {
  test('has sites in their order, bands by width, and a column for every layer up to the last', () => {
    const pictures = picturesOf([
      sae({ site: 'mlp', layer: 2 }),
      sae({ layer: 3, width: '1m' }),
      sae({ layer: 1, width: '65k' }),
      sae({ layer: -1, width: '4k' }),
      sae({ layer: 1, width: '24576' })
    ])
    expect(pictures.map(({ site, columns }) => [site, columns])).toEqual([
      ['res', [-1, 0, 1, 2, 3]],
      ['mlp', [0, 1, 2]]
    ])
    expect(pictures[0]?.bands.map(band => band.width)).toEqual(['4k', '24576', '65k', '1m'])
    expect(pictures[0]?.bands[3]?.marks[0]?.column).toBe(4)
  })

  test('puts L0s on a logarithmic scale: ten times as much is as far up anywhere', () => {
    const [picture] = picturesOf([1, 10, 100, 1000].map((averageL0, layer) => sae({ averageL0, layer })))
    const heights = picture?.bands[0]?.marks.map(mark => mark.y) ?? []
    const steps = heights.slice(1).map((height, at) => height - (heights[at] ?? 0))
    for (const step of steps) expect(step).toBeCloseTo(steps[0] ?? 0, 10)
    expect(picture?.scale?.ticks).toEqual([1, 10, 100, 1000])
    expect(heightOf(10, { low: 1, high: 100, ticks: [] })).toBeCloseTo(0.5)
  })

  test('hides no mark behind another, with L0s, without, or with some of each', () => {
    for (const list of [
      Array.from({ length: 48 }, () => sae({})),
      [sae({ averageL0: 50 }), sae({ averageL0: 50 }), sae({})],
      [sae({ averageL0: 32, variant: 'L0 32' }), sae({ variant: 'resid_mid' })]
    ]) {
      const marks = picturesOf(list)[0]?.bands[0]?.marks ?? []
      expect(marks).toHaveLength(list.length)
      expect(new Set(marks.map(({ y, shift }) => `${y} ${shift}`)).size).toBe(list.length)
      for (const mark of marks) expect(mark.shift).toBeLessThan(mark.abreast)
    }
  })

  test('takes the L0 from the name where the release states none', () => {
    const [picture] = picturesOf([sae({ variant: 'L0 71' }), sae({ averageL0: 71, layer: 1 })])
    const [one, other] = picture?.bands[0]?.marks ?? []
    expect(one?.y).toBe(other?.y)
  })

  test('lets the arrow keys go to what is next to a mark', () => {
    const low = sae({ averageL0: 10, layer: 1 })
    const high = sae({ averageL0: 100, layer: 1 })
    const right = sae({ averageL0: 90, layer: 3 })
    const wide = sae({ averageL0: 20, layer: 1, width: '65k' })
    const [picture] = picturesOf([low, high, right, wide])
    if (picture === undefined) throw new Error('no picture')
    const markOf = (one: PublishedSae) => picture.bands.flatMap(band => band.marks).find(mark => mark.sae === one)!
    const go = (from: PublishedSae, key: string) => neighbour(picture, markOf(from), key)?.sae
    expect(go(low, 'ArrowUp')).toBe(high)
    expect(go(high, 'ArrowDown')).toBe(low)
    expect(go(high, 'ArrowRight')).toBe(right)
    expect(go(right, 'ArrowLeft')).toBe(high)
    // Below the lowest mark of a band comes the next band.
    expect(go(low, 'ArrowDown')).toBe(wide)
    expect(go(wide, 'ArrowUp')).toBe(low)
    expect(go(low, 'ArrowLeft')).toBeUndefined()
  })
})

test('a mark says whether there are explanations here, elsewhere, or nowhere', () => {
  expect(stateOf(sae({ source: 'm/l', explanations: 3 }))).toBe('explained')
  expect(stateOf(sae({ source: 'm/l' }))).toBe('source')
  expect(stateOf(sae({}))).toBe('none')
})

test('widths are ordered by what they mean', () => {
  const widths = ['1m', '4k', '24576', null, '131k', '768']
  expect(widths.sort((a, b) => widthValue(a) - widthValue(b))).toEqual([null, '768', '4k', '24576', '131k', '1m'])
})

describe('an SAE fits', () => {
  const model = { hookPoints: ['hook_embed', 'blocks.0.attn.hook_z', 'blocks.0.attn.hook_pattern'], hookWidths: [16, 32, null] }
  test.each([
    ['hook_embed', 16, true],
    ['hook_embed', 32, false],
    ['blocks.0.attn.hook_z', 32, true],
    ['blocks.7.attn.hook_z', 32, false],
    [null, 32, true],
    [null, 48, false]
  ])('%s of width %d: %s', (hook, dIn, fits) => expect(fitsModel({ hook, dIn }, model)).toBe(fits))
})

test.each([
  [71, '71'],
  [14.69, '14.7'],
  [3.28, '3.3'],
  [139.4, '139'],
  [null, '–']
])('L0 %s is written %s', (value, written) => expect(formatL0(value)).toBe(written))
