/** `splice attribute`: what becomes of a quantity without each of a prompt's most active features, as a table or as JSON. */
import type { Notice } from '../../contract/engine.ts'
import { readAttributeOrder } from './attribute-request.ts'
import { attributionTable } from './attribute-table.ts'
import { exitCode } from './exit.ts'
import { resultOf, showStage } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function attribute(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { request, run, json, db } = readAttributeOrder(argv)
  const onNotice = ({ message, error }: Notice) => {
    if (error?.kind.startsWith('history/')) terminal.note(`splice: ${message}`)
  }
  const { result, keptAs } = await withEngine({ db, infers: true, onNotice }, async client => {
    const attributed = async (keepWith: string | null) => {
      const asked = keepWith === null ? request : { ...request, keepWith }
      const events = await client.runs.attribute(asked, { signal: terminal.signal })
      return (await resultOf(events, 'attribution', event => showStage(terminal, event))).result
    }
    if (run === null) return { result: await attributed(null), keptAs: null }
    const events = await client.runs.run(run, { signal: terminal.signal })
    const { keptAs } = await resultOf(events, 'run', event => showStage(terminal, event))
    return { result: await attributed(keptAs), keptAs }
  })
  for (const warning of json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(json ? `${JSON.stringify({ ...result, keptAs })}\n` : attributionTable(result))
  return exitCode.done
}
