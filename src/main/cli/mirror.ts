/** `splice mirror`: looks after the mirror's file: state, check, backup, remove, compact. */
import { resolve } from 'node:path'
import type { BackupResult, CheckResult, CompactResult, MirrorProgress, MirrorState, RemoveResult } from '../../contract/mirror.ts'
import type { Engine } from '../engine/engine.ts'
import { type Arguments, type Grammar, mistake, quoted, readArguments, readExistingDb, readSource } from './arguments.ts'
import { formatBytes } from './bytes.ts'
import { exitCode } from './exit.ts'
import { resultOf } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const actions = ['state', 'check', 'backup', 'remove', 'compact'] as const
type Action = (typeof actions)[number]

const grammarOf = (action: Action, more: Partial<Grammar> = {}): Grammar => ({
  command: `mirror ${action}`,
  flags: ['json'],
  values: ['db'],
  lists: [],
  operand: null,
  operands: 'none',
  ...more
})
const grammars: Record<Action, Grammar> = {
  state: grammarOf('state'),
  check: grammarOf('check'),
  backup: grammarOf('backup', { operand: 'FILE', operands: 'one' }),
  remove: grammarOf('remove', { flags: ['json', 'embeddings'], operand: 'MODEL/SOURCE', operands: 'some' }),
  compact: grammarOf('compact')
}

/** What came of the work: for programs, for people, and the exit code. */
interface Report {
  readonly json: object
  readonly text: string
  readonly code: number
}

/** Runs the command; a mirror that is not whole is exit code 1. */
export async function mirror(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = argv
  const action = actions.find(name => name === first)
  if (action === undefined) {
    const problem = first === undefined ? 'splice mirror needs to be told what to do.' : `splice mirror knows no ${quoted(first)}.`
    throw mistake('ACTION', problem, `Write splice mirror ${actions.join('|')}.`)
  }
  const args = readArguments(rest, grammars[action])
  const work = workOf(action, args)
  const { json, text, code } = await withEngine({ db: readExistingDb(args) }, client => work(client, terminal))
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(json)}\n` : text)
  return code
}

/** What an action does, its arguments read. */
function workOf(action: Action, args: Arguments): (client: Engine['client'], terminal: Terminal) => Promise<Report> {
  switch (action) {
    case 'state':
      return async client => stateReport(await client.mirror.state())
    case 'check':
      return async (client, terminal) =>
        checkReport(await last(await client.mirror.check(undefined, { signal: terminal.signal }), terminal))
    case 'backup': {
      const file = args.operands[0] ?? ''
      if (file === '') throw mistake('FILE', 'FILE is empty.', 'Name a file that is not there yet.')
      return async (client, terminal) =>
        backupReport(await last(await client.mirror.backup({ file: resolve(file) }, { signal: terminal.signal }), terminal))
    }
    case 'remove': {
      const sources = args.operands.map(text => readSource('MODEL/SOURCE', text))
      const what = args.flags.has('embeddings') ? 'embeddings' : 'everything'
      return async (client, terminal) =>
        removeReport(await last(await client.mirror.remove({ sources, what }, { signal: terminal.signal }), terminal))
    }
    case 'compact':
      return async (client, terminal) =>
        compactReport(await last(await client.mirror.compact(undefined, { signal: terminal.signal }), terminal))
  }
}

type WorkEvent<Result> = ({ type: 'progress' } & MirrorProgress) | { type: 'result'; result: Result }

/** Shows progress until the result comes. */
async function last<Result>(events: AsyncIterable<WorkEvent<Result>>, terminal: Terminal): Promise<Result> {
  const { result } = await resultOf(events, 'work', ({ stage, fraction }) =>
    terminal.progress(`${stage}${fraction === null ? '' : ` ${Math.floor(100 * fraction)}%`}`)
  )
  return result
}

function stateReport(state: MirrorState): Report {
  const { file, bytes, freeBytes, explanations, sources, embeddings, removing } = state
  const lines = [
    file,
    `${formatBytes(bytes)}, ${formatBytes(freeBytes)} of it free; ${explanations} explanations of ${sources} sources, ${embeddings} embeddings`,
    ...(removing.length === 0 ? [] : [`still to be taken out: ${removing.join(', ')}`])
  ]
  const { work: _, ...json } = state
  return { json, text: `${lines.join('\n')}\n`, code: exitCode.done }
}

function checkReport(result: CheckResult): Report {
  const { problems, explanations, sources, bytes, seconds } = result
  const isWhole = problems.length === 0
  const seen = `${explanations} explanations of ${sources} sources, ${formatBytes(bytes)}, ${seconds.toFixed(1)} s`
  const lines = isWhole
    ? [`The mirror is whole: ${seen}`]
    : [...problems, `The mirror is not whole: ${seen}. Move it away and import again.`]
  return { json: { isWhole, ...result }, text: `${lines.join('\n')}\n`, code: isWhole ? exitCode.done : exitCode.failure }
}

function backupReport(result: BackupResult): Report {
  return { json: result, text: `${result.file}\n${formatBytes(result.bytes)} in ${result.seconds.toFixed(1)} s\n`, code: exitCode.done }
}

function removeReport(result: RemoveResult): Report {
  const { explanations, statistics, embeddings, freeBytes, seconds } = result
  const gone = `${explanations} explanations, ${statistics} statistics and ${embeddings} embeddings removed in ${seconds.toFixed(1)} s`
  return {
    json: result,
    text: `${gone}\n${formatBytes(freeBytes)} of the file are free; splice mirror compact gives them back\n`,
    code: exitCode.done
  }
}

function compactReport(result: CompactResult): Report {
  const { bytesBefore, bytesAfter, seconds } = result
  return {
    json: result,
    text: `${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} now, ${seconds.toFixed(1)} s\n`,
    code: exitCode.done
  }
}
