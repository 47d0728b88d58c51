/** A run's variants as rows: which rows take which SAE's output where. Mistakes in a request are named here, before any work. */
import { SpliceError } from '../../contract/errors.ts'
import type { EditPositions, Token, Variant } from '../../contract/run.ts'
import type { PlannedSae } from './stage-graph.ts'

/** The row that others are compared with: the first variant without splices and edits. Null where there is none. */
export function baselineOf(variants: readonly Variant[]): number | null {
  const index = variants.findIndex(variant => !isChanged(variant))
  return index === -1 ? null : index
}

/** Whether a variant is anything else than the model as it is. */
export function isChanged({ splices, edits = [] }: Variant): boolean {
  return splices.length > 0 || edits.length > 0
}

/** An SAE as far as edits are checked against it. */
interface EditedSae {
  readonly name: string
  readonly target: string
  readonly sae: { readonly dSae: number }
}

/**
 * Throws `run/variants` for names used twice, splices and edits of SAEs the run does not have, two SAEs that stand in at one hook
 * point, features that are not there, and edits of activations that nothing reads.
 */
export function checkVariants(variants: readonly Variant[], saes: readonly EditedSae[]): void {
  const refuse = (message: string, hint: string) => {
    throw new SpliceError('run/variants', message, { hint })
  }
  const names = new Set<string>()
  for (const { name, splices } of variants) {
    if (names.has(name)) refuse(`two variants are called ${name}`, 'Give each variant a name of its own.')
    names.add(name)
    const targets = new Map<string, string>()
    for (const { sae } of splices) {
      const known = saes.find(candidate => candidate.name === sae)
      if (known === undefined) {
        refuse(
          `variant ${name} splices ${sae}, which is no SAE of this run`,
          `SAEs of this run: ${saes.map(s => s.name).join(', ') || 'none'}.`
        )
        continue
      }
      const other = targets.get(known.target)
      if (other !== undefined) {
        refuse(
          `variant ${name} splices both ${other} and ${sae} at ${known.target}`,
          'Only one SAE can stand at a hook point: put them into variants of their own (--variant NAME=SAE).'
        )
      }
      targets.set(known.target, sae)
    }
  }
  for (const variant of variants) checkEdits(variant, saes, refuse)
}

function checkEdits(
  { name, splices, edits = [] }: Variant,
  saes: readonly EditedSae[],
  refuse: (message: string, hint: string) => void
): void {
  for (const { sae, feature, kind } of edits) {
    const known = saes.find(candidate => candidate.name === sae)
    if (known === undefined) {
      refuse(
        `variant ${name} edits features of ${sae}, which is no SAE of this run`,
        `SAEs of this run: ${saes.map(s => s.name).join(', ') || 'none'}.`
      )
    } else if (feature >= known.sae.dSae) {
      refuse(`variant ${name} edits feature ${feature} of ${sae}, which has ${known.sae.dSae}`, `The last one is ${known.sae.dSae - 1}.`)
    } else if (kind !== 'steer' && !splices.some(splice => splice.sae === sae)) {
      refuse(
        `variant ${name} edits an activation of ${sae}, which it does not splice: nothing would read it`,
        `Splice ${sae} in this variant, with or without its error term, or steer instead.`
      )
    }
  }
}

/** Whether a splice or an edit covers a token at a position. */
export function isCovered(positions: EditPositions, token: Token, position: number): boolean {
  if (positions === 'all') return true
  if (positions === 'no-special') return !token.special
  return positions.some(([start, end]) => position >= start && (end === null || position < end))
}

/** Whether a splice covers each position. */
export function coveredPositions(positions: EditPositions, tokens: readonly Token[]): boolean[] {
  return tokens.map((token, position) => isCovered(positions, token, position))
}

/** Throws `run/positions` for ranges that start after their end or reach beyond the prompt. */
export function checkPositions(variants: readonly Variant[], length: number): void {
  for (const { name, splices, edits = [] } of variants) {
    for (const { positions } of [...splices, ...edits]) {
      if (typeof positions === 'string') continue
      for (const [start, end] of positions) {
        if (start <= (end ?? length) && (end ?? length) <= length) continue
        throw new SpliceError('run/positions', `variant ${name}: positions ${start}:${end ?? ''} do not fit a prompt of ${length} tokens`, {
          field: 'positions',
          hint: `Ranges are half-open from zero; the last position is ${length - 1}.`
        })
      }
    }
  }
}

/**
 * Mask [variant, position] and gate [variant] of one SAE over the positions from `start`. `tokensOf` gives a row's tokens, of which
 * every row has `length`.
 */
export function spliceRowsOf(
  sae: PlannedSae,
  variants: readonly Variant[],
  tokensOf: (row: number) => readonly Token[],
  { start, length }: { readonly start: number; readonly length: number }
): { mask: Uint8Array; gate: Float32Array } {
  const mask = new Uint8Array(variants.length * length)
  const gate = new Float32Array(variants.length)
  for (const [row, variant] of variants.entries()) {
    const splice = variant.splices.find(candidate => candidate.sae === sae.name)
    if (splice === undefined) continue
    gate[row] = splice.errorTerm ? 1 : 0
    for (const [place, token] of tokensOf(row).entries()) {
      mask[row * length + place] = isCovered(splice.positions, token, start + place) ? 1 : 0
    }
  }
  return { mask, gate }
}
