/**
 * The frequencies of rotary embeddings as config.json gives them: `rope_theta` with `rope_scaling`, or, since transformers 5,
 * both in `rope_parameters`. Types as in transformers' modeling_rope_utils.py; those whose frequencies depend on the prompt's
 * length or on tables of factors (dynamic, yarn, longrope) are refused by the schema.
 */
import { z } from 'zod'
import type { ConfigReader } from './config.ts'

/** No model has heads of more than 512 features; the tensors that would show a false number are looked at later. */
const widestHead = 65_536

const positive = z.number().positive()
const ropeType = z.enum(['default', 'linear', 'llama3'])

/** One set of rotary parameters. `type` is the older name of `rope_type`. An unknown field is refused. */
export const ropeParameters = z.strictObject({
  rope_type: ropeType.nullish(),
  type: ropeType.nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: z.number().min(0).max(1).nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: z.int().positive().nullish()
})
export type RopeParameters = z.infer<typeof ropeParameters>

/** The fields of a config with one set for all layers. */
export const ropeFields = {
  rope_theta: positive.nullish(),
  rope_scaling: ropeParameters.nullish(),
  rope_parameters: ropeParameters.nullish(),
  partial_rotary_factor: z.number().min(0).max(1).nullish(),
  original_max_position_embeddings: z.int().positive().nullish()
}

/** Those fields as parsed; `rope_scaling` goes before `rope_parameters`, as in transformers. */
export interface RopeConfig {
  readonly rope_theta?: number | null
  readonly rope_scaling?: RopeParameters | null
  readonly rope_parameters?: RopeParameters | null
  readonly partial_rotary_factor?: number | null
  readonly original_max_position_embeddings?: number | null
  readonly max_position_embeddings: number
}

export interface RopeDefaults {
  readonly theta: number
  /** Which part of a head turns. Null where a family turns all of it and knows no other way. */
  readonly partialFactor: number | null
}

/** Radians a position for each pair of features that turns. Throws `checkpoint/config` naming what is missing or unsupported. */
export function ropeFrequencies(reader: ConfigReader, config: RopeConfig, dHead: number, defaults: RopeDefaults): number[] {
  const field = isSet(config.rope_scaling) ? 'rope_scaling' : 'rope_parameters'
  const parameters = config[field] ?? {}
  const partial = parameters.partial_rotary_factor ?? config.partial_rotary_factor ?? defaults.partialFactor ?? 1
  if (defaults.partialFactor === null && partial !== 1)
    reader.refuse('partial_rotary_factor', `is ${partial}, but heads of this family turn whole`)
  if (dHead > widestHead) reader.refuse('head_dim', `is ${dHead}, wider than any head`)
  // An odd number of features is rounded up to pairs, as transformers does.
  const dims = Math.floor(dHead * partial)
  const theta = parameters.rope_theta ?? config.rope_theta ?? defaults.theta
  const plain = Array.from({ length: Math.ceil(dims / 2) }, (_, pair) => theta ** ((-2 * pair) / dims))

  const need = (name: 'factor' | 'low_freq_factor' | 'high_freq_factor') =>
    parameters[name] ?? reader.refuse(`${field}.${name}`, 'is missing')
  switch (parameters.rope_type ?? parameters.type ?? 'default') {
    case 'default':
      return plain
    case 'linear':
      return plain.map(frequency => frequency / need('factor'))
    case 'llama3': {
      const original = config.original_max_position_embeddings ?? parameters.original_max_position_embeddings
      const stretch = { factor: need('factor'), low: need('low_freq_factor'), high: need('high_freq_factor') }
      return plain.map(frequency => llama3Frequency(frequency, { ...stretch, original: original ?? config.max_position_embeddings }))
    }
  }
}

function isSet(parameters: RopeParameters | null | undefined): boolean {
  return parameters !== null && parameters !== undefined && Object.keys(parameters).length > 0
}

/** Llama 3.1: long wavelengths are slowed down by `factor`, short ones not at all, those between in part. */
function llama3Frequency(frequency: number, stretch: Record<'factor' | 'low' | 'high' | 'original', number>): number {
  const { factor, low, high, original } = stretch
  const turns = (original * frequency) / (2 * Math.PI)
  if (turns > high) return frequency
  if (turns < low) return frequency / factor
  const smooth = (turns - low) / (high - low)
  return ((1 - smooth) * frequency) / factor + smooth * frequency
}
