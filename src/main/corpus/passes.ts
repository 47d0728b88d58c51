/**
 * Sequences cut into passes: rows of one length each, short ones padded. Passes are made inside windows of whole SAELens batches,
 * so that sequences of about one length meet and what a batch needs is together when its window ends.
 */
import type { Sequence } from './sequences.ts'

/** Sequences that stand behind each other in the corpus. */
export interface Window<One extends Sequence = Sequence> {
  readonly sequences: readonly One[]
  /** Where the window begins and where the next one does. */
  readonly start: One['next']
  readonly next: One['next']
}

/** One pass: places of its sequences in the window, and the length that all are padded to. */
export interface Pass {
  readonly places: readonly number[]
  readonly length: number
}

export interface PassSize {
  readonly batchTokens: number
  readonly saelensBatch: number
}

/** Windows of whole SAELens batches with at least a pass's tokens; the last one has what is left. */
export async function* windowsOf<One extends Sequence>(
  sequences: AsyncIterable<One>,
  start: One['next'],
  size: PassSize
): AsyncGenerator<Window<One>, void> {
  let held: One[] = []
  let tokens = 0
  let from = start
  for await (const sequence of sequences) {
    held.push(sequence)
    tokens += sequence.ids.length
    if (held.length % size.saelensBatch !== 0 || tokens < size.batchTokens) continue
    yield { sequences: held, start: from, next: sequence.next }
    from = sequence.next
    held = []
    tokens = 0
  }
  const last = held.at(-1)
  if (last !== undefined) yield { sequences: held, start: from, next: last.next }
}

/** How many places a row may be padded by before it is left to another pass, where it is shorter than half the longest. */
const freePadding = 64

/**
 * The passes of a window, longest sequences first: as many rows each as `batchTokens` has room for, at least one. A sequence that
 * would be little else than padding begins a pass of its own.
 */
export function passesOf(lengths: readonly number[], { batchTokens }: Pick<PassSize, 'batchTokens'>): Pass[] {
  const order = lengths.map((length, place) => ({ length, place })).sort((a, b) => b.length - a.length || a.place - b.place)
  const passes: { places: number[]; length: number }[] = []
  for (const { length, place } of order) {
    const open = passes.at(-1)
    const padding = (open?.length ?? 0) - length
    const fits = open !== undefined && (open.places.length + 1) * open.length <= batchTokens
    if (fits && (padding <= freePadding || 2 * length >= open.length)) open.places.push(place)
    else passes.push({ places: [place], length })
  }
  return passes
}
