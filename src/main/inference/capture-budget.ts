/** How many blocks a stage may hold so that what is captured of them stays within memory. */
import { elementCount } from '../checkpoint/tensor.ts'
import { sizesOf } from './activation-layout.ts'
import type { Prepared } from './run.ts'

/** Bytes of activations that a stage may hand over at once; a single block may need more. */
const mostBytes = 256e6

/** Blocks whose hook points, all captured, take no more than 256 MB in so many rows; at least one. */
export function blocksWithin({ model, saes, tokens }: Pick<Prepared, 'model' | 'saes' | 'tokens'>, rows: number): number {
  const { layers } = model.transformer.shape
  const bytes = model.hookPoints.reduce((sum, { shape }) => sum + 4 * elementCount(sizesOf(shape, tokens.length)), 0)
  // An SAE's hook points: its activations before and after the activation function, and four of its input's width.
  const ofSaes = saes.map(({ sae }) => 4 * tokens.length * (2 * sae.dSae + 4 * sae.dIn))
  const perBlock = rows * (bytes / layers + Math.max(0, ...ofSaes))
  return Math.max(1, Math.floor(mostBytes / perBlock))
}
