/**
 * A corpus as sequences of token ids, in order. Documents of a text are joined as SAELens's ActivationsStore joins them
 * (`sae_lens/tokenization_and_batching.py`): BOS in front of each sequence and between documents, never twice, cut to the
 * context; unlike there, the last sequence is kept where it is shorter. Or each document begins a sequence of its own.
 */
import { SpliceError } from '../../contract/errors.ts'
import type { Corpus } from '../../contract/evaluation.ts'
import { idArrays } from './id-arrays.ts'
import { jsonLinePieces, linePieces, type Piece, type PiecePlace } from './text-pieces.ts'

/** A place between two sequences: from here the rest of a corpus can be read. `token` counts within the piece. */
export interface Cursor extends PiecePlace {
  readonly token: number
}

export const beginning: Cursor = { offset: 0, line: 1, piece: 0, token: 0 }

export interface Sequence {
  readonly ids: readonly number[]
  /** Ids behind these that did not fit the context and are left out. */
  readonly leftOut: number
  /** Where the next sequence begins. */
  readonly next: Cursor
  /** How far into the file it reaches, in bytes. */
  readonly readTo: number
}

/** How text becomes ids; `bos` is null where nothing stands before a sequence. */
export interface CorpusTokenizer {
  readonly encode: (text: string) => readonly number[]
  readonly bos: number | null
}

/** A piece's tokens: of one that a space began to be cut off from the former, those of a text that goes on. */
class PieceTokens {
  readonly #encode: CorpusTokenizer['encode']
  /** Whether the tokenizer puts a space before whatever it is given, which a piece that begins with one has already. */
  readonly #addsSpace: boolean

  constructor({ encode }: CorpusTokenizer) {
    this.#encode = encode
    const [first, second, ...more] = encode('a a')
    this.#addsSpace = first !== undefined && first === second && more.length === 0
  }

  of({ text, followsCut }: Piece): readonly number[] {
    if (text === '') return []
    return this.#encode(followsCut && this.#addsSpace ? text.slice(1) : text)
  }
}

/** Fills sequences up to the context and hands each out when it is full. */
class SequencePacker {
  readonly #context: number
  readonly #bos: number | null
  #ids: number[] = []

  constructor(context: number, bos: number | null) {
    this.#context = context
    this.#bos = bos
  }

  get isEmpty(): boolean {
    return this.#ids.length === 0
  }

  /** What goes in front of tokens that begin a sequence or a document. */
  #prefix(first: number | undefined, startsDocument: boolean): number[] {
    const isDue = this.isEmpty || startsDocument
    return isDue && this.#bos !== null && first !== this.#bos ? [this.#bos] : []
  }

  /** Adds tokens from `from` on; yields full sequences with how many tokens are used by then. */
  *add(tokens: readonly number[], from: number, startsDocument: boolean): Generator<{ ids: number[]; used: number }, void> {
    let used = from
    while (used < tokens.length) {
      const prefix = this.#prefix(tokens[used], startsDocument && used === 0)
      this.#ids.push(...prefix.slice(0, this.#context - this.#ids.length))
      const room = this.#context - this.#ids.length
      for (const id of tokens.slice(used, used + room)) this.#ids.push(id)
      used = Math.min(tokens.length, used + room)
      if (this.#ids.length === this.#context) yield { ids: this.flush(), used }
    }
  }

  /** What is left. */
  flush(): number[] {
    const ids = this.#ids
    this.#ids = []
    return ids
  }
}

async function* textSequences(
  corpus: Extract<Corpus, { kind: 'text' }>,
  context: number,
  tokenizer: CorpusTokenizer,
  from: Cursor
): AsyncGenerator<Sequence, void> {
  const pieces = /\.(jsonl|ndjson)$/i.test(corpus.file) ? jsonLinePieces : linePieces
  const tokensOf = new PieceTokens(tokenizer)
  const packer = new SequencePacker(context, tokenizer.bos)
  let end: { next: Cursor; readTo: number } = { next: from, readTo: from.offset }
  for await (const piece of pieces(corpus.file, from)) {
    const { offset, line, readTo } = piece
    const isResumed = offset === from.offset && line === from.line
    if (isResumed && piece.piece < from.piece) continue
    const tokens = tokensOf.of(piece)
    const start = isResumed && piece.piece === from.piece ? from.token : 0
    for (const { ids, used } of packer.add(tokens, start, piece.piece === 0)) {
      yield { ids, leftOut: 0, next: { offset, line, piece: piece.piece, token: used }, readTo }
    }
    end = { next: { offset, line, piece: piece.piece, token: tokens.length }, readTo }
    if (corpus.documents === 'apart' && piece.endsDocument && !packer.isEmpty) yield { ids: packer.flush(), leftOut: 0, ...end }
  }
  if (!packer.isEmpty) yield { ids: packer.flush(), leftOut: 0, ...end }
}

async function* idSequences(file: string, context: number, from: Cursor): AsyncGenerator<Sequence, void> {
  for await (const { ids, leftOut, index, next } of idArrays(file, context, { offset: from.offset, index: from.line - 1 })) {
    yield { ids, leftOut, next: { offset: next, line: index + 2, piece: 0, token: 0 }, readTo: next }
  }
}

/**
 * The sequences of a corpus behind a cursor, none longer than `context`. Throws what is wrong with the file: `corpus/ids`,
 * `corpus/not-utf8`, `corpus/json-line`, `file/unreadable`; and `corpus/empty` where there is nothing in it.
 */
export async function* readSequences(
  corpus: Corpus,
  context: number,
  tokenizer: CorpusTokenizer,
  from: Cursor
): AsyncGenerator<Sequence, void> {
  const sequences = corpus.kind === 'ids' ? idSequences(corpus.file, context, from) : textSequences(corpus, context, tokenizer, from)
  let isEmpty = from.offset === 0 && from.piece === 0 && from.token === 0
  for await (const sequence of sequences) {
    isEmpty = false
    yield sequence
  }
  if (!isEmpty) return
  throw new SpliceError('corpus/empty', `nothing is in ${corpus.file}`, {
    file: corpus.file,
    hint: corpus.kind === 'ids' ? 'Give at least one array of token ids.' : 'Give a text with at least one line.'
  })
}
