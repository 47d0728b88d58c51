/** `splice eval`: how good an SAE is on a text, as tables or as JSON. */
import { describeProgress, type EvaluationRequest, type EvaluationResult } from '../../contract/evaluation.ts'
import type { Engine } from '../engine/engine.ts'
import { readEvaluationOrder } from './eval-request.ts'
import { evaluationTable } from './eval-table.ts'
import { exitCode } from './exit.ts'
import { resultOf } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** How often a log that no one watches gets a line of progress, in ms. */
const lineInterval = 10_000

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function evaluate(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { request, json, db } = readEvaluationOrder(argv)
  const result = await withEngine({ db, infers: true, explains: false }, client => evaluated(client, request, terminal))
  for (const warning of json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(json ? `${JSON.stringify(result)}\n` : evaluationTable(result))
  return exitCode.done
}

async function evaluated(client: Engine['client'], request: EvaluationRequest, terminal: Terminal): Promise<EvaluationResult> {
  let shownAt = performance.now()
  const events = await client.runs.evaluate(request, { signal: terminal.signal })
  const { result } = await resultOf(events, 'evaluation', event => {
    terminal.progress(describeProgress(event))
    if (terminal.showsProgress || performance.now() - shownAt < lineInterval) return
    terminal.note(describeProgress(event))
    shownAt = performance.now()
  })
  return result
}
