/** Plans of all kinds share sessions and their budget, through the jobs that ask for them. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runRequest } from '../../contract/run.ts'
import { CompiledPlans } from './compiled.ts'
import type { InferenceJob } from './messages.ts'
import { OpenModels } from './models.ts'
import { keepingSessions, OpenSessions } from './open-sessions.ts'
import { defaultBudget } from './plan.ts'
import { type InferenceState, runJob } from './run.ts'
import { expectedThreads, holdingOf } from './session-budget.ts'

const demo = fileURLToPath(new URL('../../../resources/demo', import.meta.url))
const model = path.join(demo, 'model')
const saePath = path.join(demo, 'saes/demo-scope-res/layer_2/width_1k/average_l0_15')
const clean = { name: 'clean', splices: [] }
const spliced = { name: 'spliced', splices: [{ sae: 's', errorTerm: false }] }

function jobOf(folder: string, variants: readonly object[], topK = 3): InferenceJob {
  const saes = variants.length === 1 ? [] : [{ name: 's', path: saePath }]
  const request = runRequest.parse({ model: folder, saes, prompt: { text: 'Once upon a time' }, variants, topK })
  return { ...request, saes, processing: [], provider: 'cpu', cacheFolder: demo, save: undefined }
}

/** Sessions of a block each, with room for so many of them. */
function stateWith(room: number) {
  const bytes = room * holdingOf(8000, expectedThreads(), 0).bytes
  const sessions = new OpenSessions({ bytes, threads: 1e6, deviceBytes: async () => 0 }, () => null)
  const budget = { ...defaultBudget, blocks: 1 }
  const state: InferenceState = { models: new OpenModels(), plans: new CompiledPlans(sessions), budget }
  const opened: string[] = []
  const run = (job: InferenceJob) =>
    keepingSessions(() =>
      runJob(job, state, async label => {
        if (label.startsWith('opening ')) opened.push(label)
      })
    )
  return { sessions, run, opened: () => opened.splice(0).map(label => label.replace('opening ', '')) }
}

const lossesOf = ({ variants }: Awaited<ReturnType<typeof runJob>>) => variants.map(({ loss }) => Number(loss))

test('a repeated run opens nothing, and one that splices no more than the block of its splice and what compares', async () => {
  const { run, opened, sessions } = stateWith(1000)
  await run(jobOf(model, [clean]))
  expect(opened()).toEqual(['embed', 'block 1', 'block 2', 'block 3', 'vocabulary 0'])
  expect(sessions.held.sessions).toBe(5)
  await run(jobOf(model, [clean]))
  expect(opened()).toEqual([])
  await run(jobOf(model, [clean, spliced]))
  expect(opened()).toEqual(['block 2', 'vocabulary 0'])
  await run(jobOf(model, [clean, spliced]))
  await run(jobOf(model, [clean]))
  expect(opened()).toEqual([])
})

test('fifty different runs hold no more than the budget, and their numbers are those of one that has room', async () => {
  const [roomy, crowded] = [stateWith(1000), stateWith(3)]
  const [expected] = lossesOf(await roomy.run(jobOf(model, [clean])))
  for (let topK = 1; topK <= 50; topK++) {
    const result = await crowded.run(jobOf(model, [clean], topK))
    expect(lossesOf(result)).toEqual([expected])
    expect(crowded.sessions.held.sessions).toBeLessThanOrEqual(8)
  }
  expect(crowded.sessions.mappedBytes).toBe(roomy.sessions.mappedBytes)
})

test('a session that has to be opened again over a file that changed meanwhile is an error', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-changed-'))
  try {
    await fs.cp(model, folder, { recursive: true })
    const { run, sessions } = stateWith(1)
    const result = keepingSessions(async () => {
      const models = new OpenModels()
      let touched = false
      return runJob(
        jobOf(folder, [clean]),
        { models, plans: new CompiledPlans(sessions), budget: { ...defaultBudget, blocks: 1 } },
        async label => {
          if (touched || label.startsWith('opening ')) return
          touched = true
          const [file = ''] = (await fs.readdir(folder)).filter(name => name.endsWith('.safetensors'))
          await fs.utimes(path.join(folder, file), new Date(), new Date(0))
        }
      )
    })
    await expect(result).rejects.toMatchObject({ kind: 'checkpoint/changed', message: expect.stringContaining('.safetensors') })
    await run(jobOf(folder, [clean]))
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
})
