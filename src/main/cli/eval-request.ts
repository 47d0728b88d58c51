/** `splice eval`'s arguments as the contract's evaluation request. */
import { resolve } from 'node:path'
import { type Corpus, type EvaluationRequest, evaluationRequest } from '../../contract/evaluation.ts'
import { layerOrder, provider, type RunSae } from '../../contract/run.ts'
import { type Arguments, type Grammar, mistake, readArguments, readChoice, readCount, readDb } from './arguments.ts'
import { readIds, readPrecision, readProcessing } from './model-arguments.ts'
import { readSaeArguments, withNormFactors } from './sae-argument.ts'
import { readSplicePositions } from './variants.ts'

const grammar: Grammar = {
  command: 'eval',
  flags: ['no-bos', 'special-tokens', 'feature-density', 'json'],
  values: [
    'model',
    'text',
    'ids-file',
    'documents',
    'context',
    'special-ids',
    'splice-positions',
    'saelens-batch',
    'batch-tokens',
    'processing',
    'layer-order',
    'provider',
    'precision',
    'resume',
    'db'
  ],
  lists: ['sae', 'sae-norm-factor'],
  operand: null,
  operands: 'none'
}

/** The largest whole number that an option takes. */
const most = 2 ** 31 - 1

/** What `splice eval` was asked to do. */
export interface EvaluationOrder {
  readonly request: EvaluationRequest
  readonly json: boolean
  readonly db: string | undefined
}

/** Reads `splice eval`'s arguments; `exists` tells whether a path is there. Throws `cli/usage`. */
export function readEvaluationOrder(argv: readonly string[], exists?: (path: string) => boolean): EvaluationOrder {
  const args = readArguments(argv, grammar)
  const value = (name: string) => args.values.get(name)
  const model = value('model')
  if (model === undefined || model === '')
    throw mistake('--model', 'splice eval needs a model.', 'Add --model DIR, a Hugging Face model folder.')
  const count = (name: string) => {
    const text = value(name)
    return text === undefined ? undefined : readCount(`--${name}`, text, name === 'context' ? 2 : 1, most)
  }
  const specialIds = value('special-ids')
  const request = evaluationRequest.parse({
    model: resolve(model),
    sae: readSae(args, exists),
    corpus: readCorpus(args),
    context: count('context'),
    batchTokens: count('batch-tokens'),
    saelensBatch: count('saelens-batch'),
    countSpecial: args.flags.has('special-tokens'),
    specialIds: specialIds === undefined ? undefined : readIds('--special-ids', specialIds),
    positions: readSplicePositions(value('splice-positions')),
    processing: readProcessing(value('processing') ?? 'auto'),
    layerOrder: readChoice('--layer-order', value('layer-order') ?? 'checkpoint', layerOrder.options),
    provider: readChoice('--provider', value('provider') ?? 'auto', provider.options),
    ...readPrecision(args),
    featureDensity: args.flags.has('feature-density'),
    ...readResume(args)
  })
  return { request, json: args.flags.has('json'), db: readDb(args) }
}

function readSae(args: Arguments, exists: ((path: string) => boolean) | undefined): RunSae {
  const texts = args.lists.get('sae') ?? []
  const [sae, ...others] = withNormFactors(readSaeArguments(texts, exists), args.lists.get('sae-norm-factor') ?? [])
  if (sae === undefined) throw mistake('--sae', 'splice eval needs an SAE.', 'Add --sae PATH, its folder or file.')
  if (others.length > 0) throw mistake('--sae', '--sae is given twice.', 'Evaluate one SAE at a time.')
  return sae
}

function readCorpus(args: Arguments): Corpus {
  const [text, ids, documents] = [args.values.get('text'), args.values.get('ids-file'), args.values.get('documents')]
  if (text !== undefined && ids !== undefined) throw mistake('--ids-file', '--text and --ids-file are both given.', 'Give one of them.')
  if (text !== undefined) {
    if (text === '') throw mistake('--text', '--text is empty.', 'Give a file: --text FILE.')
    const joined = readChoice('--documents', documents ?? 'joined', ['joined', 'apart'])
    return { kind: 'text', file: resolve(text), documents: joined, prependBos: !args.flags.has('no-bos') }
  }
  if (ids === undefined) throw mistake('--text', 'splice eval needs a text.', 'Add --text FILE or --ids-file FILE.json.')
  if (ids === '') throw mistake('--ids-file', '--ids-file is empty.', 'Give a file: --ids-file FILE.json.')
  const given = documents === undefined ? (args.flags.has('no-bos') ? '--no-bos' : undefined) : '--documents'
  if (given !== undefined) throw mistake(given, `${given} has no meaning for ids, which are used as they are.`, `Leave ${given} out.`)
  return { kind: 'ids', file: resolve(ids) }
}

function readResume(args: Arguments): Pick<EvaluationRequest, 'resume'> {
  const file = args.values.get('resume')
  if (file === '') throw mistake('--resume', '--resume is empty.', 'Give a file to keep what is done: --resume FILE.')
  return file === undefined ? {} : { resume: { file: resolve(file) } }
}
