/** `splice serve`: the workbench for a browser, until Ctrl-C. */
import { once } from 'node:events'
import { type Grammar, readArguments, readCount, readDb } from './arguments.ts'
import type { Terminal } from './terminal.ts'

const grammar: Grammar = { command: 'serve', flags: ['no-open'], values: ['port', 'db'], lists: [], operand: null, operands: 'none' }

/** Runs the command; it ends when it is interrupted, with that exit code. */
export async function serve(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const port = args.values.get('port')
  const options = {
    port: port === undefined ? 0 : readCount('--port', port, 0, 65_535),
    open: !args.flags.has('no-open'),
    db: readDb(args)
  }
  const { startBrowserHost } = await import('../browser-host/host.ts')
  const host = await startBrowserHost(options)
  await terminal.print(`${host.url}\n`)
  if (!terminal.signal.aborted) await once(terminal.signal, 'abort')
  await host.close()
  return Number(terminal.signal.reason)
}
