/** `splice run`'s arguments as the contract's run request. */
import { resolve } from 'node:path'
import { type RunRequest, runRequest } from '../../contract/run.ts'
import { type Arguments, type Grammar, mistake, quoted, readArguments, readCount, readDb } from './arguments.ts'
import { modelOptions, readModelArguments } from './model-arguments.ts'

export const runGrammar: Grammar = {
  command: 'run',
  flags: [...modelOptions.flags, 'json', 'no-history'],
  values: [...modelOptions.values, 'hooks', 'top-k', 'top-features', 'save'],
  lists: modelOptions.lists,
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
  const request = runRequest.parse({
    ...readModelArguments(args, 'run', exists),
    topK: readCount('--top-k', args.values.get('top-k') ?? '10', 1, 1000),
    topFeatures: readCount('--top-features', args.values.get('top-features') ?? '5', 0, 1000),
    ...readSave(args),
    keep: !args.flags.has('no-history')
  })
  return { request, json: args.flags.has('json'), db: readDb(args) }
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
