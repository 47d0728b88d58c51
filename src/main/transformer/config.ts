/** Reads config.json against a family's schema; every complaint names the file and the field. */
import path from 'node:path'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'

export const size = z.int().positive()

/** Fields of any family that change the numbers in a way that none here computes: refused unless absent, null, false or empty. */
const unsupported = [
  'quantization_config',
  'compression_config',
  'use_bidirectional_attention',
  'use_mrope',
  'add_cross_attention',
  'is_encoder_decoder',
  'pruned_heads'
]

function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

const tokenId = z.int().nullish()
const tokenIds = z.union([z.int(), z.array(z.int())]).nullish()

/** The fields that name special tokens, with a family's defaults. */
export function tokenFields(defaults: { bos: number | null; eos: number | null; pad: number | null }) {
  return {
    bos_token_id: tokenId.default(defaults.bos),
    eos_token_id: tokenIds.default(defaults.eos),
    pad_token_id: tokenId.default(defaults.pad)
  }
}

export interface TokenIds {
  readonly bos_token_id?: number | null
  readonly eos_token_id?: number | number[] | null
  readonly pad_token_id?: number | null
}

/** All special token ids of a config, which of them starts a prompt and which end a text. Old configs say -1 for none. */
export function specialTokens(config: TokenIds): { specialIds: number[]; bosId: number | null; eosIds: number[] } {
  const isThere = (id: number | null | undefined): id is number => id !== null && id !== undefined && id >= 0
  const ids = [config.bos_token_id, config.pad_token_id, config.eos_token_id].flat().filter(isThere)
  const eosIds = [config.eos_token_id].flat().filter(isThere)
  return { specialIds: [...new Set(ids)], bosId: isThere(config.bos_token_id) ? config.bos_token_id : null, eosIds }
}

const section = z.record(z.string(), z.unknown())

export class ConfigReader {
  readonly #config: Readonly<Record<string, unknown>>
  readonly #file: string
  readonly #inside: string

  private constructor(config: Readonly<Record<string, unknown>>, file: string, inside: string) {
    this.#config = config
    this.#file = file
    this.#inside = inside
  }

  static of(checkpoint: Checkpoint): ConfigReader {
    return new ConfigReader(checkpoint.config, path.join(checkpoint.folder, 'config.json'), '')
  }

  /** An object inside the config, such as `text_config`; an empty one where it is not there. */
  section(field: string): ConfigReader {
    const parsed = section.safeParse(this.#config[field] ?? {})
    if (!parsed.success) this.refuse(field, 'is not an object')
    return new ConfigReader(parsed.data, this.#file, `${this.#inside}${field}.`)
  }

  /** Throws `checkpoint/config` naming the file and the field. */
  refuse(field: string, problem: string): never {
    throw new SpliceError('checkpoint/config', `${this.#file}: ${this.#inside}${field} ${problem}`, {
      file: this.#file,
      field: this.#inside + field,
      hint: 'The config does not describe a model that this family can run; download the folder again or correct the field.'
    })
  }

  /** The config by a schema. Throws `checkpoint/config` for the first field that does not fit or that Splice cannot honour. */
  parse<Schema extends z.ZodType>(schema: Schema): z.infer<Schema> {
    const foreign = unsupported.find(field => !isUnset(this.#config[field]))
    if (foreign !== undefined) this.refuse(foreign, 'is set, and Splice cannot run such a model')
    const parsed = schema.safeParse(this.#config)
    if (parsed.success) return parsed.data
    const issue = parsed.error.issues[0]
    const field = issue?.path.join('.') ?? 'config'
    if (issue?.code === 'unrecognized_keys') this.refuse([...issue.path, issue.keys[0]].join('.'), 'is not supported')
    const value = JSON.stringify(valueAt(this.#config, issue?.path ?? []))
    return this.refuse(field, value === undefined ? 'is missing' : `is ${value.slice(0, 60)}: ${issue?.message ?? 'not valid'}`)
  }

  requireMultiple(field: string, value: number, ofField: string, of: number): void {
    if (value % of !== 0) this.refuse(field, `is ${value}, which is not a multiple of ${ofField} (${of})`)
  }

  requireLength(field: string, list: readonly unknown[], length: number): void {
    if (list.length !== length) this.refuse(field, `has ${list.length} entries for ${length} layers`)
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inside, key) => {
    if (Array.isArray(inside)) return inside[Number(key)]
    return section.safeParse(inside).data?.[String(key)]
  }, value)
}
