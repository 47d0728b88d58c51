/** Text to token ids and back, as TransformerLens would: BOS in front where the family has one, never twice. */
import path from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { Token } from '../../contract/run.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { type JsonBounds, parseJson, whyNoJson } from '../checkpoint/json.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'
import { withinTime } from '../checkpoint/time-limit.ts'

/** The largest tokenizer known has 35 MB. */
const maximumBytes = 64 * 1024 * 1024
/** A vocabulary of 262,000 tokens and as many pairs of pieces that are merged into them make two million. */
const bounds: JsonBounds = { depth: 100, values: 3_000_000 }

const jsonObject = z.record(z.string(), z.unknown())

async function readJson(file: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readText(file, maximumBytes)
  } catch (thrown) {
    throw broken(file, whyUnreadable(thrown))
  }
  let value: unknown
  try {
    value = parseJson(text, bounds)
  } catch (thrown) {
    throw broken(file, whyNoJson(thrown))
  }
  const parsed = jsonObject.safeParse(value)
  if (!parsed.success) throw broken(file, 'is not a JSON object')
  return parsed.data
}

/** How long a tokenizer may take to be made of its files, and a text to be split, with each of its characters beside; ms. */
const makingPatience = 20_000
const patience = 3000
const patienceByCharacter = 0.1
const decoders = z.looseObject({ decoder: z.unknown() })

/** Whether text of a token is made without patterns of the file's own. */
function decodesPlainly(json: Record<string, unknown>): boolean {
  return !JSON.stringify(decoders.parse(json).decoder ?? null).includes('"Regex"')
}

function broken(file: string, problem: string): SpliceError {
  return new SpliceError('tokenizer/broken', `${file} ${problem}`, { file, hint: 'Download the tokenizer files of this model again.' })
}

/**
 * What the tokenizer's library gives. It checks nothing of the files that it is made of: whatever it throws is their fault, and what
 * it warns of are pieces of them.
 */
function trying<Result>(file: string, problem: string, limitMs: number | null, work: () => Result): Result {
  const { warn } = console
  console.warn = () => undefined
  try {
    return limitMs === null ? work() : withinTime(limitMs, work)
  } catch (thrown) {
    throw broken(file, `${problem} (${thrown instanceof Error ? thrown.message : String(thrown)})`)
  } finally {
    console.warn = warn
  }
}

/** Byte-fallback tokens keep their name: a byte alone is no text. */
const byteToken = /^<0x[0-9A-F]{2}>$/

/** A model's vocabulary. Without a tokenizer.json only ids are understood, and a token's text is its id in brackets. */
export class Vocabulary {
  readonly #tokenizer: Tokenizer | null
  readonly #special: ReadonlySet<number>
  readonly #bosId: number | null
  readonly #folder: string
  readonly #decodesPlainly: boolean

  private constructor(folder: string, tokenizer: Tokenizer | null, special: ReadonlySet<number>, bosId: number | null, isPlain = true) {
    this.#folder = folder
    this.#tokenizer = tokenizer
    this.#decodesPlainly = isPlain
    this.#special = special
    this.#bosId = bosId
  }

  /** Reads the folder's tokenizer, if it has one. Throws `tokenizer/broken` naming the file. */
  static async open(checkpoint: Checkpoint, specialIds: readonly number[], bosId: number | null): Promise<Vocabulary> {
    const special = new Set(specialIds)
    const file = checkpoint.tokenizerFile
    if (file === null) return new Vocabulary(checkpoint.folder, null, special, bosId)
    const json = await readJson(file)
    const config = checkpoint.tokenizerConfigFile === null ? {} : await readJson(checkpoint.tokenizerConfigFile)
    const tokenizer = trying(file, 'is not a tokenizer', makingPatience, () => {
      const made = new Tokenizer(json, config)
      for (const [id, added] of made.get_added_tokens_decoder()) if (added.special) special.add(id)
      return made
    })
    return new Vocabulary(checkpoint.folder, tokenizer, special, bosId, decodesPlainly(json))
  }

  /** Ids of a text. `bosAdded` is false where the text already starts with BOS. Throws `tokenizer/missing`, `tokenizer/broken`. */
  encode(text: string, prependBos: boolean): { ids: number[]; bosAdded: boolean } {
    const file = path.join(this.#folder, 'tokenizer.json')
    const tokenizer = this.#tokenizer
    if (tokenizer === null) {
      throw new SpliceError('tokenizer/missing', `${this.#folder} has no tokenizer.json`, {
        file,
        hint: 'Give token ids instead of text, or put the tokenizer files of this model into the folder.'
      })
    }
    const limit = patience + patienceByCharacter * text.length
    const { ids } = trying(file, 'cannot split this text', limit, () => tokenizer.encode(text, { add_special_tokens: false }))
    const wrong = ids.find(id => !Number.isSafeInteger(id) || id < 0)
    if (wrong !== undefined) throw broken(file, `gives a piece of this text the id ${String(wrong)}`)
    const bosAdded = prependBos && this.#bosId !== null && ids[0] !== this.#bosId
    return { ids: bosAdded && this.#bosId !== null ? [this.#bosId, ...ids] : ids, bosAdded }
  }

  /** What stands before a text; null where the family has nothing there. */
  get bosId(): number | null {
    return this.#bosId
  }

  /** The ids of special tokens. */
  get specialIds(): readonly number[] {
    return [...this.#special].sort((a, b) => a - b)
  }

  /** A token id with its text, leading space included. */
  token(id: number): Token {
    return { id, text: this.#text(id), special: this.#special.has(id) }
  }

  /** The text of tokens that follow others: what they add to it, spaces included. Without a tokenizer, ids in brackets. */
  continuationText(before: readonly Token[], tokens: readonly Token[]): string {
    const tokenizer = this.#tokenizer
    if (tokenizer === null || tokens.length === 0) return tokens.map(token => token.text).join('')
    const decode = (all: readonly Token[]) =>
      this.#decode(
        tokenizer,
        all.map(token => token.id)
      )
    const [start, whole] = [decode(before), decode([...before, ...tokens])]
    return whole.startsWith(start) ? whole.slice(start.length) : decode(tokens)
  }

  #decode(tokenizer: Tokenizer, ids: readonly number[]): string {
    if (ids.length === 0) return ''
    const decode = () => tokenizer.decode([...ids], { skip_special_tokens: false, clean_up_tokenization_spaces: false })
    const file = path.join(this.#folder, 'tokenizer.json')
    const text = trying(file, 'cannot write the text of a token', this.#decodesPlainly ? null : patience, decode)
    if (typeof text !== 'string') throw broken(file, 'writes what is no text for a token')
    return text
  }

  #text(id: number): string {
    const tokenizer = this.#tokenizer
    const raw: unknown = tokenizer?.id_to_token(id)
    if (tokenizer === null || typeof raw !== 'string') return `[${id}]`
    if (byteToken.test(raw) || this.#special.has(id)) return raw
    const decoded = this.#decode(tokenizer, [id])
    if (decoded === '' || decoded.includes('\uFFFD')) return raw
    return raw.startsWith('▁') && !decoded.startsWith(' ') ? ` ${decoded}` : decoded
  }
}
