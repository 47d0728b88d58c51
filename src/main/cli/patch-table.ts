/** What `splice patch` prints: both runs and a table of effects for each site, or one patch with its predictions. */
import { fromMaybeNumber, type MaybeNumber } from '../../contract/numbers.ts'
import { differingPositions, type GridEffects, gridName, type PatchingResult, type PatchResult, spanOf } from '../../contract/patching.ts'
import { describeQuantity } from '../../contract/quantity.ts'
import type { PredictedToken } from '../../contract/run.ts'
import { aligned } from './aligned.ts'
import { fixed, percent, signed, visible } from './run-table.ts'

/** Most columns of a table for people: those with the largest effects, in their order; the JSON has them all. */
const columnsShown = 8

const size = (effect: MaybeNumber | undefined) => Math.abs(fromMaybeNumber(effect ?? null) ?? 0)

function heading(result: PatchingResult | PatchResult): string[] {
  const { model, tokens, sourceTokens, quantity, base, source } = result
  const differing = differingPositions(tokens, sourceTokens)
  const named = differing
    .slice(0, columnsShown)
    .map(at => `${at} ${visible(tokens[at]?.text ?? '')} / ${visible(sourceTokens[at]?.text ?? '')}`)
  const more = differing.length > named.length ? ` and ${differing.length - named.length} more` : ''
  return [
    `${model.name}  ${tokens.length} tokens  ${result.processing.join(', ') || 'no processing'} (${result.processingReason})`,
    describeQuantity(quantity, tokens, 'KL(base || patched)'),
    `base ${fixed(base)}, source ${fixed(source)}${spanOf(result) === null ? ': equal, so effects are not normalised' : ''}`,
    `tokens that differ, base / source: ${named.join(', ') || 'none'}${more}`
  ]
}

/** The whole result as text. */
export function patchingTables(result: PatchingResult): string {
  const { rows, batches, milliseconds } = result
  const seconds = ((milliseconds.open + milliseconds.rows) / 1000).toFixed(1)
  const ran = `${rows} cells in ${batches} batches, ${seconds} s; effects: patched minus base`
  return `${[[...heading(result), ran].join('\n'), ...result.sites.map(site => gridTable(result, site))].join('\n\n')}\n`
}

function gridTable({ tokens }: PatchingResult, { site, head, axis, effects }: GridEffects): string {
  const columns = [...(effects[0] ?? []).keys()]
  const largest = new Map(columns.map(column => [column, Math.max(...effects.map(row => size(row[column])))]))
  const shown = columns
    .toSorted((a, b) => (largest.get(b) ?? 0) - (largest.get(a) ?? 0) || a - b)
    .slice(0, columnsShown)
    .sort((a, b) => a - b)
  const name = (column: number) => (axis === 'head' ? `head ${column}` : `${column} ${visible(tokens[column]?.text ?? '')}`)
  const rest = columns.length - shown.length
  const left = rest === 0 ? '' : `\n${rest} further ${axis === 'head' ? 'heads' : 'positions'} have no larger effects; --json prints them.`
  return `${aligned(
    [
      [gridName({ site, head }), ...shown.map(name)],
      ...effects.map((row, layer) => [`layer ${layer}`, ...shown.map(column => signed(row[column] ?? null, 3))])
    ],
    new Set([0])
  )}${left}`
}

/** One patch: the quantity, and predictions side by side. */
export function patchTable(result: PatchResult): string {
  const { cell, hook, tokens, sourceTokens, patched, effect, normalised, predictions } = result
  const place = (position: number, of: PatchResult['tokens']) => `${position} ${visible(of[position]?.text ?? '')}`
  const where = cell.position === null ? 'all positions' : place(cell.position, tokens)
  const from = cell.position === null ? 'the same' : place(cell.from ?? cell.position, sourceTokens)
  const lines = [
    ...heading(result),
    `${hook}${cell.head === null ? '' : ` head ${cell.head}`} at ${where}, from the source's ${from}`,
    `patched ${fixed(patched)}, effect ${signed(effect, 4)}${normalised === null ? '' : `, ${fixed(normalised)} of the way from base to source`}`
  ]
  const list = ({ text, logProb }: PredictedToken) => `${visible(text)} ${percent(logProb)}`
  const columns = [predictions.base, predictions.patched, predictions.source]
  const rows = Array.from({ length: Math.max(...columns.map(({ length }) => length)) }, (_, rank) => [
    String(rank),
    ...columns.map(column => {
      const token = column[rank]
      return token === undefined ? '-' : list(token)
    })
  ])
  const after = `after ${place(predictions.position, tokens)}`
  return `${lines.join('\n')}\n\n${aligned([[after, 'base', 'patched', 'source'], ...rows], new Set([0, 1, 2, 3]))}\n`
}
