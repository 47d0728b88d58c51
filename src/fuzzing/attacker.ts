/**
 * A process that fuzzes readers: apart from the tests, so that a reader that never comes back can be ended, and that what it takes of
 * memory can be measured. Takes requests over IPC, says which case it is at, and what came of them.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { attack } from './attack.ts'
import { readers } from './readers/all.ts'
import { bombs } from './readers/bombs.ts'

export const attackRequest = z.object({ reader: z.string(), seed: z.int(), from: z.int(), count: z.int() })
export type AttackRequest = z.infer<typeof attackRequest>

process.on('message', raw => {
  const request = attackRequest.parse(raw)
  void run(request).then(
    outcome => process.send?.({ kind: 'done', outcome, peakBytes: process.resourceUsage().maxRSS * 1024 }),
    (thrown: unknown) =>
      process.send?.({ kind: 'defect', message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) })
  )
})
process.on('disconnect', () => process.exit(0))

async function run({ reader: name, seed, from, count }: AttackRequest) {
  const reader = [...readers, ...bombs].find(candidate => candidate.name === name)
  if (reader === undefined) throw new Error(`no reader is called ${name}`)
  const root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'splice-fuzz-'))
  try {
    return await attack(reader, { seed, from, count, root, onCase: number => process.send?.({ kind: 'case', number }) })
  } finally {
    fs.rmSync(root, { recursive: true, force: true })
  }
}
