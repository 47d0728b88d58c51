import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { InferenceState } from '../../contract/engine.ts'
import { SpliceError } from '../../contract/errors.ts'
import type { InferenceJob } from '../inference/messages.ts'
import { InferenceProcess } from './inference-process.ts'

const demo = fileURLToPath(new URL('../../../resources/demo', import.meta.url))
const job: InferenceJob = {
  model: path.join(demo, 'model'),
  saes: [],
  prompt: { text: 'Once upon a time', prependBos: true },
  variants: [{ name: 'clean', splices: [] }],
  processing: [],
  layerOrder: 'checkpoint',
  topK: 3,
  topFeatures: 0,
  metricPositions: 'no-special',
  provider: 'cpu',
  hooks: 'all',
  cacheFolder: path.join(demo, 'cache-that-is-not-needed')
}

const opened: InferenceProcess[] = []
function start(): { inference: InferenceProcess; states: InferenceState[]; deaths: SpliceError[] } {
  const states: InferenceState[] = []
  const deaths: SpliceError[] = []
  const inference = new InferenceProcess({ onState: state => states.push(state), onDied: error => deaths.push(error) })
  opened.push(inference)
  return { inference, states, deaths }
}
afterEach(async () => {
  for (const inference of opened.splice(0)) await inference.close()
})

async function errorOf(work: Promise<unknown>): Promise<SpliceError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown
  )
  if (!(error instanceof SpliceError)) throw new Error(`expected a SpliceError, got ${error}`)
  return error
}

describe('the inference process', () => {
  test('runs one job after the other and tokenizes between them', async () => {
    const { inference } = start()
    const nothing = () => undefined
    const [first, second, tokens] = await Promise.all([
      inference.run(job, undefined, nothing),
      inference.run({ ...job, topK: 1 }, undefined, nothing),
      inference.tokenize(job.model, 'Once upon a time', true)
    ])
    expect(first.variants[0]?.topK.at(-1)?.map(({ text }) => text)[0]).toBe(' there')
    expect(second.variants[0]?.topK.at(-1)).toHaveLength(1)
    expect(tokens.tokens.map(({ text }) => text)).toEqual(['<bos>', 'Once', ' upon', ' a', ' time'])
  })

  test('a user mistake in a job leaves it running', async () => {
    const { inference, deaths } = start()
    const broken = await errorOf(inference.run({ ...job, model: '/nowhere' }, undefined, () => undefined))
    expect(broken).toMatchObject({ kind: 'checkpoint/no-folder', mistake: true })
    const before = inference.processId
    await inference.run(job, undefined, () => undefined)
    expect(inference.processId).toBe(before)
    expect(deaths).toEqual([])
  })

  test('killed in the middle of a run, it fails that run by name, comes back, and runs the next one', async () => {
    const { inference, states, deaths } = start()
    await inference.run(job, undefined, () => undefined)
    const killed = inference.processId
    let killedAt = ''
    const work = inference.run({ ...job, topK: 2 }, undefined, stage => {
      if (killedAt !== '' || killed === null) return
      killedAt = stage
      process.kill(killed, 'SIGKILL')
    })
    expect(await errorOf(work)).toMatchObject({ kind: 'inference/died', mistake: false })
    expect(killedAt).not.toBe('')
    expect(deaths).toHaveLength(1)
    const result = await inference.run(job, undefined, () => undefined)
    expect(result.variants).toHaveLength(1)
    expect(inference.processId).not.toBe(killed)
    expect(states).toContain('restarting')
  })

  test('a cancelled run ends as cancelled and the next one runs', async () => {
    const { inference, deaths } = start()
    await inference.run(job, undefined, () => undefined)
    const abort = new AbortController()
    const work = inference.run({ ...job, topK: 5 }, abort.signal, () => abort.abort())
    expect((await errorOf(work)).kind).toBe('run/cancelled')
    expect((await inference.run(job, undefined, () => undefined)).variants).toHaveLength(1)
    expect(deaths).toEqual([])
  })

  test('runs that were waiting go on after a kill', async () => {
    const { inference } = start()
    await inference.run(job, undefined, () => undefined)
    const killed = inference.processId ?? 0
    const first = errorOf(inference.run({ ...job, topK: 7 }, undefined, () => process.kill(killed, 'SIGKILL')))
    const second = inference.run({ ...job, topK: 8 }, undefined, () => undefined)
    expect((await first).kind).toBe('inference/died')
    expect((await second).variants[0]?.topK[0]).toHaveLength(8)
  })
})

test('a cancelled tokenization leaves a run that hangs alone; cancelling that run does not fail who waits beside it', async () => {
  const { inference } = start()
  await inference.run(job, undefined, () => undefined)
  const hanging = inference.processId ?? 0
  const abortRun = new AbortController()
  const run = errorOf(inference.run({ ...job, topK: 9 }, abortRun.signal, () => process.kill(hanging, 'SIGSTOP')))
  const abortTokens = new AbortController()
  const cancelledTokens = errorOf(inference.tokenize(job.model, 'Once', true, abortTokens.signal))
  const waitingTokens = inference.tokenize(job.model, 'Once', true)
  abortTokens.abort()
  expect((await cancelledTokens).kind).toBe('run/cancelled')
  expect(inference.processId).toBe(hanging)
  abortRun.abort()
  expect((await run).kind).toBe('run/cancelled')
  expect((await waitingTokens).tokens.map(({ text }) => text)).toEqual(['<bos>', 'Once'])
})
