/** Edits of features in words: short ones that name columns, and longer ones for tables and reports. */
import type { EditPositions, FeatureEdit, Variant } from '../../contract/run.ts'

/** A number with no more digits than a name has room for. */
function rounded(value: number): string {
  return String(Number(value.toPrecision(4)))
}

/** Ranges as they are written everywhere: `3:7`, `5:` for what goes on. */
export function positionsInWords(positions: EditPositions): string {
  if (typeof positions === 'string') return positions
  return positions.map(([start, end]) => `${start}:${end ?? ''}`).join(', ')
}

function whereShortly(positions: EditPositions): string {
  if (positions === 'all') return ''
  if (positions === 'no-special') return ' no special'
  return ` @${positions.map(([start, end]) => (end === start + 1 ? `${start}` : `${start}:${end ?? ''}`)).join(',')}`
}

/** What is done to the feature: `off`, `x2`, `=8`, `+8`. */
function changeShortly({ kind, value }: Pick<FeatureEdit, 'kind' | 'value'>): string {
  if (kind === 'scale') return `x${rounded(value)}`
  if (kind === 'set') return value === 0 ? 'off' : `=${rounded(value)}`
  return value < 0 ? rounded(value) : `+${rounded(value)}`
}

/** Such as `#1022 off` or `#1022 x2 @5:`. */
export function editShortly(edit: FeatureEdit): string {
  return `#${edit.feature} ${changeShortly(edit)}${whereShortly(edit.positions)}`
}

/** Such as `l0_15 feature 1022 set to 0 at all`. */
export function editInWords(edit: FeatureEdit): string {
  const { sae, feature, kind, value, positions } = edit
  const change = { scale: 'multiplied by', set: 'set to', steer: 'steered by' }[kind]
  return `${sae} feature ${feature} ${change} ${value} at ${positionsInWords(positions)}`
}

/** All edits of a variant in words; null where it has none. */
export function editsInWords({ edits = [] }: Partial<Pick<Variant, 'edits'>>): string | null {
  return edits.length === 0 ? null : edits.map(editInWords).join('; ')
}
