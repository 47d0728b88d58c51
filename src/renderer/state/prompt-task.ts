/** Work that a prompt starts: a run, a test of answers, a generation. */
import type { ErrorData } from '../../contract/errors.ts'

/** How far some work is: `fraction` of 1. */
export type TaskProgress = { stage: string; fraction: number }

export interface PromptTask {
  readonly running: boolean
  readonly progress: TaskProgress | null
  readonly error: ErrorData | null
  readonly cancelled: boolean
  /** Whether there is something to show. */
  readonly hasResult: boolean
  start(): Promise<void>
  cancel(): void
}
