/** `splice run`'s arguments as the contract's run request. */
import { resolve } from 'node:path'
import {
  layerOrder,
  type Processing,
  type ProcessingFlag,
  type Prompt,
  processingFlag,
  provider,
  type RunRequest,
  runRequest
} from '../../contract/run.ts'
import { type Arguments, type Grammar, mistake, quoted, readArguments, readChoice, readCount, readDb } from './arguments.ts'
import { readSaeArguments, withNormFactors } from './sae-argument.ts'
import { readSplicePositions, readVariants } from './variants.ts'

export const runGrammar: Grammar = {
  command: 'run',
  flags: ['no-bos', 'json'],
  values: [
    'model',
    'prompt',
    'ids',
    'variants',
    'splice-positions',
    'processing',
    'layer-order',
    'hooks',
    'top-k',
    'top-features',
    'provider',
    'save',
    'db'
  ],
  lists: ['sae', 'sae-norm-factor', 'variant'],
  operand: null,
  operands: 'none'
}

/** What `splice run` was asked to do. */
export interface RunOrder {
  readonly request: RunRequest
  readonly json: boolean
  readonly db: string | undefined
}

/** Reads `splice run`'s arguments; `exists` tells whether a path is there. Throws `cli/usage`. */
export function readRunOrder(argv: readonly string[], exists?: (path: string) => boolean): RunOrder {
  const args = readArguments(argv, runGrammar)
  const model = args.values.get('model')
  if (model === undefined || model === '')
    throw mistake('--model', 'splice run needs a model.', 'Add --model DIR, a Hugging Face model folder.')
  const saes = withNormFactors(readSaeArguments(args.lists.get('sae') ?? [], exists), args.lists.get('sae-norm-factor') ?? [])
  const positions = readSplicePositions(args.values.get('splice-positions'))
  const variants = readVariants(args.values.get('variants'), args.lists.get('variant') ?? [], saes, positions)
  const request = runRequest.parse({
    model: resolve(model),
    saes,
    prompt: readPrompt(args),
    variants,
    processing: readProcessing(args.values.get('processing') ?? 'auto'),
    layerOrder: readChoice('--layer-order', args.values.get('layer-order') ?? 'checkpoint', layerOrder.options),
    topK: readCount('--top-k', args.values.get('top-k') ?? '10', 1, 1000),
    topFeatures: readCount('--top-features', args.values.get('top-features') ?? '5', 0, 1000),
    provider: readChoice('--provider', args.values.get('provider') ?? 'auto', provider.options),
    ...readSave(args)
  })
  return { request, json: args.flags.has('json'), db: readDb(args) }
}

function readPrompt(args: Arguments): Prompt {
  const text = args.values.get('prompt')
  const ids = args.values.get('ids')
  if (text !== undefined && ids !== undefined) throw mistake('--ids', '--prompt and --ids are both given.', 'Give one of them.')
  if (text !== undefined) return { text, prependBos: !args.flags.has('no-bos') }
  if (ids === undefined) throw mistake('--prompt', 'splice run needs a prompt.', 'Add --prompt TEXT or --ids 2,106,108.')
  return { ids: readIds('--ids', ids) }
}

/** Token ids given to an option, joined by commas; none for an empty text. */
export function readIds(option: string, text: string): number[] {
  if (text.trim() === '') return []
  return text.split(',').map(part => {
    const id = /^-?\d+$/.test(part.trim()) ? Number(part) : Number.NaN
    if (Number.isSafeInteger(id)) return id
    throw mistake(
      option,
      `${option}: ${quoted(part)} is not a token id.`,
      `Write whole numbers joined by commas, e.g. ${option} 2,106,108.`
    )
  })
}

/** What `--processing` says. */
export function readProcessing(text: string): Processing {
  if (text === 'auto' || text === 'none' || text === 'all') return text
  const flags = text.split(',').map(part => {
    const flag = processingFlag.safeParse(part.trim())
    if (flag.success) return flag.data
    const hint = `Choose auto, none, all, or some of ${processingFlag.options.join(',')}.`
    throw mistake('--processing', `--processing ${quoted(part)} is unknown.`, hint)
  })
  return [...new Set<ProcessingFlag>(flags)]
}

function readSave(args: Arguments): Pick<RunRequest, 'hooks' | 'save'> {
  const file = args.values.get('save')
  if (file === '') throw mistake('--save', '--save is empty.', 'Give the file to write: --save FILE.safetensors.')
  return { hooks: readHooks(args.values.get('hooks') ?? 'all'), ...(file === undefined ? {} : { save: { file: resolve(file) } }) }
}

function readHooks(hooks: string): RunRequest['hooks'] {
  if (hooks === 'all' || hooks === 'none') return hooks
  const names = hooks.split(',').map(name => name.trim())
  if (names.includes('')) {
    throw mistake('--hooks', `--hooks ${quoted(hooks)} has an empty name.`, 'Write all, none, or hook names joined by commas.')
  }
  return [...new Set(names)]
}
