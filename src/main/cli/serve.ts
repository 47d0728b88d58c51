/** `splice serve`: the workbench for a browser, until Ctrl-C. */
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Grammar, mistake, readArguments, readCount, readDb } from './arguments.ts'
import type { Terminal } from './terminal.ts'

const grammar: Grammar = { command: 'serve', flags: ['no-open'], values: ['port', 'db'], lists: ['only'], operand: null, operands: 'none' }

/** Folders that are there. Throws a mistake that names the one that is none. */
function readFolders(given: readonly string[]): string[] {
  for (const folder of given) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw mistake('--only', `--only: ${folder} is no folder.`, 'Name a folder of this machine that is there.')
  }
  return given.map(folder => resolve(folder))
}

/** Runs the command; it ends when it is interrupted, with that exit code. */
export async function serve(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const port = args.values.get('port')
  const options = {
    port: port === undefined ? 0 : readCount('--port', port, 0, 65_535),
    open: !args.flags.has('no-open'),
    db: readDb(args),
    ...(args.lists.has('only') ? { only: readFolders(args.lists.get('only') ?? []) } : {})
  }
  const { startBrowserHost } = await import('../browser-host/host.ts')
  const host = await startBrowserHost(options)
  await terminal.print(`${host.url}\n`)
  if (!terminal.signal.aborted) await once(terminal.signal, 'abort')
  await host.close()
  return Number(terminal.signal.reason)
}
