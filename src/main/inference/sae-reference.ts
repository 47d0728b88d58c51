/**
 * SAEs as plain loops in double precision, after `sae_lens/saes` of SAELens 6.18 and the papers, for tests of what the golden
 * data has no case of. It shares no code with the graphs.
 */

export type Matrix = readonly (readonly number[])[]

export interface ReferenceSae {
  /** [dIn][dSae] and [dSae][dOut]. */
  readonly encoder: Matrix
  readonly decoder: Matrix
  readonly encoderBias: readonly number[]
  readonly decoderBias: readonly number[]
  readonly subtractsBias: boolean
  /** Pre-activations, as the activation function sees them, to activations. */
  readonly activate: (pre: readonly number[]) => number[]
  /** What activations are multiplied with before decoding. */
  readonly actsScale?: readonly number[]
  /** Whether pre-activations are multiplied with the norms of decoder rows, and activations divided by them. */
  readonly rescales?: boolean
  /** [dIn][dOut], added to the output. */
  readonly skip?: Matrix
}

export function multiply(x: readonly number[], matrix: Matrix): number[] {
  const width = matrix[0]?.length ?? 0
  return Array.from({ length: width }, (_, column) => x.reduce((sum, value, row) => sum + value * (matrix[row]?.[column] ?? 0), 0))
}

export function transpose(matrix: Matrix): number[][] {
  return Array.from({ length: matrix[0]?.length ?? 0 }, (_, column) => matrix.map(row => row[column] ?? 0))
}

export const relu = (value: number) => Math.max(0, value)

/** relu of the k largest. */
export function largest(k: number): (pre: readonly number[]) => number[] {
  return pre => {
    const kept = new Set([...pre.keys()].sort((a, b) => (pre[b] ?? 0) - (pre[a] ?? 0)).slice(0, k))
    return pre.map((value, place) => (kept.has(place) ? relu(value) : 0))
  }
}

/** relu above a threshold, strictly. */
export function above(threshold: number): (pre: readonly number[]) => number[] {
  return pre => pre.map(value => (value > threshold ? relu(value) : 0))
}

/** One position: activations and what stands in for the target. */
export function reference(sae: ReferenceSae, x: readonly number[]): { acts: number[]; output: number[] } {
  const centred = sae.subtractsBias ? x.map((value, place) => value - (sae.decoderBias[place] ?? 0)) : x
  const norms = sae.decoder.map(row => (sae.rescales === true ? Math.hypot(...row) : 1))
  const pre = multiply(centred, sae.encoder).map((value, place) => (value + (sae.encoderBias[place] ?? 0)) * (norms[place] ?? 1))
  const acts = sae.activate(pre)
  const decoded = multiply(
    acts.map((value, place) => (value * (sae.actsScale?.[place] ?? 1)) / (norms[place] ?? 1)),
    sae.decoder
  )
  const skipped = sae.skip === undefined ? [] : multiply(x, sae.skip)
  return { acts, output: decoded.map((value, place) => value + (sae.decoderBias[place] ?? 0) + (skipped[place] ?? 0)) }
}
