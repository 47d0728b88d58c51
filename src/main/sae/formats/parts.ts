/** Takes an SAE's parts from its files: tensors by name and shape, config fields by a schema. What does not fit is refused by name. */
import path from 'node:path'
import type { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import { transposed, type WeightEntry, type WeightFile } from '../../checkpoint/weight-file.ts'
import type { ConfigFile, SaePlace } from '../place.ts'

const again = 'Download the SAE again.'

function shown(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}

/** The tensors of a weights file. */
export class Tensors {
  readonly #weights: WeightFile
  readonly #taken = new Set<string>()
  /** The first matrix, for messages. */
  #measure = ''

  constructor(weights: WeightFile) {
    this.#weights = weights
  }

  #refuse(what: string, name: string, problem: string): never {
    const file = this.#weights.path
    throw new SpliceError(`sae/${what}`, `${file}: ${problem}`, { file, field: name, hint: again })
  }

  has(name: string): boolean {
    return this.#weights.entries.has(name)
  }

  /** The first of these names that is there. */
  #find(names: readonly string[]): WeightEntry {
    const name = names.find(candidate => this.has(candidate))
    const entry = name === undefined ? undefined : this.#weights.entries.get(name)
    const wanted = names[0] ?? ''
    if (entry === undefined) return this.#refuse('tensor-missing', wanted, `there is no tensor ${wanted}`)
    if (!/^B?F/.test(entry.dtype)) return this.#refuse('dtype', entry.name, `${entry.name} holds ${entry.dtype}, where floats belong`)
    this.#taken.add(entry.name)
    return entry
  }

  /** A matrix of any size; the first one is what messages compare others with. */
  matrix(...names: string[]): { entry: WeightEntry; rows: number; columns: number } {
    const entry = this.#find(names)
    const [rows = 0, columns = 0] = entry.shape
    if (entry.shape.length !== 2 || rows === 0 || columns === 0) {
      this.#refuse('shape', entry.name, `${entry.name} has the shape ${shown(entry.shape)} where a matrix belongs`)
    }
    if (this.#measure === '') this.#measure = `${entry.name} is ${shown(entry.shape)}`
    return { entry, rows, columns }
  }

  /** A tensor of exactly this shape. */
  of(shape: readonly number[], ...names: string[]): WeightEntry {
    const entry = this.#find(names)
    if (entry.shape.join() !== shape.join()) {
      const because = this.#measure === '' ? '' : `, but ${this.#measure}`
      this.#refuse('shape', entry.name, `${entry.name} is ${shown(entry.shape)}${because}, so it should be ${shown(shape)}`)
    }
    return entry
  }

  /** A matrix that is stored as `shape` and used the other way round. */
  transposedOf(shape: readonly [number, number], ...names: string[]): WeightEntry {
    return transposed(this.of(shape, ...names))
  }

  /** A tensor of exactly this shape, or null where none of the names is there. */
  maybe(shape: readonly number[], ...names: string[]): WeightEntry | null {
    return names.some(name => this.has(name)) ? this.of(shape, ...names) : null
  }

  /** Marks a tensor as known where nothing is computed from it. */
  pass(...names: string[]): void {
    for (const name of names) this.#taken.add(name)
  }

  /** Throws `sae/tensor-unknown` for a tensor that nothing took: it would change the numbers of whoever knows it. */
  finish(what: string): void {
    const left = [...this.#weights.entries.keys()].find(name => !this.#taken.has(name))
    if (left !== undefined) this.#refuse('tensor-unknown', left, `holds the tensor ${left}, which ${what} does not have`)
  }

  /** Throws `sae/size` where a config states another size than the tensors have. */
  claim(config: ConfigFile, field: string, stated: number | null | undefined, actual: number): void {
    if (stated === null || stated === undefined || stated === actual) return
    throw new SpliceError(
      'sae/size',
      `${config.file} says ${field} ${stated}, but ${this.#measure} in ${path.basename(this.#weights.path)}`,
      {
        file: config.file,
        field,
        hint: 'Config and weights belong to different SAEs.'
      }
    )
  }
}

/** A config by a schema. Throws `sae/config` naming the file and the first field that does not fit. */
export function parseConfig<Schema extends z.ZodType>(config: ConfigFile, schema: Schema): z.infer<Schema> {
  const parsed = schema.safeParse(config.value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path.join('.') ?? ''
  const value = issue?.path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    config.value
  )
  const problem = value === undefined ? 'is missing' : `is ${JSON.stringify(value)?.slice(0, 60)}: ${issue?.message ?? 'not valid'}`
  return refuseField(config, field, problem)
}

/** Refuses a field of a config. */
export function refuseField(config: ConfigFile, field: string, problem: string, hint = again): never {
  throw new SpliceError('sae/config', `${config.file}: ${field} ${problem}`, { file: config.file, field, hint })
}

/** A config that has to be there. Throws `sae/config-missing` naming it. */
export async function requireConfig(place: SaePlace, ...names: string[]): Promise<ConfigFile> {
  for (const name of names) {
    const config = await place.config(name)
    if (config !== null) return config
  }
  const [wanted = ''] = names
  throw new SpliceError('sae/config-missing', `${place.folder} lacks ${names.join(' or ')}, which says what these weights are`, {
    file: path.join(place.folder, wanted),
    hint: `Download ${wanted} beside the weights.`
  })
}

/** A config whose first of these names is there, or null. */
export async function firstConfig(place: SaePlace, ...names: string[]): Promise<ConfigFile | null> {
  for (const name of names) {
    const config = await place.config(name)
    if (config !== null) return config
  }
  return null
}
