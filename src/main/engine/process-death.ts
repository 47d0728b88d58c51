/** How the inference process ended, and what follows from it. */
import { SpliceError } from '../../contract/errors.ts'

/** Signals of a program that went wrong by itself: a driver's, ONNX Runtime's, or a mapped file's that is shorter than it was. */
const crashes = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP'])

/** Windows' codes for the same. */
const firstCrashCode = 0xc0000000

export interface ProcessDeath {
  /** The signal, or `exit code N`. */
  readonly how: string
  /** Whether the process went wrong by itself; the provider that it ran is not tried again then. */
  readonly isCrash: boolean
  /** Whether that is what a lack of memory looks like: the system's, or V8's. */
  readonly mayBeMemory: boolean
}

export function processDeath(code: number | null, signal: NodeJS.Signals | null): ProcessDeath {
  return {
    how: signal ?? `exit code ${code}`,
    isCrash: signal === null ? (code ?? 0) >= firstCrashCode : crashes.has(signal),
    mayBeMemory: signal === 'SIGKILL' || signal === 'SIGABRT'
  }
}

/** The error for what was under way. `need` says in words what it would have taken, null where that is not known. */
export function diedError({ how, mayBeMemory }: ProcessDeath, need: string | null): SpliceError {
  const memory = mayBeMemory && need !== null ? `, maybe for want of memory (${need})` : ''
  return new SpliceError('inference/died', `the inference process ended (${how})${memory}; a new one is starting`, {
    mistake: false,
    hint: 'Run again. If it ends each time, the model may not fit in memory: shorten the prompt, or run fewer variants at a time.'
  })
}

/** How much of what it printed is kept, in bytes. */
const keptBytes = 4096

/**
 * What a process prints on stderr. Drivers and ONNX Runtime print there what is also thrown, or is no matter at all: it is passed on when the
 * process has ended by itself, or where SPLICE_DEBUG is set.
 */
export class LastWords {
  #kept = Buffer.alloc(0)

  hear(chunk: Buffer): void {
    if (process.env.SPLICE_DEBUG !== undefined) process.stderr.write(chunk)
    else this.#kept = Buffer.concat([this.#kept, chunk]).subarray(-keptBytes)
  }

  say(): void {
    process.stderr.write(this.#kept)
    this.#kept = Buffer.alloc(0)
  }
}
