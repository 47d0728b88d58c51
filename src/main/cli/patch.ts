/** `splice patch`: where in a model the difference of two prompts sits, as tables or as JSON. */
import type { Notice } from '../../contract/engine.ts'
import { exitCode } from './exit.ts'
import { readPatchOrder } from './patch-request.ts'
import { patchingTables, patchTable } from './patch-table.ts'
import { resultOf, showStage } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function patch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const order = readPatchOrder(argv)
  const { json, db } = order
  const onNotice = ({ message, error }: Notice) => {
    if (error?.kind.startsWith('history/')) terminal.note(`splice: ${message}`)
  }
  const options = { signal: terminal.signal }
  const say = async ({ warnings }: { warnings: readonly string[] }, object: unknown, table: () => string) => {
    for (const warning of json ? [] : warnings) terminal.note(`splice: ${warning}`)
    await terminal.print(json ? `${JSON.stringify(object)}\n` : table())
  }
  if (order.kind === 'cell') {
    const { result } = await withEngine({ db, infers: true, explains: false, onNotice }, async client =>
      resultOf(await client.runs.patchOne(order.request, options), 'patch', event => showStage(terminal, event))
    )
    await say(result, result, () => patchTable(result))
    return exitCode.done
  }
  const { request, run } = order
  const { result, keptAs } = await withEngine({ db, infers: true, explains: false, onNotice }, async client => {
    const patched = async (keepWith: string | null) => {
      const events = await client.runs.patch(keepWith === null ? request : { ...request, keepWith }, options)
      return (
        await resultOf(events, 'patches', event => {
          if (event.type === 'progress') showStage(terminal, event)
        })
      ).result
    }
    if (run === null) return { result: await patched(null), keptAs: null }
    const { keptAs } = await resultOf(await client.runs.run(run, options), 'run', event => showStage(terminal, event))
    return { result: await patched(keptAs), keptAs }
  })
  await say(result, { ...result, keptAs }, () => patchingTables(result))
  return exitCode.done
}
