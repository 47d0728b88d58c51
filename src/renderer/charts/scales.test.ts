/** Text on every colour of every scale has to be readable, in both themes as they stand in theme.css. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { contrast, differenceBound, luminance, parseHexColor, scaleOf } from './scales.ts'

const css = readFileSync(fileURLToPath(new URL('../theme.css', import.meta.url)), 'utf8')
const [light = '', dark = ''] = css.split(':root[data-theme="dark"]')

function stops(theme: string, names: readonly string[]): string[] {
  return names.map(name => new RegExp(`${name}: (#[0-9a-f]+);`).exec(theme)?.[1] ?? `${name} is missing`)
}

function rgbOf(css: string): [number, number, number] {
  if (css.startsWith('#')) return parseHexColor(css)
  return (css.match(/\d+/g) ?? []).map(Number) as [number, number, number]
}

const shares = Array.from({ length: 201 }, (_, step) => step / 200)
const sequential = [0, 1, 2, 3, 4, 5].map(step => `--sequential-${step}`)
const diverging = ['low', 'low-mid', 'zero', 'high-mid', 'high'].map(part => `--diverging-${part}`)

describe.each([
  ['light', light],
  ['dark', dark]
])('the %s theme', (_, theme) => {
  test.each([
    ['sequential', sequential],
    ['diverging', diverging]
  ])('text reads at 4.5:1 or better all along the %s scale', (_, names) => {
    const scale = scaleOf(stops(theme, names))
    const worst = Math.min(...shares.map(scale).map(fill => contrast(rgbOf(fill.background), rgbOf(fill.color))))
    expect(worst).toBeGreaterThanOrEqual(4.5)
  })

  test('the sequential scale gets steadily darker or lighter, so that it reads in greyscale', () => {
    const values = stops(theme, sequential).map(stop => luminance(parseHexColor(stop)))
    const steps = values.slice(1).map((value, index) => Math.sign(value - (values[index] ?? 0)))
    expect(new Set(steps).size).toBe(1)
  })

  test('text colours read at 4.5:1 on the panel', () => {
    const [panel, window, ...texts] = stops(theme, [
      '--panel',
      '--window',
      '--text',
      '--text-muted',
      '--text-faint',
      '--accent',
      '--error',
      '--warning'
    ])
    for (const text of texts) {
      expect(contrast(parseHexColor(text), parseHexColor(panel ?? ''))).toBeGreaterThanOrEqual(4.5)
      expect(contrast(parseHexColor(text), parseHexColor(window ?? ''))).toBeGreaterThanOrEqual(4.5)
    }
  })
})

test.each([
  ['white in the light theme', light, '#ffffff'],
  ['the dark panel in the dark theme', dark, '#1a1c20']
])('the zero of differences is the surface they stand on: %s', (_, theme, surface) => {
  expect(stops(theme, ['--panel', '--diverging-zero'])).toEqual([surface, surface])
  expect(scaleOf(stops(theme, diverging))(0.5).background).toBe(`rgb(${parseHexColor(surface).join(' ')})`)
})

test('the bound of a difference is the next rounder number above it', () => {
  expect([0, 0.15, 1, 3.2, 99].map(differenceBound)).toEqual([0.1, 0.2, 1, 4, 32])
})
