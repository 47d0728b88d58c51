/** What passes the readers must not end the inference process: it runs, or is refused in words. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SpliceError } from '../contract/errors.ts'
import { InferenceProcess } from '../main/engine/inference-process.ts'
import { Draws } from './draws.ts'
import { oddJob } from './odd-models.ts'

const isLong = process.env.SPLICE_LONG_TESTS !== undefined
const seed = Number(process.env.SPLICE_FUZZ_SEED ?? (isLong ? Date.now() % 2 ** 31 : 1))
const cases = isLong ? 1000 : 24

let root = ''
let inference: InferenceProcess
const deaths: string[] = []
beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-odd-'))
  const listener = { onState: () => undefined, onChange: () => undefined, onDied: (error: SpliceError) => deaths.push(error.message) }
  inference = new InferenceProcess(listener)
})
afterAll(async () => {
  await inference.close()
  fs.rmSync(root, { recursive: true, force: true })
})

test(
  `odd weights and configs run or are refused, seed ${seed}`,
  async () => {
    await inference.ready()
    const { processId } = inference
    const outcomes = { ran: 0, refused: 0 }
    for (let number = 0; number < cases; number++) {
      const folder = path.join(root, 'case')
      fs.rmSync(folder, { recursive: true, force: true })
      const job = oddJob(new Draws(seed, 'odd models', number), folder, path.join(root, 'scratch'))
      try {
        const { variants } = await inference.run(job, undefined, () => undefined)
        expect(variants.length).toBe(job.variants.length)
        outcomes.ran += 1
      } catch (thrown) {
        const error = thrown instanceof SpliceError ? { kind: thrown.kind, mistake: thrown.mistake, message: thrown.message } : thrown
        expect([number, error]).toEqual([
          number,
          expect.objectContaining({ kind: expect.not.stringMatching(/^(engine|inference)\//), mistake: true })
        ])
        outcomes.refused += 1
      }
      expect([number, deaths, inference.processId]).toEqual([number, [], processId])
    }
    expect(outcomes.ran).toBeGreaterThan(cases / 4)
    expect(outcomes.refused).toBeGreaterThan(0)
  },
  isLong ? 10 * 60_000 : 60_000
)
