/** Providers that fail, drivers that crash, and memory that does not suffice: what is said, and that the next request works. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import { writeCrashingDriver } from '../doctor/crashing-driver-fixture.ts'
import { howToGetSoftwareGpu, softwareGpu } from '../doctor/software-gpu-fixture.ts'
import type { InferenceJob, InferenceResult } from '../inference/messages.ts'
import { makeTensors, writeCheckpoint } from '../transformer/reference/tiny-checkpoint.ts'
import { InferenceProcess } from './inference-process.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-provider-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

/** A model whose attention over thousands of tokens takes gigabytes: it is all heads. */
const wide = path.join(folder, 'wide')
const heads = 64
const config = {
  ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], vocab_size: 64, hidden_size: heads, intermediate_size: 8 },
  ...{ num_hidden_layers: 1, num_attention_heads: heads, num_key_value_heads: heads, head_dim: 2, max_position_embeddings: 8192 },
  ...{ rms_norm_eps: 1e-6, rope_theta: 10000, hidden_act: 'silu', tie_word_embeddings: true, bos_token_id: 2, eos_token_id: 1 }
}
await writeCheckpoint(wide, config, makeTensors(config, 'model.', {}, 'F32'), 'F32')

const demo = fileURLToPath(new URL('../../../resources/demo/model', import.meta.url))
const clean = [{ name: 'clean', splices: [] }]
const asked = { saes: [], variants: clean, processing: [], layerOrder: 'checkpoint', topK: 1, topFeatures: 0 } as const
const job = (more: Partial<InferenceJob>): InferenceJob => ({
  ...{ ...asked, saes: [], variants: clean, processing: [] },
  ...{ model: demo, prompt: { text: 'Once upon a time', prependBos: true }, metricPositions: 'no-special', provider: 'cpu', hooks: 'all' },
  cacheFolder: folder,
  ...more
})
const tokens = (count: number) => ({ ids: Array.from({ length: count }, (_, place) => 3 + (place % 60)) })

const opened: InferenceProcess[] = []
afterEach(async () => {
  for (const inference of opened.splice(0)) await inference.close()
  delete process.env.VK_DRIVER_FILES
})

interface Started {
  readonly inference: InferenceProcess
  readonly deaths: SpliceError[]
  run(job: InferenceJob): Promise<InferenceResult>
}

/** A process with a driver of Vulkan, if one is named. */
function start(driver: string | null, choice?: ConstructorParameters<typeof InferenceProcess>[1]): Started {
  process.env.VK_DRIVER_FILES = driver ?? path.join(folder, 'no-driver.json')
  const deaths: SpliceError[] = []
  const listener = { onState: () => undefined, onChange: () => undefined, onDied: (error: SpliceError) => deaths.push(error) }
  const inference = new InferenceProcess(listener, choice)
  opened.push(inference)
  return { inference, deaths, run: asks => inference.run(asks, undefined, () => undefined) }
}

async function errorOf(work: Promise<unknown>): Promise<SpliceError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown
  )
  if (!(error instanceof SpliceError)) throw new Error(`expected a SpliceError, got ${error}`)
  return error
}

const best = (result: InferenceResult) => result.variants[0]?.topK.at(-1)?.[0]?.text

if (softwareGpu === null) console.log(howToGetSoftwareGpu)

describe('a provider that does not start', () => {
  test('gives way to the CPU, with the reason in the result and as a warning', async () => {
    const { run, inference } = start(null)
    const result = await run(job({ provider: 'webgpu' }))
    expect(result).toMatchObject({ provider: 'cpu', providerReason: 'webgpu could not run this, so the CPU does' })
    expect(result.warnings).toEqual([expect.stringMatching(/^webgpu could not run this, so the CPU does: .*(adapter|Vulkan)/)])
    expect(best(result)).toBe(' there')
    expect(inference.providerFellBack).toBe(false)
  })
})

describe.skipIf(softwareGpu === null)('a driver that ends the process', () => {
  test('when it is tried: the CPU runs, also what asks for the provider by name, and it is not tried again', async () => {
    const { inference, deaths, run } = start(writeCrashingDriver(path.join(folder, 'driver')), { provider: 'webgpu', threads: null })
    await inference.ready()
    expect(inference).toMatchObject({
      provider: 'cpu',
      providerFellBack: true,
      providerReason: 'webgpu is chosen, but the CPU runs: the inference process ended (SIGILL) when it was tried'
    })
    const processId = inference.processId
    const [left, named] = [await run(job({ provider: 'auto' })), await run(job({ provider: 'webgpu' }))]
    expect([left.provider, named.provider, best(named)]).toEqual(['cpu', 'cpu', ' there'])
    expect(named.warnings).toEqual(['webgpu is not tried again, so the CPU runs: the inference process ended (SIGILL) when it was tried'])
    expect(inference.processId).toBe(processId)
    expect(deaths).toHaveLength(1)
  })

  test('when it is asked for by name: the run that asked is done by the CPU', async () => {
    const { deaths, run } = start(writeCrashingDriver(path.join(folder, 'driver')))
    const result = await run(job({ provider: 'webgpu' }))
    expect(result).toMatchObject({ provider: 'cpu', providerReason: 'webgpu is not tried again, so the CPU runs' })
    expect(result.warnings).toEqual(['webgpu is not tried again, so the CPU runs: the inference process ended (SIGILL) while it ran'])
    expect(best(result)).toBe(' there')
    expect(deaths.map(({ kind }) => kind)).toEqual(['inference/died'])
  })

  test('in the middle of a run: the CPU does it, and another choice tries the provider again', async () => {
    const { inference, run } = start(softwareGpu, { provider: 'webgpu', threads: null })
    await inference.ready()
    expect(inference).toMatchObject({ provider: 'webgpu', providerFellBack: false })
    const started = Promise.withResolvers<void>()
    const running = inference.run(job({ provider: 'auto' }), undefined, () => started.resolve())
    await started.promise
    process.kill(inference.processId ?? 0, 'SIGSEGV')
    const result = await running
    expect([result.provider, best(result)]).toEqual(['cpu', ' there'])
    expect(inference.providerReason).toContain('the inference process ended (SIGSEGV) while it ran')
    await inference.choose({ provider: 'webgpu', threads: null })
    expect((await run(job({ provider: 'auto' }))).provider).toBe('webgpu')
  })
})

