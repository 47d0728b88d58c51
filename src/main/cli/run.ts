/** `splice run`: one prompt under several variants, as a table or as JSON. */
import type { Notice } from '../../contract/engine.ts'
import type { Alarm, RunRequest, SaeResult } from '../../contract/run.ts'
import { checkCommand } from './check-request.ts'
import { exitCode } from './exit.ts'
import { resultOf, showStage } from './result-of.ts'
import { readRunOrder } from './run-request.ts'
import { runTable } from './run-table.ts'
import { refuseSharedHook } from './shared-hook.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const order = readRunOrder(argv)
  // What ends the run is its error; what else goes wrong with the history is said beside the result.
  const onNotice = ({ message, error }: Notice) => {
    if (error?.kind.startsWith('history/')) terminal.note(`splice: ${message}`)
  }
  const result = await withEngine({ db: order.db, infers: true, onNotice }, async client => {
    await refuseSharedHook(client, order.request)
    const events = await client.runs.run(order.request, { signal: terminal.signal })
    return (await resultOf(events, 'run', event => showStage(terminal, event))).result
  })
  for (const warning of order.json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  for (const sae of result.saes) if (sae.alarm !== null) terminal.note(alarmLine(order.request, sae, sae.alarm))
  await terminal.print(order.json ? `${JSON.stringify(result)}\n` : runTable(result))
  return exitCode.done
}

/** The line for stderr when an SAE's figures are far from the published ones, with the command that looks into it. */
function alarmLine(request: RunRequest, sae: SaeResult, { text }: Alarm): string {
  return `splice: ${sae.name}: ${text}; it may sit on another tensor than its own. To check: ${checkCommand(request, sae)}`
}
