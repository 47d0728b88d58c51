/** Reads config.json against a family's schema; every complaint names the file and the field. */
import path from 'node:path'
import type { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'

export class ConfigReader {
  readonly #config: Readonly<Record<string, unknown>>
  readonly #file: string

  constructor(checkpoint: Checkpoint) {
    this.#config = checkpoint.config
    this.#file = path.join(checkpoint.folder, 'config.json')
  }

  #refuse(field: string, problem: string): never {
    throw new SpliceError('checkpoint/config', `${this.#file}: ${field} ${problem}`, {
      file: this.#file,
      field,
      hint: 'The config does not describe a model that this family can run; download the folder again or correct the field.'
    })
  }

  /** The config by a schema. Throws `checkpoint/config` for the first field that does not fit. */
  parse<Schema extends z.ZodType>(schema: Schema): z.infer<Schema> {
    const parsed = schema.safeParse(this.#config)
    if (parsed.success) return parsed.data
    const issue = parsed.error.issues[0]
    const field = issue?.path.join('.') ?? 'config'
    const value = JSON.stringify(field in this.#config ? this.#config[field] : undefined)
    return this.#refuse(field, value === undefined ? 'is missing' : `is ${value.slice(0, 60)}: ${issue?.message ?? 'not valid'}`)
  }

  requireMultiple(field: string, value: number, ofField: string, of: number): void {
    if (value % of !== 0) this.#refuse(field, `is ${value}, which is not a multiple of ${ofField} (${of})`)
  }

  requireLength(field: string, list: readonly unknown[], length: number): void {
    if (list.length !== length) this.#refuse(field, `has ${list.length} entries for ${length} layers`)
  }
}
