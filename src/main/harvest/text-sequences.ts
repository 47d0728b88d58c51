/** Several files as one corpus: their sequences behind each other, up to a number of tokens. */
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { Corpus } from '../../contract/evaluation.ts'
import { beginning, type CorpusTokenizer, type Cursor, readSequences, type Sequence } from '../corpus/sequences.ts'

/** A place between two sequences of a corpus of files. */
export const textCursor = z.object({ file: z.int(), offset: z.int(), line: z.int(), piece: z.int(), token: z.int() })
export type TextCursor = z.infer<typeof textCursor>

export const firstCursor: TextCursor = { file: 0, ...beginning }

/** A sequence of one of the files. `number` counts them from zero; `readTo` is how far into all files it reaches, in bytes. */
export interface TextSequence extends Sequence {
  readonly number: number
  readonly next: TextCursor
}

/** How files are read. */
export interface TextReading {
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  readonly documents: 'joined' | 'apart'
  readonly context: number
  readonly tokenizer: CorpusTokenizer
  /** Throws for an id that is not in the vocabulary. */
  readonly checkIds: (ids: readonly number[], file: string, sequence: number) => void
}

function corpusOf(file: string, { documents, tokenizer }: TextReading): Corpus {
  if (/\.json$/i.test(file)) return { kind: 'ids', file }
  return { kind: 'text', file, documents, prependBos: tokenizer.bos !== null }
}

async function* sequencesOf(corpus: Corpus, reading: TextReading, from: Cursor): AsyncGenerator<Sequence, void> {
  try {
    yield* readSequences(corpus, reading.context, reading.tokenizer, from)
  } catch (thrown) {
    // A file may be empty where others are not.
    if (!(thrown instanceof SpliceError && thrown.kind === 'corpus/empty' && reading.files.length > 1)) throw thrown
  }
}

/**
 * Sequences from a place on, `before` of them and `tokens` of their tokens being behind it; the last one is cut so that there are `most`
 * tokens in all. Throws what is wrong with a file, `harvest/no-text` where all are empty.
 */
export async function* readTexts(
  reading: TextReading,
  from: TextCursor,
  { before, tokens, most }: { readonly before: number; readonly tokens: number; readonly most: number }
): AsyncGenerator<TextSequence, void> {
  let number = before
  let left = most - tokens
  let bytes = reading.files.slice(0, from.file).reduce((sum, file) => sum + file.bytes, 0)
  for (let file = from.file; file < reading.files.length && left > 0; file++) {
    const { path = '', bytes: size = 0 } = reading.files[file] ?? {}
    let inFile = 0
    for await (const sequence of sequencesOf(corpusOf(path, reading), reading, file === from.file ? from : beginning)) {
      inFile += 1
      reading.checkIds(sequence.ids, path, inFile)
      const ids = sequence.ids.slice(0, left)
      left -= ids.length
      yield { ...sequence, ids, number, next: { file, ...sequence.next }, readTo: bytes + sequence.readTo }
      number += 1
      if (left === 0) return
    }
    bytes += size
  }
  if (number > 0) return
  throw new SpliceError('harvest/no-text', 'there is no text in any of the files', { field: 'texts', hint: 'Name files with some text.' })
}
