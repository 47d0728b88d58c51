/** A process that fuzzes, seen from a test: one that is at one case too long is ended, and the case is told. */
import { type ChildProcess, fork } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { AttackRequest } from './attacker.ts'

/** How long one case may compute, and how long it may take where it does not even that; ms. */
const computing = 5000
const waiting = 30_000
const lookEvery = 500

/** The processor time of a process, in ms; null where it cannot be told. Time on the clock says little of a process on a busy machine. */
function computedMs(processId: number | undefined): number | null {
  try {
    const [, , ...fields] = fs
      .readFileSync(`/proc/${processId}/stat`, 'latin1')
      .replace(/\(.*\)/, '')
      .split(' ')
    // utime and stime, in hundredths of a second.
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return null
  }
}

const outcome = z.object({
  cases: z.int(),
  read: z.int(),
  refused: z.int(),
  kinds: z.record(z.string(), z.int()),
  slowestMs: z.number()
})
const fromAttacker = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('case'), number: z.int() }),
  z.object({ kind: z.literal('done'), outcome, peakBytes: z.number() }),
  z.object({ kind: z.literal('defect'), message: z.string() })
])
export type Attacked = z.infer<typeof outcome> & { readonly peakBytes: number }

/** Where a process stands: its case, and when it began it, on the clock and by what it had computed. */
interface Standing {
  number: number
  since: number
  computed: number | null
}

export class AttackerProcess {
  readonly #heapMegabytes: number
  #child: ChildProcess | null = null

  /** `heapMegabytes` bounds JavaScript's memory of the process. */
  constructor(heapMegabytes: number) {
    this.#heapMegabytes = heapMegabytes
  }

  /** The process, which is another one after a case has ended it. */
  #start(): ChildProcess {
    if (this.#child !== null) return this.#child
    const entry = fileURLToPath(new URL('attacker.ts', import.meta.url))
    // What libraries print of broken files is of no use to anybody.
    const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const
    this.#child = fork(entry, [], { execArgv: [`--max-old-space-size=${this.#heapMegabytes}`], stdio: [...stdio] })
    return this.#child
  }

  /** Runs cases; throws what a case did that none may, naming the seed and the case by which it comes again. */
  attack(request: AttackRequest): Promise<Attacked> {
    const { reader, seed } = request
    const child = this.#start()
    const at: Standing = { number: request.from, since: performance.now(), computed: computedMs(child.pid) }
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearInterval(watch)
        child.removeAllListeners()
        settle()
      }
      const fail = (how: string) =>
        end(() => {
          this.close()
          reject(new Error(`${reader}, seed ${seed}, case ${at.number}: ${how}`))
        })
      const watch = setInterval(() => {
        const waited = performance.now() - at.since
        const now = computedMs(child.pid)
        const worked = now === null || at.computed === null ? waited : now - at.computed
        if (worked > computing) fail(`is not done after ${computing / 1000} s of work`)
        else if (waited > waiting) fail(`is not done after ${waiting / 1000} s`)
      }, lookEvery)
      child.on('message', raw => {
        const message = fromAttacker.parse(raw)
        at.since = performance.now()
        at.computed = computedMs(child.pid)
        if (message.kind === 'case') at.number = message.number
        else if (message.kind === 'done') end(() => resolve({ ...message.outcome, peakBytes: message.peakBytes }))
        else end(() => reject(new Error(message.message)))
      })
      child.on('exit', (code, signal) => fail(`ended the process (${signal ?? `exit code ${code}`})`))
      child.send(request)
    })
  }

  close(): void {
    this.#child?.removeAllListeners()
    this.#child?.kill('SIGKILL')
    this.#child = null
  }
}
