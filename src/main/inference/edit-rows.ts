/** Edits of a run as rows: what each variant does to which features of an SAE at each position, as the graph's inputs take it. */
import type { FeatureEdit, Token, Variant } from '../../contract/run.ts'
import type { PlannedSae } from './stage-graph.ts'
import { isCovered } from './variants.ts'

/** Positions that a pass goes over. */
export interface PassPositions {
  readonly start: number
  readonly length: number
}

/** A row's tokens, of which every row has as many as the pass has positions. */
export type TokensOf = (row: number) => readonly Token[]

/** Tensors [variant, position, edit]; variants with fewer edits than the most have some that change nothing. */
export interface EditRows {
  readonly dims: readonly [number, number, number]
  readonly feature: BigInt64Array
  readonly factor: Float32Array
  readonly offset: Float32Array
}

/** Tensors of steering: features [variant, edit], strengths [variant, position, edit] for variants that do not splice the SAE and for those that do. */
export interface SteeringRows {
  readonly dims: readonly [number, number, number]
  readonly feature: BigInt64Array
  readonly before: Float32Array
  readonly after: Float32Array
}

/** Graph inputs of an SAE's edits, and of its steering. */
export function editInputs(sae: string): { feature: string; factor: string; offset: string } {
  return { feature: `${sae}.edit.feature`, factor: `${sae}.edit.factor`, offset: `${sae}.edit.offset` }
}
export function steeringInputs(sae: string): { feature: string; before: string; after: string } {
  return { feature: `${sae}.steer.feature`, before: `${sae}.steer.before`, after: `${sae}.steer.after` }
}

/** Each variant's edits of an SAE by feature, in the order in which they act. */
function byFeature({ name }: PlannedSae, variants: readonly Variant[], isSteering: boolean): Map<number, FeatureEdit[]>[] {
  return variants.map(({ edits = [] }) =>
    Map.groupBy(
      edits.filter(edit => edit.sae === name && (edit.kind === 'steer') === isSteering),
      ({ feature }) => feature
    )
  )
}

/** How many edits a row has room for: at least one, so that no tensor is empty. */
function roomFor(groups: readonly ReadonlyMap<number, unknown>[]): number {
  return Math.max(1, ...groups.map(group => group.size))
}

/** What becomes of activations: a is to be factor a + offset. */
export function editRowsOf(sae: PlannedSae, variants: readonly Variant[], tokensOf: TokensOf, { start, length }: PassPositions): EditRows {
  const groups = byFeature(sae, variants, false)
  const room = roomFor(groups)
  const count = variants.length * length * room
  const feature = new BigInt64Array(count)
  const factor = new Float32Array(count).fill(1)
  const offset = new Float32Array(count)
  for (const [row, group] of groups.entries()) {
    const tokens = tokensOf(row)
    for (const [place, [id, edits]] of [...group].entries()) {
      for (let position = 0; position < length; position++) {
        const at = (row * length + position) * room + place
        feature[at] = BigInt(id)
        const token = tokens[position]
        for (const { kind, value, positions } of edits) {
          if (token === undefined || !isCovered(positions, token, start + position)) continue
          factor[at] = kind === 'set' ? 0 : (factor[at] ?? 1) * value
          offset[at] = kind === 'set' ? value : (offset[at] ?? 0) * value
        }
      }
    }
  }
  return { dims: [variants.length, length, room], feature, factor, offset }
}

/** What is added along rows of W_dec. */
export function steeringRowsOf(
  sae: PlannedSae,
  variants: readonly Variant[],
  tokensOf: TokensOf,
  { start, length }: PassPositions
): SteeringRows {
  const groups = byFeature(sae, variants, true)
  const room = roomFor(groups)
  const feature = new BigInt64Array(variants.length * room)
  const [before, after] = [new Float32Array(variants.length * length * room), new Float32Array(variants.length * length * room)]
  for (const [row, group] of groups.entries()) {
    const strengths = variants[row]?.splices.some(splice => splice.sae === sae.name) === true ? after : before
    const tokens = tokensOf(row)
    for (const [place, [id, edits]] of [...group].entries()) {
      feature[row * room + place] = BigInt(id)
      for (let position = 0; position < length; position++) {
        const token = tokens[position]
        const covering = edits.filter(({ positions }) => token !== undefined && isCovered(positions, token, start + position))
        strengths[(row * length + position) * room + place] = covering.reduce((sum, { value }) => sum + value, 0)
      }
    }
  }
  return { dims: [variants.length, length, room], feature, before, after }
}
