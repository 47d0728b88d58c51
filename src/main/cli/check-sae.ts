/** `splice check-sae`: whether an SAE sits where it was made for, as a table of tries or as JSON. */
import { readCheckOrder } from './check-request.ts'
import { checkTable } from './check-table.ts'
import { exitCode } from './exit.ts'
import { resultOf, showStage } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function checkSae(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { request, json } = readCheckOrder(argv)
  const found = await withEngine({ db: undefined, infers: true, explains: false }, async client => {
    const events = await client.runs.checkSae(request, { signal: terminal.signal })
    return (await resultOf(events, 'check', event => showStage(terminal, event))).check
  })
  await terminal.print(json ? `${JSON.stringify(found)}\n` : checkTable(found, request))
  return exitCode.done
}
