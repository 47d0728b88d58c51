import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { InferenceState } from '../../contract/engine.ts'
import { SpliceError } from '../../contract/errors.ts'
import type { EvaluationJob } from '../inference/evaluation-messages.ts'
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
function start(choice?: ConstructorParameters<typeof InferenceProcess>[1]): {
  inference: InferenceProcess
  states: InferenceState[]
  deaths: SpliceError[]
} {
  const states: InferenceState[] = []
  const deaths: SpliceError[] = []
  const listener = { onState: (state: InferenceState) => states.push(state), onDied: (error: SpliceError) => deaths.push(error) }
  const inference = new InferenceProcess({ ...listener, onChange: () => undefined }, choice)
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
      inference.tokenize(job.model, { text: 'Once upon a time', prependBos: true })
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
  const cancelledTokens = errorOf(inference.tokenize(job.model, { text: 'Once', prependBos: true }, abortTokens.signal))
  const waitingTokens = inference.tokenize(job.model, { text: 'Once', prependBos: true })
  abortTokens.abort()
  expect((await cancelledTokens).kind).toBe('run/cancelled')
  expect(inference.processId).toBe(hanging)
  abortRun.abort()
  expect((await run).kind).toBe('run/cancelled')
  expect((await waitingTokens).tokens.map(({ text }) => text)).toEqual(['<bos>', 'Once'])
})

test('started anew it holds nothing of what was open, and has the threads of the beginning', async () => {
  const { inference } = start()
  await inference.ready()
  const threads = () => Number(/^Threads:\s+(\d+)$/m.exec(readFileSync(`/proc/${inference.processId}/status`, 'utf8'))?.[1])
  const before = process.platform === 'linux' ? threads() : 0
  await inference.run({ ...job, topK: 4 }, undefined, () => undefined)
  expect(inference.mappedBytes).toBeGreaterThan(1e6)
  await inference.restart()
  expect(inference.mappedBytes).toBe(0)
  if (process.platform === 'linux') expect(threads()).toBeLessThanOrEqual(before + 1)
})

describe('a pass of an evaluation', () => {
  const [sequences, length] = [8, 100]
  const everywhere = (value: number) => new Uint8Array(sequences * length).fill(value)
  const pass: EvaluationJob = {
    model: job.model,
    sae: { name: 'sae', path: path.join(demo, 'saes/demo-scope-res/layer_2/width_1k/average_l0_15') },
    processing: [],
    layerOrder: 'checkpoint',
    provider: 'cpu',
    cacheFolder: job.cacheFolder,
    ids: Int32Array.from({ length: sequences * length }, (_, at) => 2 + ((at * 37) % 2000)),
    length,
    rows: [
      { zero: false, mask: everywhere(0) },
      { zero: false, mask: everywhere(1) }
    ],
    counted: new Float32Array(2 * sequences * length).fill(1)
  }

  test('gives way to a run, and goes on behind it', async () => {
    const { inference } = start()
    const ended: string[] = []
    const evaluated = inference.evaluate(pass, undefined).finally(() => ended.push('pass'))
    await inference.run(job, undefined, () => undefined).finally(() => ended.push('run'))
    const { numbers } = await evaluated
    expect(ended).toEqual(['run', 'pass'])
    expect([numbers.active.length, numbers.logProbs.length, numbers.featureCounts.length]).toEqual([800, 1600, 2048])
    expect(inference.state).toBe('ready')
  })

  test('is begun again where the process is killed for a cancelled run, and a run where it is for a cancelled pass', async () => {
    const { inference } = start()
    const [first, again] = [new AbortController(), new AbortController()]
    const hanging = () => process.kill(inference.processId ?? 0, 'SIGSTOP')
    const cancelledRun = errorOf(inference.run(job, first.signal, hanging))
    const evaluated = inference.evaluate(pass, undefined)
    await new Promise(resolve => setTimeout(resolve, 100))
    first.abort()
    expect((await cancelledRun).kind).toBe('run/cancelled')
    expect((await evaluated).numbers.active).toHaveLength(800)

    const cancelledPass = errorOf(inference.evaluate(pass, again.signal))
    let hasHung = false
    const run = inference.run(job, undefined, () => {
      if (!hasHung) hanging()
      hasHung = true
    })
    await new Promise(resolve => setTimeout(resolve, 100))
    again.abort()
    expect((await cancelledPass).kind).toBe('run/cancelled')
    expect((await run).variants).toHaveLength(1)
  })
})

describe('what processes run with', () => {
  const nothing = () => undefined

  test('is the CPU and the number of threads that is chosen, as soon as the process says so', async () => {
    const { inference } = start({ provider: 'cpu', threads: 1 })
    await inference.ready()
    expect(inference).toMatchObject({ provider: 'cpu', providerFellBack: false, threads: 1 })
    expect(inference.providers).toContain('cpu')
  })

  test('is the CPU where the provider that is chosen does not exist in this build, which is said', async () => {
    const { inference } = start({ provider: 'coreml', threads: null })
    await inference.ready()
    expect(inference.providers).not.toContain('coreml')
    expect(inference).toMatchObject({ provider: 'cpu', providerFellBack: true, providerReason: expect.stringContaining('has no coreml') })
    expect((await inference.run({ ...job, provider: 'auto' }, undefined, nothing)).provider).toBe('cpu')
  })

  test('is the CPU after a process that ended while the provider was tried, which is not tried again and again', async () => {
    const { inference, deaths } = start({ provider: 'webgpu', threads: null })
    inference.start()
    const { processId } = inference
    if (processId === null) throw new Error('there is no process')
    process.kill(processId, 'SIGKILL')
    await inference.ready()
    expect(inference).toMatchObject({
      provider: 'cpu',
      providerFellBack: true,
      providerReason: expect.stringContaining('(SIGKILL) when it was tried')
    })
    expect(deaths.map(({ kind }) => kind)).toEqual(['inference/died'])
    expect((await inference.run({ ...job, provider: 'auto' }, undefined, nothing)).provider).toBe('cpu')
  })

  test('changes with another process, after what is under way', async () => {
    const { inference, deaths } = start()
    await inference.ready()
    const before = inference.processId
    const running = inference.run(job, undefined, nothing)
    await inference.choose({ provider: 'cpu', threads: 1 })
    expect((await running).variants[0]?.topK.at(-1)?.[0]?.text).toBe(' there')
    expect(inference.processId).not.toBe(before)
    expect(inference.threads).toBe(1)
    expect((await inference.run(job, undefined, nothing)).variants[0]?.topK.at(-1)?.[0]?.text).toBe(' there')
    expect(inference.residentBytes).toBeGreaterThan(10e6)
    expect(deaths).toEqual([])
  })
})
