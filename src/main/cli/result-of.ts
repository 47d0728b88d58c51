/** Long work of the engine as a command waits for it: progress on the terminal, the result at the end. */
import { SpliceError } from '../../contract/errors.ts'
import type { Terminal } from './terminal.ts'

/** Shows how far a stage is, on the line that is written over. */
export function showStage(terminal: Terminal, { stage, fraction }: { stage: string; fraction: number }): void {
  terminal.progress(`${stage} ${Math.round(fraction * 100)}%`)
}

/** The last event of a stream, which is its result; `onEvent` hears the others. `what` is named where there is none. */
export async function resultOf<Event extends { type: string }>(
  events: AsyncIterable<Event>,
  what: string,
  onEvent: (event: Exclude<Event, { type: 'result' }>) => void
): Promise<Extract<Event, { type: 'result' }>> {
  for await (const event of events) {
    if (isResult(event)) return event
    onEvent(event as Exclude<Event, { type: 'result' }>)
  }
  throw new SpliceError('engine/no-result', `The engine ended the ${what} without a result.`, { mistake: false })
}

function isResult<Event extends { type: string }>(event: Event): event is Extract<Event, { type: 'result' }> {
  return event.type === 'result'
}
