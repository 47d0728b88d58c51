/** Text to token ids and back, as TransformerLens would: BOS in front where the family has one, never twice. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { Token } from '../../contract/run.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'

const jsonObject = z.record(z.string(), z.unknown())

async function readJson(file: string): Promise<Record<string, unknown>> {
  const problem = (what: string) =>
    new SpliceError('tokenizer/broken', `${file} ${what}`, { file, hint: 'Download the tokenizer files of this model again.' })
  let text: string
  try {
    text = await fs.readFile(file, 'utf8')
  } catch (thrown) {
    throw problem(`cannot be read (${thrown instanceof Error ? thrown.message : String(thrown)})`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw problem('is not JSON')
  }
  const parsed = jsonObject.safeParse(value)
  if (!parsed.success) throw problem('is not a JSON object')
  return parsed.data
}

/** Byte-fallback tokens keep their name: a byte alone is no text. */
const byteToken = /^<0x[0-9A-F]{2}>$/

/** A model's vocabulary. Without a tokenizer.json only ids are understood, and a token's text is its id in brackets. */
export class Vocabulary {
  readonly #tokenizer: Tokenizer | null
  readonly #special: ReadonlySet<number>
  readonly #bosId: number | null
  readonly #folder: string

  private constructor(folder: string, tokenizer: Tokenizer | null, special: ReadonlySet<number>, bosId: number | null) {
    this.#folder = folder
    this.#tokenizer = tokenizer
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
    let tokenizer: Tokenizer
    try {
      tokenizer = new Tokenizer(json, config)
    } catch (thrown) {
      throw new SpliceError(
        'tokenizer/broken',
        `${file} is not a tokenizer: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
        {
          file,
          hint: 'Download the tokenizer files of this model again.'
        }
      )
    }
    for (const [id, added] of tokenizer.get_added_tokens_decoder()) if (added.special) special.add(id)
    return new Vocabulary(checkpoint.folder, tokenizer, special, bosId)
  }

  /** Ids of a text. `bosAdded` is false where the text already starts with BOS. Throws `tokenizer/missing`. */
  encode(text: string, prependBos: boolean): { ids: number[]; bosAdded: boolean } {
    if (this.#tokenizer === null) {
      const file = path.join(this.#folder, 'tokenizer.json')
      throw new SpliceError('tokenizer/missing', `${this.#folder} has no tokenizer.json`, {
        file,
        hint: 'Give token ids instead of text, or put the tokenizer files of this model into the folder.'
      })
    }
    const { ids } = this.#tokenizer.encode(text, { add_special_tokens: false })
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
      all.length === 0
        ? ''
        : tokenizer.decode(
            all.map(token => token.id),
            { skip_special_tokens: false, clean_up_tokenization_spaces: false }
          )
    const [start, whole] = [decode(before), decode([...before, ...tokens])]
    return whole.startsWith(start) ? whole.slice(start.length) : decode(tokens)
  }

  #text(id: number): string {
    const raw = this.#tokenizer?.id_to_token(id)
    if (this.#tokenizer === null || raw === undefined) return `[${id}]`
    if (byteToken.test(raw) || this.#special.has(id)) return raw
    const decoded = this.#tokenizer.decode([id], { skip_special_tokens: false, clean_up_tokenization_spaces: false })
    if (decoded === '' || decoded.includes('\uFFFD')) return raw
    return raw.startsWith('▁') && !decoded.startsWith(' ') ? ` ${decoded}` : decoded
  }
}
