/** The settings of a generation as they are typed, and as the engine takes them. */
import type { GenerationRequest } from '../../contract/generation.ts'

/** Fields by name; an empty one of those that may be is off. */
export type SettingFields = Record<'temperature' | 'topK' | 'topP' | 'frequencyPenalty' | 'maxNewTokens' | 'samples' | 'seed', string>
export type SettingName = keyof SettingFields

export const mostSeed = 2 ** 31 - 1

type Rule = { label: string; meaning: string; whole: boolean; least: number; most: number; mayBeOff?: true; isAbove?: true }

/** What each may be; the contract's bounds. */
export const settingRules: Record<SettingName, Rule> = {
  temperature: {
    label: 'temperature',
    meaning: 'divides the logits; 0 takes the most probable token, whatever the other settings say',
    ...{ whole: false, least: 0, most: 100 }
  },
  topK: { label: 'top-k', meaning: 'only the k largest logits; empty: all', whole: true, least: 1, most: 10_000_000, mayBeOff: true },
  topP: {
    label: 'top-p',
    meaning: 'only the most probable tokens until their probabilities exceed p; empty: all',
    ...{ whole: false, least: 0, most: 1, isAbove: true, mayBeOff: true }
  },
  frequencyPenalty: {
    label: 'freq. penalty',
    meaning: 'taken off a token for each time it stands in the text so far',
    ...{ whole: false, least: -100, most: 100 }
  },
  maxNewTokens: { label: 'new tokens', meaning: 'at most', whole: true, least: 1, most: 100_000 },
  samples: { label: 'samples', meaning: 'continuations of each variant', whole: true, least: 1, most: 64 },
  seed: {
    label: 'seed',
    meaning: 'the same random numbers in every variant, and again with the same seed',
    whole: true,
    least: 0,
    most: mostSeed
  }
}

export const settingNames = Object.keys(settingRules) as SettingName[]

export type GenerationSettings = Pick<GenerationRequest, 'sampling' | 'maxNewTokens' | 'samples'> & { seed: number }

function read(text: string, { whole, least, most, mayBeOff, isAbove }: Rule): number | null | { mistake: string } {
  const trimmed = text.trim()
  if (trimmed === '' && mayBeOff) return null
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : Number.NaN
  const isInside = value <= most && (isAbove ? value > least : value >= least)
  if (isInside && (!whole || Number.isInteger(value))) return value
  const range = isAbove ? `above ${least}, at most ${most}` : `${least} to ${most}`
  return { mistake: `${whole ? 'a whole number' : 'a number'}, ${range}${mayBeOff ? ', or empty' : ''}` }
}

/** The settings, or what each field that is wrong has to be. */
export function parseSettings(fields: SettingFields): {
  settings: GenerationSettings | null
  mistakes: Partial<Record<SettingName, string>>
} {
  const mistakes: Partial<Record<SettingName, string>> = {}
  const numberOf = (name: SettingName): number | null => {
    const value = read(fields[name], settingRules[name])
    if (value === null || typeof value === 'number') return value
    mistakes[name] = value.mistake
    return null
  }
  const [temperature, topK, topP, frequencyPenalty] = [
    numberOf('temperature'),
    numberOf('topK'),
    numberOf('topP'),
    numberOf('frequencyPenalty')
  ]
  const [maxNewTokens, samples, seed] = [numberOf('maxNewTokens'), numberOf('samples'), numberOf('seed')]
  if (temperature === null || frequencyPenalty === null || maxNewTokens === null || samples === null || seed === null) {
    return { settings: null, mistakes }
  }
  if (Object.keys(mistakes).length > 0) return { settings: null, mistakes }
  return { settings: { sampling: { temperature, topK, topP, frequencyPenalty }, maxNewTokens, samples, seed }, mistakes }
}
