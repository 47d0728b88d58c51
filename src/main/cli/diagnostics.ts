/** `splice diagnostics`: a text about this Splice to read, and perhaps to share. */
import { resolve } from 'node:path'
import { type Grammar, readArguments, readDb } from './arguments.ts'
import { errorDataOf, exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = { command: 'diagnostics', flags: [], values: ['out', 'db'], lists: [], operand: null, operands: 'none' }

/** Runs the command; an engine that does not open is what it tells about. Throws `home/disk` where the file cannot be written. */
export async function diagnostics(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const text = await readDiagnostics(readDb(args))
  if (terminal.signal.aborted) return Number(terminal.signal.reason)
  const out = args.values.get('out')
  if (out === undefined) await terminal.print(text)
  else {
    const { writeWhole } = await import('../library/state-file.ts')
    await writeWhole(resolve(out), text)
    await terminal.print(`${resolve(out)}\n`)
  }
  return exitCode.done
}

async function readDiagnostics(db: string | undefined): Promise<string> {
  try {
    return await withEngine({ db, infers: true, explains: false }, async client => (await client.engine.diagnostics()).text)
  } catch (thrown) {
    const { closedDiagnostics } = await import('../engine/diagnostics.ts')
    const { homeFolder } = await import('../library/home.ts')
    const { kind, message } = errorDataOf(thrown)
    return closedDiagnostics(homeFolder(), `${kind}: ${message}`)
  }
}
