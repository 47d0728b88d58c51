/** Continuations while they are written: gathered from the events of a generation, compared, and read as text. */
import type { Ending, GeneratedToken, GenerationEvent, TokenFeatures } from '../../contract/generation.ts'
import type { Token } from '../../contract/run.ts'
import { isNamed } from '../components/token-pieces.ts'
import { finiteOrNull } from './numbers.ts'

/** A continuation as far as it is written; `features[i]` fired at token i, undefined while they are not known. `text` is the engine's, once it is whole. */
export type WrittenContinuation = {
  variant: string
  sample: number
  tokens: readonly GeneratedToken[]
  features: readonly (TokenFeatures | null | undefined)[]
  ending: Ending | null
  text: string | null
}

/** Which token of which continuation. */
export type GeneratedPlace = { variant: string; sample: number; step: number }

/** Gathers what a generation says, in the order of samples and, within, of variants. */
export class ContinuationGatherer {
  readonly #written: (Omit<WrittenContinuation, 'tokens' | 'features'> & { tokens: GeneratedToken[]; features: TokenFeatures[] })[]

  constructor(variants: readonly string[], samples: number) {
    this.#written = Array.from({ length: samples }, (_, sample) =>
      variants.map(variant => ({ variant, sample, tokens: [], features: [], ending: null, text: null }))
    ).flat()
  }

  #find({ variant, sample }: { variant: string; sample: number }) {
    return this.#written.find(written => written.variant === variant && written.sample === sample)
  }

  /** Takes a step's tokens or features. */
  take(event: Extract<GenerationEvent, { type: 'tokens' | 'features' }>): void {
    if (event.type === 'tokens') {
      for (const { token, ending, ...key } of event.tokens) {
        const written = this.#find(key)
        if (written === undefined) continue
        written.tokens[event.step] = token
        written.ending = ending
      }
    } else {
      for (const { features, ...key } of event.features) {
        const written = this.#find(key)
        if (written !== undefined) written.features[event.step] = features
      }
    }
  }

  /** All of it as it is now. */
  written(): WrittenContinuation[] {
    return this.#written.map(continuation => ({ ...continuation, tokens: [...continuation.tokens], features: [...continuation.features] }))
  }
}

/** The first step at which two continuations differ; null where one only goes on longer than the other. */
export function partingStep(one: readonly Pick<Token, 'id'>[], other: readonly Pick<Token, 'id'>[]): number | null {
  const length = Math.min(one.length, other.length)
  for (let step = 0; step < length; step += 1) if (one[step]?.id !== other[step]?.id) return step
  return null
}

/** Mean log-prob (nats) of the tokens that have one; null where none has. */
export function meanLogProb(tokens: readonly Pick<GeneratedToken, 'logProb'>[]): number | null {
  const known = tokens.map(({ logProb }) => finiteOrNull(logProb)).filter(logProb => logProb !== null)
  return known.length === 0 ? null : known.reduce((sum, logProb) => sum + logProb, 0) / known.length
}

/** Tokens as text, bytes put together, special ones left out: for a continuation that was stopped before the engine wrote its text. */
export function textOf(tokens: readonly Token[]): string {
  const encoder = new TextEncoder()
  const bytes = tokens
    .filter(({ special }) => !special)
    .flatMap(token => (isNamed(token) ? [Number.parseInt(token.text.slice(3, 5), 16)] : [...encoder.encode(token.text)]))
  return new TextDecoder().decode(new Uint8Array(bytes))
}

/** Why a continuation ended, in words. */
export function endingInWords(ending: Ending): string {
  return { eos: 'ended its text', length: 'full length', context: "the model's context is full" }[ending]
}
