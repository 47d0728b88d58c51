/** `splice attribute`'s arguments as the contract's request. */
import { resolve } from 'node:path'
import { type AttributionRequest, attributionRequest } from '../../contract/attribution.ts'
import { layerOrder, provider, type RunRequest, runRequest } from '../../contract/run.ts'
import { type Grammar, mistake, quoted, readArguments, readChoice, readCount, readDb } from './arguments.ts'
import { readIds, readPrecision, readProcessing, readPrompt } from './model-arguments.ts'
import { readSaeArguments, withNormFactors } from './sae-argument.ts'
import { readTarget } from './target.ts'
import { readSplicePositions } from './variants.ts'

const grammar: Grammar = {
  command: 'attribute',
  flags: ['no-bos', 'no-error-term', 'each-position', 'special-tokens', 'no-history', 'json'],
  values: [
    ...['model', 'sae', 'sae-norm-factor', 'prompt', 'ids', 'target', 'top', 'features', 'pairs', 'splice-positions', 'batch-rows'],
    ...['processing', 'layer-order', 'provider', 'precision', 'db']
  ],
  lists: ['group'],
  operand: null,
  operands: 'none'
}

/** What `splice attribute` was asked to do. */
export interface AttributeOrder {
  readonly request: AttributionRequest
  /** The run that the result is kept with; null where it is not to be kept. */
  readonly run: RunRequest | null
  readonly json: boolean
  readonly db: string | undefined
}

/** Reads `splice attribute`'s arguments; `exists` tells whether a path is there. Throws `cli/usage`. */
export function readAttributeOrder(argv: readonly string[], exists?: (path: string) => boolean): AttributeOrder {
  const args = readArguments(argv, grammar)
  const model = args.values.get('model')
  if (model === undefined || model === '')
    throw mistake('--model', 'splice attribute needs a model.', 'Add --model DIR, a Hugging Face model folder.')
  const path = args.values.get('sae')
  if (path === undefined) throw mistake('--sae', 'splice attribute needs an SAE.', 'Add --sae PATH, its folder or file.')
  const factor = args.values.get('sae-norm-factor')
  const saes = readSaeArguments([path], exists)
  const [named] = saes
  const factors = factor === undefined ? [] : [factor.includes('=') ? factor : `${named?.name}=${factor}`]
  const [sae] = withNormFactors(saes, factors)
  const target = args.values.get('target')
  if (target === undefined)
    throw mistake('--target', 'splice attribute needs a target.', 'Add --target TOKEN, e.g. --target " hole", or --target loss.')
  const positions = readSplicePositions(args.values.get('splice-positions'))
  const errorTerm = !args.flags.has('no-error-term')
  const features = args.values.get('features')
  const batchRows = args.values.get('batch-rows')
  const asked = {
    model: resolve(model),
    prompt: readPrompt(args, 'attribute'),
    processing: readProcessing(args.values.get('processing') ?? 'auto'),
    layerOrder: readChoice('--layer-order', args.values.get('layer-order') ?? 'checkpoint', layerOrder.options),
    provider: readChoice('--provider', args.values.get('provider') ?? 'auto', provider.options),
    ...readPrecision(args)
  }
  const request = attributionRequest.parse({
    ...asked,
    sae,
    quantity: readTarget(target),
    top: readCount('--top', args.values.get('top') ?? '100', 0, 10_000),
    scope: args.flags.has('each-position') ? 'each' : 'all',
    ...(features === undefined ? {} : { features: readFeatures('--features', features) }),
    countSpecial: args.flags.has('special-tokens'),
    errorTerm,
    positions,
    groups: (args.lists.get('group') ?? []).map(readGroup),
    pairs: readCount('--pairs', args.values.get('pairs') ?? '0', 0, 40),
    ...(batchRows === undefined ? {} : { batchRows: readCount('--batch-rows', batchRows, 1, 4096) })
  })
  const splices = [{ sae: request.sae.name, errorTerm, positions }]
  const variants = [
    { name: 'clean', splices: [] },
    { name: errorTerm ? 'spliced+error' : 'spliced', splices }
  ]
  const run = args.flags.has('no-history') ? null : runRequest.parse({ ...asked, saes: [sae], variants })
  return { request, run, json: args.flags.has('json'), db: readDb(args) }
}

function readFeatures(option: string, text: string): number[] {
  const ids = readIds(option, text)
  if (ids.length === 0 || ids.some(id => id < 0))
    throw mistake(option, `${option} ${quoted(text)} names no features.`, `Write their numbers joined by commas, e.g. ${option} 17,300.`)
  return [...new Set(ids)]
}

/** `NAME=1,2,3`, or `1,2,3` alone, which is its own name. */
function readGroup(text: string): { name: string; features: number[] } {
  const [, name, list = ''] = /^(?:([^=]+)=)?(.*)$/s.exec(text) ?? []
  const features = readFeatures('--group', list)
  return { name: (name ?? features.join('+')).slice(0, 80), features }
}
