/** `splice inspect`: what a path holds, as text or as JSON. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Grammar, mistake, quoted, readArguments } from './arguments.ts'
import { exitCode } from './exit.ts'
import { inspectionText } from './inspection-text.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = { command: 'inspect', flags: ['json'], values: [], lists: [], operand: 'PATH', operands: 'one' }

/** Runs the command; gives the exit code. Throws what is wrong with the path, with nothing printed. */
export async function inspect(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const [path = ''] = args.operands
  if (path === '' || !existsSync(path)) {
    throw mistake('PATH', `Nothing is at ${quoted(path)}.`, 'Give a model folder, an SAE or a file of weights.')
  }
  const found = await withEngine({ db: undefined, explains: false }, client => client.library.inspect({ path: resolve(path) }))
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(found)}\n` : inspectionText(found))
  return exitCode.done
}
