/**
 * What a command writes to: results to stdout once they are whole, notes and progress to stderr. Names and texts of foreign files
 * may be among them: a terminal gets them without what would steer it, a pipe or a file as they are.
 */
import { escapeSteering } from '../../contract/errors.ts'

/** The outside of a command: its two outputs and the signal that Ctrl-C gives. */
export interface Terminal {
  /** Writes a result; settles when it has left this process. */
  readonly print: (text: string) => Promise<void>
  /** A line for the person, on stderr. */
  readonly note: (line: string) => void
  /** Shows how far the work is, on one line of stderr that is written over; nothing where stderr is no terminal. */
  readonly progress: (line: string) => void
  /** Whether it does. */
  readonly showsProgress: boolean
  readonly signal: AbortSignal
}

/** The terminal of this process. */
export function processTerminal(signal: AbortSignal): Terminal {
  const isTerminal = process.stderr.isTTY === true
  let shown = false
  process.stdout.on('error', error => {
    if (!isClosedPipe(error)) throw error
  })
  const clear = (): void => {
    if (shown) process.stderr.write('\r\u001b[K')
    shown = false
  }
  return {
    print: text => {
      clear()
      return new Promise((resolve, reject) => {
        process.stdout.write(process.stdout.isTTY === true ? escapeSteering(text) : text, error =>
          error && !isClosedPipe(error) ? reject(error) : resolve()
        )
      })
    },
    note: line => {
      clear()
      process.stderr.write(`${escapeSteering(line)}\n`)
    },
    progress: line => {
      if (!isTerminal) return
      process.stderr.write(`\r\u001b[K${escapeSteering(line)}`)
      shown = true
    },
    showsProgress: isTerminal,
    signal
  }
}

/** A reader that has seen enough (`splice search x | head`) is no failure. */
function isClosedPipe(error: Error): boolean {
  return 'code' in error && error.code === 'EPIPE'
}
