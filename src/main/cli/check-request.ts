/** `splice check-sae`'s arguments as the contract's request, and the commands that take one SAE's reading from one to the other. */
import { resolve } from 'node:path'
import { checkText } from '../../contract/check-text.ts'
import { layerOrder, type Prompt, provider, type RunRequest, type SaeResult } from '../../contract/run.ts'
import { type SaeChange, type SaeCheckRequest, saeCheckRequest } from '../../contract/sae-check.ts'
import { type Grammar, mistake, quoted, readArguments, readChoice } from './arguments.ts'
import { readPrecision, readProcessing, readPrompt } from './model-arguments.ts'
import { readSaeArguments, withNormFactors } from './sae-argument.ts'

const grammar: Grammar = {
  command: 'check-sae',
  flags: ['no-bos', 'json'],
  values: ['model', 'sae', 'sae-norm-factor', 'prompt', 'ids', 'processing', 'layer-order', 'provider', 'precision'],
  lists: [],
  operand: null,
  operands: 'none'
}

/** What `splice check-sae` was asked to do. */
export interface CheckOrder {
  readonly request: SaeCheckRequest
  readonly json: boolean
}

/** Reads `splice check-sae`'s arguments; `exists` tells whether a path is there. Throws `cli/usage`. */
export function readCheckOrder(argv: readonly string[], exists?: (path: string) => boolean): CheckOrder {
  const args = readArguments(argv, grammar)
  const model = args.values.get('model')
  if (model === undefined || model === '')
    throw mistake('--model', 'splice check-sae needs a model.', 'Add --model DIR, a Hugging Face model folder.')
  const path = args.values.get('sae')
  if (path === undefined) throw mistake('--sae', 'splice check-sae needs an SAE.', 'Add --sae PATH, its folder or file.')
  const saes = readSaeArguments([path], exists)
  const factor = args.values.get('sae-norm-factor')
  const [named] = saes
  // One SAE needs no name before its factor.
  const factors = factor === undefined ? [] : [factor.includes('=') ? factor : `${named?.name}=${factor}`]
  const hasPrompt = args.values.has('prompt') || args.values.has('ids')
  const prompt: Prompt = hasPrompt ? readPrompt(args, 'check-sae') : { text: checkText, prependBos: !args.flags.has('no-bos') }
  const request = saeCheckRequest.parse({
    model: resolve(model),
    sae: withNormFactors(saes, factors)[0],
    prompt,
    processing: readProcessing(args.values.get('processing') ?? 'auto'),
    layerOrder: readChoice('--layer-order', args.values.get('layer-order') ?? 'checkpoint', layerOrder.options),
    provider: readChoice('--provider', args.values.get('provider') ?? 'auto', provider.options),
    ...readPrecision(args)
  })
  return { request, json: args.flags.has('json') }
}

/** Longest prompt that is written into a command. */
const longestPrompt = 200

/** An argument as a shell needs it. */
export function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

function promptArguments(prompt: Prompt): string[] {
  if ('ids' in prompt) return ['--ids', prompt.ids.join(',')]
  // A chat is left to the command's own text.
  if ('chat' in prompt) return []
  const noBos = prompt.prependBos ? [] : ['--no-bos']
  return prompt.text.length > longestPrompt ? noBos : ['--prompt', prompt.text, ...noBos]
}

/** The command that checks an SAE of a run; a long text is left to the command's own. */
export function checkCommand(request: RunRequest, { name }: Pick<SaeResult, 'name'>): string {
  const sae = request.saes.find(candidate => candidate.name === name)
  if (sae === undefined) throw new Error(`the run has no SAE ${name}`)
  const { path, hook, hookOut, normFactor } = sae
  const { processing } = request
  const at = hook === undefined ? '' : `@${hook}${hookOut === undefined ? '' : `:${hookOut}`}`
  const words = [
    ...['splice', 'check-sae', '--model', request.model, '--sae', `${path}${at}`],
    ...(normFactor === undefined ? [] : ['--sae-norm-factor', String(normFactor)]),
    ...(processing === 'auto' ? [] : ['--processing', typeof processing === 'string' ? processing : processing.join() || 'none']),
    ...(request.layerOrder === 'checkpoint' ? [] : ['--layer-order', request.layerOrder]),
    ...promptArguments(request.prompt)
  ]
  return words.map(shellQuoted).join(' ')
}

/** The options of `splice run` that make a change; null where none does, as for which tokens are counted. */
export function optionsOf({ hook, hookOut, processing, normFactor, prependBos }: SaeChange, request: SaeCheckRequest): string | null {
  const { sae } = request
  const place = { hook: hook ?? sae.hook, hookOut: hookOut ?? sae.hookOut }
  const moves = hook !== undefined || hookOut !== undefined
  const words = [
    ...(moves ? ['--sae', `${sae.path}@${place.hook}${place.hookOut === undefined ? '' : `:${place.hookOut}`}`] : []),
    ...(processing === undefined ? [] : ['--processing', processing.join() || 'none']),
    ...(normFactor === undefined || normFactor === null ? [] : ['--sae-norm-factor', `${sae.name}=${normFactor}`]),
    ...(prependBos === false ? ['--no-bos'] : [])
  ]
  const dropped = normFactor === null ? ['without --sae-norm-factor'] : []
  const added = prependBos === true ? ['without --no-bos'] : []
  const text = [words.map(shellQuoted).join(' '), ...dropped, ...added].filter(part => part !== '').join(', ')
  return text === '' ? null : text
}

/** A prompt in a few words. */
export function describePrompt(prompt: Prompt): string {
  if ('ids' in prompt) return `${prompt.ids.length} ids`
  if ('chat' in prompt) return `a chat of ${prompt.chat.length} messages`
  return prompt.text === checkText ? "Splice's own text" : quoted(prompt.text)
}
