/** Tries a drill so many times and counts what came of it. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { randomNumbers } from '../../fixtures/synthetic-explanations.ts'
import type { Drill, DrillOutcome, OpenDrill } from './drill.ts'
import { within } from './patience.ts'

/** How long an attempt may take, in ms. */
const patience = 180_000

/** `tell` hears each attempt as it ends. After a loss the drill is opened anew, in a fresh home. */
export async function tryDrill(
  drill: Drill,
  { times, seed, tell = () => undefined }: { times: number; seed: number; tell?: (line: string) => void }
): Promise<DrillOutcome> {
  const started = performance.now()
  const skipped = drill.unable?.() ?? null
  const losses: string[] = []
  let tried = 0
  if (skipped === null) {
    const random = randomNumbers(seed)
    for (let round = 0; round < times; ) {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-drill-'))
      let open: OpenDrill | null = null
      try {
        open = await within(drill.open({ folder, random }), `opening ${drill.name}`, patience)
        for (; round < times; round += 1) {
          tried += 1
          await within(open.attempt(round), `attempt ${round} of ${drill.name}`, patience)
          tell(`${drill.name} ${round + 1}/${times}`)
        }
      } catch (thrown) {
        const message = `attempt ${round} with seed ${seed}: ${thrown instanceof Error ? thrown.message : String(thrown)}`
        losses.push(message)
        tell(
          `${drill.name} ${message}${process.env.SPLICE_DRILL_STACKS === undefined || !(thrown instanceof Error) ? '' : `\n${thrown.stack}`}`
        )
        if (open === null) tried += 1
        round += 1
      } finally {
        await open?.close().catch(() => undefined)
        fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
      }
    }
  }
  return { drill, tried, survived: tried - losses.length, skipped, losses, seconds: (performance.now() - started) / 1000 }
}
