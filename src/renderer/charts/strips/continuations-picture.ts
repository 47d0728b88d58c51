/** Continuations as a picture: below each other, every one a strip of boxes filled by log-prob, with a mark where it parts from clean. */
import { meanLogProb, partingStep, type WrittenContinuation } from '../../state/continuations.ts'
import { finiteOrNull, formatNats } from '../../state/numbers.ts'
import type { ShownVariant } from '../../state/shown-variants.ts'
import { theme } from '../../state/theme.svelte.ts'
import { breakLines } from '../../views/compare/strip-lines.ts'
import { boxMeasure } from '../../views/compare/text-width.ts'
import { type PictureKind, pictureFile } from '../heatmap/picture-file.ts'
import type { Surface } from '../heatmap/surface.ts'
import { strongestLogProb } from '../scales.ts'
import { stripColors } from '../strip-colors.svelte.ts'
import { drawRamp, drawTokenBox, drawVariantMark, fontSize, markWidth, rowHeight } from './drawn-parts.ts'

const width = 1200
const margin = 16
const headHeight = 26
const gap = 10
const legendHeight = 44

/** Where a continuation's boxes stand: its lines of steps, and the width of each box with the gap after it. */
type Laid = { continuation: WrittenContinuation; widths: number[]; lines: { start: number; end: number }[]; parts: number | null }

/** All that is written so far as a file, under the theme in force. */
export function continuationsPicture(
  kind: PictureKind,
  continuations: readonly WrittenContinuation[],
  variants: readonly ShownVariant[]
): Promise<Blob> {
  const fonts = { sans: theme.color('--font-sans'), mono: theme.color('--font-mono') }
  const boxes = boxMeasure(fonts.mono, fontSize)
  const hasSamples = continuations.some(({ sample }) => sample > 0)
  const laid = continuations.map((continuation): Laid => {
    const widths = continuation.tokens.map(token => boxes.token(token) + 2)
    const clean = continuations.find(({ variant, sample }) => variant === 'clean' && sample === continuation.sample)
    const parts = clean === undefined || clean === continuation ? null : partingStep(continuation.tokens, clean.tokens)
    return { continuation, widths, lines: breakLines(widths, width - 2 * margin), parts }
  })
  const heightOf = ({ lines }: Laid) => headHeight + lines.length * rowHeight + gap
  const height = 2 * margin + laid.reduce((sum, each) => sum + heightOf(each), 0) + legendHeight
  const draw = (surface: Surface) => {
    let top = margin
    for (const each of laid) {
      drawContinuation(
        surface,
        each,
        top,
        variants.find(({ name }) => name === each.continuation.variant),
        hasSamples
      )
      top += heightOf(each)
    }
    drawRamp(
      surface,
      { x: margin, top: height - margin - legendHeight + 10, title: 'log-prob, nats' },
      share => stripColors.logProb(strongestLogProb * share),
      ['0', String(strongestLogProb / 2), `≤ ${strongestLogProb}`]
    )
  }
  return pictureFile(kind, { width, height, background: theme.color('--panel'), fonts, draw })
}

function drawContinuation(
  surface: Surface,
  { continuation, widths, lines, parts }: Laid,
  top: number,
  look: ShownVariant | undefined,
  hasSamples: boolean
): void {
  const { variant, sample, tokens } = continuation
  const middle = top + headHeight / 2
  drawVariantMark(surface, margin, middle, theme.color(look?.color ?? '--variant-clean'), look?.dashed ?? false)
  surface.text(margin + markWidth, middle, hasSamples ? `${variant}, sample ${sample + 1}` : variant, {
    color: theme.color('--text'),
    size: 12,
    mono: true
  })
  const mean = meanLogProb(tokens)
  const facts = [
    `${tokens.length} tokens`,
    ...(mean === null ? [] : [`mean ${formatNats(mean)}`]),
    ...(parts === null ? [] : [`parts at token ${parts + 1}`])
  ]
  surface.text(width - margin, middle, facts.join(', '), { color: theme.color('--text-muted'), size: 12, align: 'right' })
  for (const [line, { start, end }] of lines.entries()) {
    const y = top + headHeight + line * rowHeight
    let x = margin
    for (let step = start; step < end; step++) {
      const token = tokens[step]
      const box = widths[step] ?? 0
      if (token !== undefined) {
        const value = finiteOrNull(token.logProb)
        drawTokenBox(surface, token, value === null ? null : stripColors.logProb(value), { x, y, width: box - 2 })
        if (step === parts) surface.rect(x - 3, y, 3, rowHeight - 1, theme.color('--text'))
      }
      x += box
    }
  }
}
