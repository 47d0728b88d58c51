/** `splice check-sae`: whether an SAE sits where it was made for, as a table of tries or as JSON. */
import { SpliceError } from '../../contract/errors.ts'
import type { SaeCheck, SaeCheckRequest } from '../../contract/sae-check.ts'
import type { Engine } from '../engine/engine.ts'
import { readCheckOrder } from './check-request.ts'
import { checkTable } from './check-table.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function checkSae(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { request, json } = readCheckOrder(argv)
  const found = await withEngine({ db: undefined, infers: true, explains: false }, client => checkOf(client, request, terminal))
  await terminal.print(json ? `${JSON.stringify(found)}\n` : checkTable(found, request))
  return exitCode.done
}

async function checkOf(client: Engine['client'], request: SaeCheckRequest, terminal: Terminal): Promise<SaeCheck> {
  for await (const event of await client.runs.checkSae(request, { signal: terminal.signal })) {
    if (event.type === 'result') return event.check
    terminal.progress(`${event.stage} ${Math.round(event.fraction * 100)}%`)
  }
  throw new SpliceError('engine/no-result', 'The engine ended the check without a result.', { mistake: false })
}
