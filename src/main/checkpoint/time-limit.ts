/**
 * Bounds work that a model's files decide on: the patterns of a tokenizer may backtrack without end, and a chat template may loop.
 * V8 interrupts what it runs for node:vm, regular expressions too, wherever the code is from.
 */
import vm from 'node:vm'

const context = vm.createContext({})
const script = new vm.Script('work()')

/** Says that the work took too long. */
export class TimeLimitError extends Error {}

/** What `work`, which must not wait for anything, gives within `limitMs`. Throws `TimeLimitError`, and what the work throws. */
export function withinTime<Result>(limitMs: number, work: () => Result): Result {
  context.work = work
  try {
    return script.runInContext(context, { timeout: Math.ceil(limitMs) }) as Result
  } catch (thrown) {
    const isLate = typeof thrown === 'object' && thrown !== null && Reflect.get(thrown, 'code') === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    throw isLate ? new TimeLimitError(`not done after ${(limitMs / 1000).toFixed(0)} s`) : thrown
  } finally {
    context.work = undefined
  }
}
