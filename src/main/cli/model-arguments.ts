/** The options that say what to run: a model, its SAEs, a prompt, variants and how to compute. Commands that run a prompt share them. */
import { resolve } from 'node:path'
import {
  layerOrder,
  type Processing,
  type ProcessingFlag,
  type Prompt,
  precision,
  processingFlag,
  provider,
  type RunRequest
} from '../../contract/run.ts'
import { type Arguments, mistake, quoted, readChoice } from './arguments.ts'
import { withEdits } from './edits.ts'
import { readSaeArguments, withNormFactors } from './sae-argument.ts'
import { readSplicePositions, readVariants } from './variants.ts'

/** The options' names, by what follows them. */
export const modelOptions = {
  flags: ['no-bos'],
  values: ['model', 'prompt', 'ids', 'variants', 'splice-positions', 'processing', 'layer-order', 'provider', 'precision', 'db'],
  lists: ['sae', 'sae-norm-factor', 'variant', 'edit']
} as const

export type ModelArguments = Pick<
  RunRequest,
  'model' | 'saes' | 'prompt' | 'variants' | 'processing' | 'layerOrder' | 'provider' | 'precision'
>

/** Reads them for a command; `exists` tells whether a path is there. Throws `cli/usage`. */
export function readModelArguments(args: Arguments, command: string, exists?: (path: string) => boolean): ModelArguments {
  const model = args.values.get('model')
  if (model === undefined || model === '')
    throw mistake('--model', `splice ${command} needs a model.`, 'Add --model DIR, a Hugging Face model folder.')
  const saes = withNormFactors(readSaeArguments(args.lists.get('sae') ?? [], exists), args.lists.get('sae-norm-factor') ?? [])
  const positions = readSplicePositions(args.values.get('splice-positions'))
  const variants = readVariants(args.values.get('variants'), args.lists.get('variant') ?? [], saes, positions)
  return {
    model: resolve(model),
    saes,
    prompt: readPrompt(args, command),
    variants: withEdits(variants, args.lists.get('edit') ?? [], saes, positions),
    processing: readProcessing(args.values.get('processing') ?? 'auto'),
    layerOrder: readChoice('--layer-order', args.values.get('layer-order') ?? 'checkpoint', layerOrder.options),
    provider: readChoice('--provider', args.values.get('provider') ?? 'auto', provider.options),
    ...readPrecision(args)
  }
}

/** What `--precision` says; nothing where it is left out. */
export function readPrecision(args: Arguments): Pick<RunRequest, 'precision'> {
  const text = args.values.get('precision')
  return text === undefined ? {} : { precision: readChoice('--precision', text, precision.options) }
}

/** The prompt that `--prompt` or `--ids` gives a command. */
export function readPrompt(args: Arguments, command: string): Prompt {
  const text = args.values.get('prompt')
  const ids = args.values.get('ids')
  if (text !== undefined && ids !== undefined) throw mistake('--ids', '--prompt and --ids are both given.', 'Give one of them.')
  if (text !== undefined) return { text, prependBos: !args.flags.has('no-bos') }
  if (ids === undefined) throw mistake('--prompt', `splice ${command} needs a prompt.`, 'Add --prompt TEXT or --ids 2,106,108.')
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

/** What `--processing` says: `auto`, `none`, `all`, or a list of flags. */
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
