/**
 * Colours of values: a diverging scale from -bound to bound, or a sequential one from 0 to bound. What is beyond has the
 * last colour; masked scores (-Infinity), infinities and NaN have colours of their own, which the legend names where they occur.
 */
import { type Fill, parseHexColor, scaleOf } from '../scales.ts'

export type HeatScale = {
  diverging: boolean
  bound: number
  fill: (share: number) => Fill
  /** Fills of -Infinity, Infinity and NaN. */
  masked: Fill
  infinite: Fill
  notANumber: Fill
}

/** The theme's colours, as `#rrggbb`. */
export type HeatPalette = {
  diverging: readonly string[]
  sequential: readonly string[]
  masked: string
  infinite: string
  notANumber: string
}

const solid = (color: string): Fill => scaleOf([color, color])(0)

export function heatScale(palette: HeatPalette, diverging: boolean, bound: number): HeatScale {
  return {
    diverging,
    // A matrix of zeros alone has no extent; any bound shows it as zero.
    bound: bound > 0 ? bound : 1,
    fill: scaleOf(diverging ? palette.diverging : palette.sequential),
    masked: solid(palette.masked),
    infinite: solid(palette.infinite),
    notANumber: solid(palette.notANumber)
  }
}

export function fillOf(scale: HeatScale, value: number): Fill {
  if (Number.isNaN(value)) return scale.notANumber
  if (value === Number.NEGATIVE_INFINITY) return scale.masked
  if (value === Number.POSITIVE_INFINITY) return scale.infinite
  return scale.fill(scale.diverging ? 0.5 + value / (2 * scale.bound) : value / scale.bound)
}

/** Red, green, blue and alpha of each value, for a picture of pixels. */
export function pixelsOf(scale: HeatScale, values: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * values.length)
  const known = new Map<string, readonly number[]>()
  for (let place = 0; place < values.length; place++) {
    const { background } = fillOf(scale, values[place] ?? Number.NaN)
    let rgb = known.get(background)
    if (rgb === undefined) {
      rgb = channelsOf(background)
      known.set(background, rgb)
    }
    pixels[4 * place] = rgb[0] ?? 0
    pixels[4 * place + 1] = rgb[1] ?? 0
    pixels[4 * place + 2] = rgb[2] ?? 0
    pixels[4 * place + 3] = 255
  }
  return pixels
}

function channelsOf(color: string): readonly number[] {
  const channels = /^rgb\((\d+) (\d+) (\d+)\)$/.exec(color)
  return channels === null ? parseHexColor(color) : channels.slice(1).map(Number)
}

/** What a picture holds that its scale cannot show: values beyond the bound, masked ones, infinities, NaN. */
export type Beyond = { beyond: number; masked: number; infinite: number; notANumber: number }

export function beyondOf(scale: HeatScale, values: Float32Array): Beyond {
  const counts = { beyond: 0, masked: 0, infinite: 0, notANumber: 0 }
  // The bound itself comes from float32 values in double precision; half a colour step beyond it is not beyond.
  const last = scale.bound * 1.005
  for (let place = 0; place < values.length; place++) {
    const value = values[place] ?? Number.NaN
    if (Number.isNaN(value)) counts.notANumber += 1
    else if (value === Number.NEGATIVE_INFINITY) counts.masked += 1
    else if (value === Number.POSITIVE_INFINITY) counts.infinite += 1
    else if (Math.abs(value) > last) counts.beyond += 1
  }
  return counts
}
