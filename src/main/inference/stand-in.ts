/** The CPU in the place of a provider that could not run a job: in force for all that is awaited inside, and for no job beside it. */
import { AsyncLocalStorage } from 'node:async_hooks'

/** `reason` says in a few words why the CPU runs, `warning` what went wrong. */
export const standIn = new AsyncLocalStorage<{ readonly reason: string; readonly warning: string }>()
