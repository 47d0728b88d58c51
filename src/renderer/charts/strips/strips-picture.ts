/** The token strips as a picture: a strip per variant and one of differences for each compared with clean, with numbers and legend. */
import type { RunResult } from '../../../contract/run.ts'
import { isNamed, tokenPieces } from '../../components/token-pieces.ts'
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

const width = 1200
const margin = 16
const rowHeight = 26
const lineGap = 12
const fontSize = 13
const endWidth = 128

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
  const labelWidth = Math.min(320, Math.max(72, ...rows.map(({ label }) => labels.next([label]) + 14)))
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
  if (color !== null) {
    const pieces = dashed ? [0, 6] : [0]
    for (const piece of pieces) surface.rect(margin + piece, middle - 1.5, dashed ? 4 : 10, 3, color)
  }
  surface.text(margin + 15, middle, label, { color: theme.color(color === null ? '--text-muted' : '--text'), size: 12, mono: true })
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
  const [boxX, boxWidth] = token === undefined ? [x + 6, box - 8] : [x, box - 2]
  if (shade !== null) surface.rect(boxX, y + 1, boxWidth, rowHeight - 3, shade.background)
  surface.outline(boxX + 0.5, y + 1.5, boxWidth - 1, rowHeight - 4, theme.color('--line'), 1)
  const named = token !== undefined && isNamed(token)
  const text =
    token === undefined ? (row.kind === 'variant' ? drawnText(row.nextText) : 'next') : named ? token.text : drawnText(token.text)
  const style = {
    color: shade?.color ?? theme.color('--text-muted'),
    size: named ? fontSize * 0.82 : fontSize,
    mono: true,
    align: 'center' as const
  }
  surface.text(boxX + boxWidth / 2, y + rowHeight / 2, text, style)
}

const drawnText = (text: string) =>
  tokenPieces(text)
    .map(piece => piece.text)
    .join('')

const steps = 48

function drawLegend(surface: Surface, bound: number, hasDifferences: boolean, top: number): void {
  const muted = { color: theme.color('--text-muted'), size: 12, mono: true }
  const ramp = (x: number, title: string, fill: (share: number) => Fill, ticks: readonly string[]) => {
    surface.text(x, top + 6, title, { color: theme.color('--text-muted'), size: 12 })
    const from = x + 130
    for (let step = 0; step < steps; step++) surface.rect(from + step * 4, top, 4.2, 10, fill(step / (steps - 1)).background)
    surface.outline(from, top, steps * 4, 10, theme.color('--line'), 1)
    for (const [at, tick] of ticks.entries()) {
      const align = at === 0 ? 'left' : at === ticks.length - 1 ? 'right' : 'center'
      surface.text(from + (at / (ticks.length - 1)) * steps * 4, top + 20, tick, { ...muted, align })
    }
  }
  ramp(margin, 'log-prob, nats', share => stripColors.logProb(strongestLogProb * share), [
    '0',
    String(strongestLogProb / 2),
    `≤ ${strongestLogProb}`
  ])
  if (!hasDifferences) return
  const ends = [String(-bound), '0', `+${bound}`]
  ramp(420, 'difference, nats', share => stripColors.difference(bound * (2 * share - 1), bound), ends)
}
