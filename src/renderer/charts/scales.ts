/**
 * Colour scales of the strips, from the theme's CSS variables: a sequential one for log-probs and a diverging one for differences.
 * Each colour comes with the text colour that reads on it: black or white, whichever has more contrast (always at least 4.5:1).
 */

/** A fill and the text colour on it, as CSS colours. */
export type Fill = { background: string; color: string }
type Rgb = [red: number, green: number, blue: number]

/** The channels of `#rrggbb`, 0 to 255. */
export function parseHexColor(text: string): Rgb {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text) ?? /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text)
  if (match === null) return [128, 128, 128]
  const channel = (hex: string | undefined) => Number.parseInt(hex === undefined ? '80' : hex.length === 1 ? hex + hex : hex, 16)
  return [channel(match[1]), channel(match[2]), channel(match[3])]
}

/** Relative luminance of WCAG 2, 0 to 1. */
export function luminance([red, green, blue]: Rgb): number {
  const linear = (channel: number) => {
    const share = channel / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/** Contrast ratio of WCAG 2 between two colours, 1 to 21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function fillOf(rgb: Rgb): Fill {
  const rounded = rgb.map(Math.round) as Rgb
  const color = contrast(rounded, [0, 0, 0]) >= contrast(rounded, [255, 255, 255]) ? '#000' : '#fff'
  return { background: `rgb(${rounded.join(' ')})`, color }
}

const steps = 96

/** A scale over evenly spaced stops: a share from 0 to 1 (clamped) gives its fill. */
export function scaleOf(stops: readonly string[]): (share: number) => Fill {
  const colors = stops.map(parseHexColor)
  const fills = Array.from({ length: steps + 1 }, (_, step) => {
    const at = (step / steps) * (colors.length - 1)
    const index = Math.min(Math.floor(at), colors.length - 2)
    const [low, high] = [colors[index] ?? [0, 0, 0], colors[index + 1] ?? [0, 0, 0]]
    const part = at - index
    return fillOf([0, 1, 2].map(channel => (low[channel] ?? 0) * (1 - part) + (high[channel] ?? 0) * part) as Rgb)
  })
  return share => fills[Math.round(Math.min(Math.max(share, 0), 1) * steps)] ?? { background: 'transparent', color: 'inherit' }
}

/** The log-prob (nats) that has the strongest fill; everything more surprising looks the same and the legend says so. */
export const strongestLogProb = -8

/** The next rounder bound (nats) above the largest difference, so that a diverging scale keeps still from run to run. */
export function differenceBound(largest: number): number {
  return [0.1, 0.2, 0.5, 1, 2, 4, 8, 16].find(bound => largest <= bound) ?? 32
}
