/** `splice run`: one prompt under several variants, as a table or as JSON. */
import { SpliceError } from '../../contract/errors.ts'
import type { RunRequest, RunResult } from '../../contract/run.ts'
import type { Engine } from '../engine/engine.ts'
import { exitCode } from './exit.ts'
import { readRunOrder } from './run-request.ts'
import { runTable } from './run-table.ts'
import { refuseSharedHook } from './shared-hook.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const order = readRunOrder(argv)
  const result = await withEngine({ db: order.db, infers: true }, async client => {
    await refuseSharedHook(client, order.request)
    return resultOf(client, order.request, terminal)
  })
  for (const warning of order.json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(order.json ? `${JSON.stringify(result)}\n` : runTable(result))
  return exitCode.done
}

async function resultOf(client: Engine['client'], request: RunRequest, terminal: Terminal): Promise<RunResult> {
  for await (const event of await client.runs.run(request, { signal: terminal.signal })) {
    if (event.type === 'result') return event.result
    terminal.progress(`${event.stage} ${Math.round(event.fraction * 100)}%`)
  }
  throw new SpliceError('engine/no-result', 'The engine ended the run without a result.', { mistake: false })
}
