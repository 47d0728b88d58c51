/** `splice harvest`'s arguments as the contract's requests. */
import { resolve } from 'node:path'
import { type HarvestMergeRequest, type HarvestRequest, harvestMergeRequest, harvestRequest, sourceName } from '../../contract/harvest.ts'
import { layerOrder, provider } from '../../contract/run.ts'
import {
  type Arguments,
  type Grammar,
  mistake,
  quoted,
  readArguments,
  readChoice,
  readCount,
  readDb,
  readNumber,
  readText
} from './arguments.ts'
import { readPrecision, readProcessing } from './model-arguments.ts'
import { readSaeArguments, withNormFactors } from './sae-argument.ts'

const grammar: Grammar = {
  command: 'harvest',
  flags: ['no-bos', 'special-tokens', 'anew', 'json'],
  values: [
    'model',
    'tokens',
    'shard',
    'documents',
    'context',
    'batch-tokens',
    'top',
    'per-interval',
    'before',
    'after',
    'name',
    'out',
    'memory-limit',
    'processing',
    'layer-order',
    'provider',
    'precision',
    'db'
  ],
  lists: ['sae', 'sae-norm-factor', 'text'],
  operand: 'PATH',
  operands: 'any'
}

const mergeGrammar: Grammar = {
  command: 'harvest merge',
  flags: ['no-mirror', 'json'],
  values: ['name', 'out', 'memory-limit', 'db'],
  lists: [],
  operand: 'FILE',
  operands: 'some'
}

const most = 2 ** 31 - 1

interface Order {
  readonly json: boolean
  readonly db: string | undefined
}

/** Reads the arguments of a harvest; `exists` tells whether a path is there. Throws `cli/usage`. */
export function readHarvestOrder(
  argv: readonly string[],
  exists?: (path: string) => boolean
): Order & { readonly request: HarvestRequest } {
  const args = readArguments(argv, grammar)
  const value = (name: string) => args.values.get(name)
  const model = value('model')
  if (model === undefined || model === '')
    throw mistake('--model', 'splice harvest needs a model.', 'Add --model DIR, a Hugging Face model folder.')
  const saes = withNormFactors(readSaeArguments(args.lists.get('sae') ?? [], exists), args.lists.get('sae-norm-factor') ?? [])
  if (saes.length === 0) throw mistake('--sae', 'splice harvest needs an SAE.', 'Add --sae PATH, its folder or file, as often as needed.')
  const texts = args.lists.get('text') ?? []
  if (texts.length === 0) throw mistake('--text', 'splice harvest needs a text.', 'Add --text PATH, a file or folder.')
  if (texts.includes('')) throw mistake('--text', '--text is empty.', 'Give a file or folder: --text PATH.')
  const tokens = value('tokens')
  if (tokens === undefined)
    throw mistake('--tokens', 'splice harvest needs to know how much to read.', 'Add --tokens N, e.g. --tokens 1000000.')
  const count = (name: string, least: number, largest = most) => {
    const text = value(name)
    return text === undefined ? undefined : readCount(`--${name}`, text, least, largest)
  }
  const file = readText(args, 'out')
  const request = harvestRequest.parse({
    model: resolve(model),
    saes,
    // What follows the options is text too: --text a b c.
    texts: [...texts, ...args.operands].map(path => resolve(path)),
    tokens: readCount('--tokens', tokens, 1, Number.MAX_SAFE_INTEGER),
    shard: readShard(value('shard')),
    documents: readChoice('--documents', value('documents') ?? 'joined', ['joined', 'apart']),
    prependBos: !args.flags.has('no-bos'),
    context: count('context', 2),
    batchTokens: count('batch-tokens', 1),
    countSpecial: args.flags.has('special-tokens'),
    top: count('top', 0, 100),
    perInterval: count('per-interval', 0, 50),
    before: count('before', 0, 100),
    after: count('after', 0, 100),
    processing: readProcessing(value('processing') ?? 'auto'),
    layerOrder: readChoice('--layer-order', value('layer-order') ?? 'checkpoint', layerOrder.options),
    provider: readChoice('--provider', value('provider') ?? 'auto', provider.options),
    ...readPrecision(args),
    name: readName(args),
    ...(file === undefined ? {} : { file: resolve(file) }),
    memoryLimit: readMemory(args),
    anew: args.flags.has('anew')
  })
  return { request, json: args.flags.has('json'), db: readDb(args) }
}

/** Reads the arguments of a merge. Throws `cli/usage`. */
export function readMergeOrder(argv: readonly string[]): Order & { readonly request: HarvestMergeRequest } {
  const args = readArguments(argv, mergeGrammar)
  const out = readText(args, 'out')
  const toMirror = !args.flags.has('no-mirror')
  if (!toMirror && out === undefined) throw mistake('--no-mirror', '--no-mirror leaves the whole nowhere.', 'Add --out FILE.')
  const request = harvestMergeRequest.parse({
    files: args.operands.map(file => resolve(file)),
    name: readName(args),
    ...(out === undefined ? {} : { out: resolve(out) }),
    toMirror,
    memoryLimit: readMemory(args)
  })
  return { request, json: args.flags.has('json'), db: readDb(args) }
}

/** `I/N`: part I of N. */
function readShard(text: string | undefined): HarvestRequest['shard'] {
  if (text === undefined) return undefined
  const [, index, of] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []
  const shard = { index: Number(index), of: Number(of) }
  if (shard.index >= 1 && shard.index <= shard.of && shard.of <= 10_000) return shard
  throw mistake('--shard', `--shard ${quoted(text)} is not I/N.`, 'Write e.g. --shard 1/4, and 2/4, 3/4, 4/4 for the others.')
}

function readName(args: Arguments): string | undefined {
  const name = readText(args, 'name')
  if (name === undefined || sourceName.safeParse(name).success) return name
  throw mistake(
    '--name',
    `--name ${quoted(name)} is no name of a source.`,
    'Use letters, digits, dots, dashes and underscores, at most 80.'
  )
}

/** Gigabytes, as bytes. */
function readMemory(args: Arguments): number | undefined {
  const text = args.values.get('memory-limit')
  return text === undefined ? undefined : Math.round(1e9 * readNumber('--memory-limit', text, 0.001, 1e6))
}
