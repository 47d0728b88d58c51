/** How rows that differ behind a common beginning are cut into batches. */
import { rowBytes } from './memory.ts'
import type { OpenModel } from './models.ts'

/** Rows times positions of a batch where nobody says how many rows: more are no faster, and cancel later. */
const usualPositions = 1024
/** Bytes that the values of a batch may take. */
const mostBytes = 768e6

/** How many rows of so many positions a batch has, so that it is quick and its activations fit into memory. */
export function rowsOfBatch({ transformer: { shape } }: OpenModel, positions: number): number {
  return Math.max(1, Math.min(Math.ceil(usualPositions / positions), Math.floor(mostBytes / rowBytes(shape, positions))))
}
