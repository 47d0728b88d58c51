/** `splice generate`'s arguments as the contract's request. */
import { type GenerationRequest, generationRequest } from '../../contract/generation.ts'
import { type Grammar, readArguments, readCount, readDb, readNumber } from './arguments.ts'
import { modelOptions, readModelArguments } from './model-arguments.ts'

const grammar: Grammar = {
  command: 'generate',
  flags: [...modelOptions.flags, 'no-stop-at-eos', 'json'],
  values: [
    ...modelOptions.values,
    'max-new-tokens',
    'temperature',
    'top-k',
    'top-p',
    'frequency-penalty',
    'samples',
    'seed',
    'top-features'
  ],
  lists: modelOptions.lists,
  operand: null,
  operands: 'none'
}

export interface GenerationOrder {
  readonly request: GenerationRequest
  readonly json: boolean
  readonly db: string | undefined
}

/** Reads the arguments; `exists` tells whether a path is there. Throws `cli/usage`. */
export function readGenerationOrder(argv: readonly string[], exists?: (path: string) => boolean): GenerationOrder {
  const args = readArguments(argv, grammar)
  const optional = <Value>(name: string, read: (option: string, text: string) => Value): Value | undefined => {
    const text = args.values.get(name)
    return text === undefined ? undefined : read(`--${name}`, text)
  }
  const request = generationRequest.parse({
    ...readModelArguments(args, 'generate', exists),
    sampling: {
      temperature: optional('temperature', (option, text) => readNumber(option, text, 0, 100)),
      topK: optional('top-k', (option, text) => readCount(option, text, 1, 1_000_000)),
      topP: optional('top-p', (option, text) => readNumber(option, text, 1e-9, 1)),
      frequencyPenalty: optional('frequency-penalty', (option, text) => readNumber(option, text, -100, 100))
    },
    maxNewTokens: optional('max-new-tokens', (option, text) => readCount(option, text, 1, 100_000)),
    samples: optional('samples', (option, text) => readCount(option, text, 1, 64)),
    seed: optional('seed', (option, text) => readCount(option, text, 0, 2 ** 31 - 1)),
    topFeatures: optional('top-features', (option, text) => readCount(option, text, 0, 100)) ?? 0,
    stopAtEos: !args.flags.has('no-stop-at-eos')
  })
  return { request, json: args.flags.has('json'), db: readDb(args) }
}