describe('float16', () => {
  test('is refused where the CPU is to compute', async () => {
    const { run } = start(null)
    for (const provider of ['cpu', 'auto'] as const) {
      const error = await errorOf(run(job({ provider, precision: 'fp16' })))
      expect(error).toMatchObject({ kind: 'inference/precision', field: 'precision', mistake: true })
      expect(error.message).toContain('the CPU computes in float32')
    }
  })

  test('as a setting gives way to float32 there, and says so', async () => {
    const { inference, run } = start(null, { provider: 'cpu', threads: null, precision: 'fp16' })
    await inference.ready()
    expect(inference).toMatchObject({ provider: 'cpu', precision: 'fp32', providerFellBack: false })
    expect(inference.providerReason).toContain('float16 is for GPUs')
    expect(best(await run(job({ provider: 'auto' })))).toBe(' there')
  })

  test.skipIf(softwareGpu === null)('is refused on a device that has none, and as a setting gives way to float32', async () => {
    const { inference, run } = start(softwareGpu, { provider: 'webgpu', threads: null, precision: 'fp16' })
    await inference.ready()
    expect(inference).toMatchObject({ provider: 'webgpu', precision: 'fp32', providerFellBack: true })
    expect(inference.providerReason).toContain('this device has no float16')
    const error = await errorOf(run(job({ provider: 'webgpu', precision: 'fp16' })))
    expect(error).toMatchObject({ kind: 'inference/precision', message: expect.stringContaining('does not compute in float16') })
  })
})

/** What a process may take of memory that is its own, more than it has: `prlimit` of util-linux; null takes the limit away. */
function limitMemory(processId: number, moreBytes: number | null): void {
  const kilobytes = Number(/VmData:\s+(\d+)/.exec(readFileSync(`/proc/${processId}/status`, 'utf8'))?.[1])
  execFileSync('prlimit', [
    '--pid',
    String(processId),
    `--data=${moreBytes === null ? 'unlimited' : kilobytes * 1024 + moreBytes}:unlimited`
  ])
}

describe('memory that does not suffice', () => {
  test.skipIf(!existsSync('/usr/bin/prlimit'))('becomes an error with what the run takes; the process lives on', async () => {
    const { inference, deaths, run } = start(null)
    await run(job({}))
    const { processId } = inference
    limitMemory(processId ?? 0, 400e6)
    const error = await errorOf(run(job({ model: wide, prompt: tokens(2000) })))
    expect(error).toMatchObject({
      kind: 'inference/memory',
      // 64 heads, 2,000 x 2,000 scores, three of them at a time: 3.1 GB.
      message: 'the memory did not suffice: 1 row of 2,000 tokens takes about 3.1 GB of memory',
      hint: 'Shorten the prompt or run fewer variants at a time.',
      mistake: false
    })
    expect(best(await run(job({})))).toBe(' there')
    limitMemory(processId ?? 0, null)
    expect((await run(job({ model: wide, prompt: tokens(300) }))).tokens).toHaveLength(300)
    expect([inference.processId, deaths]).toEqual([processId, []])
  })

  test.skipIf(softwareGpu === null)('of a GPU does, too', async () => {
    const { inference, deaths, run } = start(softwareGpu)
    // SwiftShader gives no more than 1 GiB at a time; so many scores are 1.3 GB.
    const error = await errorOf(run(job({ model: wide, prompt: tokens(2300), provider: 'webgpu' })))
    expect(error.kind).toBe('inference/memory')
    expect(error.message).toMatch(
      /^the memory of webgpu's device did not suffice: 1 row of 2,300 tokens takes about 4\.1 GB of memory, and its weights about /
    )
    expect(error.hint).toContain('--provider cpu')
    const result = await run(job({ model: wide, prompt: tokens(20), provider: 'webgpu' }))
    expect([result.provider, result.warnings]).toEqual(['webgpu', []])
    expect([inference.state, deaths]).toEqual(['ready', []])
  })

  test.skipIf(process.platform === 'win32')('as the system ends the process for it: what the run would have taken is said', async () => {
    const { inference, run } = start(null)
    await inference.ready()
    const started = Promise.withResolvers<void>()
    const running = inference.run(job({ model: wide, prompt: tokens(1000) }), undefined, () => started.resolve())
    await started.promise
    process.kill(inference.processId ?? 0, 'SIGKILL')
    const error = await errorOf(running)
    expect(error).toMatchObject({
      kind: 'inference/died',
      message: expect.stringContaining('(1 row of 1,000 tokens takes about 0.8 GB of memory)')
    })
    expect(best(await run(job({})))).toBe(' there')
  })
})
