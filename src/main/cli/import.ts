/** `splice import`: explanation files into the mirror. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ImportEvent } from '../../contract/explanations.ts'
import type { Engine } from '../engine/engine.ts'
import { type Grammar, mistake, quoted, readArguments, readDb } from './arguments.ts'
import { exitCode } from './exit.ts'
import { resultOf } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = {
  command: 'import',
  flags: ['json', 'embeddings'],
  values: ['db'],
  lists: [],
  operand: 'PATH',
  operands: 'some'
}

type Imported = Extract<ImportEvent, { type: 'result' }>

/** Runs the command; the exit code is 3 where rows were rejected. */
export async function importExplanations(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const paths = args.operands.map(path => {
    if (path !== '' && existsSync(path)) return resolve(path)
    throw mistake('PATH', `Nothing is at ${quoted(path)}.`, 'Give a file of explanations, or a folder of such files.')
  })
  const embeddings = args.flags.has('embeddings')
  const { result, rejectsFile } = await withEngine({ db: readDb(args) }, client => imported(client, { paths, embeddings }, terminal))

  const { embeddings: kept, ...counts } = result
  if (args.flags.has('json')) await terminal.print(`${JSON.stringify(embeddings ? { ...counts, embeddings: kept } : counts)}\n`)
  else {
    const rows = `${result.imported} imported, ${result.skipped} skipped, ${result.rejected} rejected`
    await terminal.print(`${rows}${embeddings ? `, ${kept} embeddings` : ''} in ${result.seconds.toFixed(1)} s\n`)
  }
  if (result.rejected === 0) return exitCode.done
  const rows = result.rejected === 1 ? '1 row was' : `${result.rejected} rows were`
  terminal.note(`splice: ${rows} rejected${rejectsFile === null ? '.' : `; ${rejectsFile} says which and why.`}`)
  return exitCode.rejectedRows
}

async function imported(
  client: Engine['client'],
  request: { paths: string[]; embeddings: boolean },
  terminal: Terminal
): Promise<Imported> {
  const events = await client.explanations.importFiles(request, { signal: terminal.signal })
  return resultOf(events, 'import', ({ file, rows, fraction }) => terminal.progress(`${file} ${rows} rows ${Math.round(fraction * 100)}%`))
}
