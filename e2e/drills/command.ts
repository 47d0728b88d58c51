/** A command as a shell starts it, watched: what it leaves behind, processes and files, is found. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { type Outcome, startSplice } from '../splice-command.ts'
import { must } from './drill.ts'
import { until } from './patience.ts'
import { processesWith } from './processes.ts'

const variable = 'SPLICE_DRILL_COMMAND'

export interface WatchedCommand {
  readonly id: number
  readonly ended: Promise<Outcome>
  /** The processes that it has started and that still run, itself among them. */
  processes(): number[]
  interrupt(): void
  /** Throws when a process of it is left. */
  leavesNothing(): Promise<void>
}

/** Starts one. */
export function watchCommand(args: readonly string[], options: { home: string; env?: Record<string, string> }): WatchedCommand {
  const mark = randomBytes(8).toString('hex')
  const { child, ended } = startSplice(args, { home: options.home, env: { ...options.env, [variable]: mark } })
  must(child.pid !== undefined, 'the command did not start')
  return {
    id: child.pid,
    ended,
    processes: () => processesWith(variable, mark),
    interrupt: () => child.kill('SIGINT'),
    leavesNothing: () =>
      until(
        () => processesWith(variable, mark).length === 0,
        () => `processes of splice ${args[0]} are left: ${processesWith(variable, mark).join(', ')}`,
        5000
      )
  }
}

/** The process of a command that runs models. */
export function inferenceOf(command: WatchedCommand): number | null {
  return (
    command.processes().find(id => {
      try {
        return /inference(\.js|\/entry\.ts)/.test(fs.readFileSync(`/proc/${id}/cmdline`, 'utf8'))
      } catch {
        return false
      }
    }) ?? null
  )
}

/** Throws unless stderr is one line of ours, and stdout empty. */
export function saysOneLine({ code, stdout, stderr }: Outcome, expected: number, pattern: RegExp): void {
  must(code === expected, `it ended with ${code}, not ${expected}: ${stderr}`)
  must(stdout === '', `it printed a result: ${stdout.slice(0, 100)}`)
  must(/^splice: [^\n]+\n$/.test(stderr) && pattern.test(stderr), `it said: ${stderr}`)
}
