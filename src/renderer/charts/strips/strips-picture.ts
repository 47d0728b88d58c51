/** The token strips as a picture: a strip per variant and one of differences for each compared with clean, with numbers and legend. */
import type { RunResult } from '../../../contract/run.ts'
import { finiteOrNull, formatNats } from '../../state/numbers.ts'
import { shortVariantName } from '../../state/run-name.ts'
import type { ShownVariant } from '../../state/shown-variants.ts'
import { theme } from '../../state/theme.svelte.ts'
import { breakLines } from '../../views/compare/strip-lines.ts'
import { differenceRow, largestValue, type StripRow, variantRow } from '../../views/compare/strips.ts'
import { boxMeasure } from '../../views/compare/text-width.ts'
import { type PictureKind, pictureFile } from '../heatmap/picture-file.ts'
import type { Surface } from '../heatmap/surface.ts'
import { differenceBound, type Fill, strongestLogProb } from '../scales.ts'
import { stripColors } from '../strip-colors.svelte.ts'
import { drawRamp, drawTokenBox, drawVariantMark, fontSize, markWidth, rowHeight } from './drawn-parts.ts'

const width = 1200
const margin = 16
const lineGap = 12
const endWidth = 128
/** Characters of a variant's name that have room before the boxes. */
const longestLabel = 56

type Drawn = { row: StripRow; label: string; color: string | null; dashed: boolean; end: string; fill: (value: number) => Fill }

function drawnRows(result: RunResult, variants: readonly ShownVariant[]): { rows: Drawn[]; bound: number } {
  const compared = result.comparison.map(comparison => comparison.variant).filter(name => name !== 'clean')
  const differences = compared.map(name => differenceRow(result, name, 'log-prob'))
  const bound = differenceBound(Math.max(0, ...differences.map(largestValue)))
  const own = result.variants.map(({ name, loss }): Drawn => {
    const look = variants.find(variant => variant.name === name)
    return {
      row: variantRow(result, name),
      label: shortVariantName(name),
      color: theme.color(look?.color ?? '--variant-clean'),
      dashed: look?.dashed ?? false,
      end: `loss ${formatNats(loss)}`,
      fill: value => stripColors.logProb(value)
    }
  })
  const against = differences.map((row): Drawn => {
    const comparison = result.comparison.find(({ variant }) => variant === row.name)
    return {
      row,
      label: `${shortVariantName(row.name)} − clean`,
      color: null,
      dashed: false,
      end: `mean KL ${formatNats(comparison?.meanKl)}`,
      fill: value => stripColors.difference(value, bound)
    }
  })
  return { rows: [...own, ...against], bound }
}

/** The strips of a run as a file, under the theme in force. */
export function stripsPicture(kind: PictureKind, result: RunResult, variants: readonly ShownVariant[]): Promise<Blob> {
  const fonts = { sans: theme.color('--font-sans'), mono: theme.color('--font-mono') }
  const { rows, bound } = drawnRows(result, variants)
  const boxes = boxMeasure(fonts.mono, fontSize)
  const labels = boxMeasure(fonts.mono, 12)
  const labelWidth = Math.min(440, Math.max(72, ...rows.map(({ label }) => labels.next([label]) + 14)))
  const next = boxes.next(rows.map(({ row }) => row.nextText)) + 6
  const widths = [...result.tokens.map(token => boxes.token(token) + 2), next]
  const available = width - 2 * margin - labelWidth
  const lines = breakLines(widths, available, available - endWidth)
  const legendHeight = 44
  const height = 2 * margin + lines.length * (rows.length * rowHeight + lineGap) + legendHeight
  const draw = (surface: Surface) => {
    for (const [at, line] of lines.entries()) {
      const top = margin + at * (rows.length * rowHeight + lineGap)
      for (const [index, drawn] of rows.entries()) {
        const y = top + index * rowHeight
        drawLabel(surface, drawn, y)
        let x = margin + labelWidth
        for (let position = line.start; position < line.end; position++) {
          const box = widths[position] ?? 0
          drawBox(surface, result, drawn, position, { x, y, width: box })
          x += box
        }
        if (at === 0) {
          surface.text(width - margin, y + rowHeight / 2, drawn.end, {
            color: theme.color('--text-muted'),
            size: 12,
            mono: true,
            align: 'right'
          })
        }
      }
    }
    drawLegend(surface, bound, rows.length > result.variants.length, height - margin - legendHeight + 10)
  }
  return pictureFile(kind, { width, height, background: theme.color('--panel'), fonts, draw })
}

function drawLabel(surface: Surface, { label, color, dashed }: Drawn, y: number): void {
  const middle = y + rowHeight / 2
  if (color !== null) drawVariantMark(surface, margin, middle, color, dashed)
  const shown = label.length > longestLabel ? `${label.slice(0, longestLabel - 1)}…` : label
  surface.text(margin + markWidth, middle, shown, { color: theme.color(color === null ? '--text-muted' : '--text'), size: 12, mono: true })
}

function drawBox(
  surface: Surface,
  result: RunResult,
  { row, fill }: Drawn,
  position: number,
  { x, y, width: box }: { x: number; y: number; width: number }
): void {
  const token = result.tokens[position]
  const value = finiteOrNull(row.values[position])
  const shade = value === null ? null : fill(value)
  if (token !== undefined) {
    drawTokenBox(surface, token, shade, { x, y, width: box - 2 })
    return
  }
  // What is next stands apart from what is there.
  const next = { text: row.kind === 'variant' ? row.nextText : 'next', special: false }
  drawTokenBox(surface, next, shade, { x: x + 6, y, width: box - 8 })
}

function drawLegend(surface: Surface, bound: number, hasDifferences: boolean, top: number): void {
  drawRamp(surface, { x: margin, top, title: 'log-prob, nats' }, share => stripColors.logProb(strongestLogProb * share), [
    '0',
    String(strongestLogProb / 2),
    `≤ ${strongestLogProb}`
  ])
  if (!hasDifferences) return
  const ends = [String(-bound), '0', `+${bound}`]
  drawRamp(surface, { x: 420, top, title: 'difference, nats' }, share => stripColors.difference(bound * (2 * share - 1), bound), ends)
}
