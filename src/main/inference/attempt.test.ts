/** What becomes of a job whose provider fails while it runs. The provider is one that says what drivers and runtimes say. */
import { expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import { type Attempted, attempt } from './attempt.ts'
import type { MemoryNeed } from './memory.ts'
import { chooseProvider } from './sessions.ts'

const need: MemoryNeed = { rows: 2, positions: 1000, bytes: 3e9, deviceBytes: 5e9 }

/** Fails with `message` wherever the CPU does not run. */
function job(message: string, more: Partial<Attempted> = {}) {
  const asked: Attempted = { provider: 'cuda', mayRepeat: () => true, need: async () => need, ...more }
  const ran: string[] = []
  const work = async () => {
    const choice = chooseProvider(asked.provider, asked.precision)
    ran.push(choice.provider)
    if (choice.provider !== 'cpu') throw new Error(message)
    return choice
  }
  return { ran, done: attempt(work, asked) }
}

const errorOf = async (work: Promise<unknown>) => {
  const thrown = await work.catch((error: unknown) => error)
  if (thrown instanceof SpliceError) return thrown
  throw new Error(`expected a SpliceError, got ${thrown}`)
}

test('the CPU does what the device could not, and says why', async () => {
  const { ran, done } = job('Non-zero status code returned while running Gather node. CUDNN_STATUS_NOT_SUPPORTED')
  expect(await done).toMatchObject({
    provider: 'cpu',
    precision: 'fp32',
    reason: 'cuda could not run this, so the CPU does',
    warning: expect.stringContaining('CUDNN_STATUS_NOT_SUPPORTED')
  })
  expect(ran).toEqual(['cuda', 'cpu'])
  expect(chooseProvider('cuda').provider).toBe('cuda')
})

test('a job of which something was told already fails instead', async () => {
  const { ran, done } = job('WebGPU device lost', { mayRepeat: () => false })
  expect(await errorOf(done)).toMatchObject({ kind: 'inference/session', message: 'cuda failed: WebGPU device lost' })
  expect(ran).toEqual(['cuda'])
})

test.each([
  'CUDA failure 2: out of memory ; GPU=0',
  'BFC Arena ran out of memory trying to allocate 123 bytes',
  'WebGPU validation failed. Buffer size (1200000000) exceeds the max buffer size limit (1073741824).',
  'WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.',
  'vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY',
  '8007000E Not enough memory resources are available to complete this operation.'
])('memory that does not suffice is no reason for the CPU: %s', async message => {
  const { ran, done } = job(message)
  expect(await errorOf(done)).toMatchObject({
    kind: 'inference/memory',
    message:
      "the memory of cuda's device did not suffice: 2 rows of 1,000 tokens take about 3.0 GB of memory, and its weights about 5.0 GB of the device's",
    hint: 'Shorten the prompt or run fewer variants at a time, halve the weights with --precision fp16, or run on the CPU (--provider cpu).'
  })
  expect(ran).toEqual(['cuda'])
})

test('a device without float16 is told by name', async () => {
  const { done } = job('Program MatMul requires f16 but the device does not support it.', { precision: 'fp16' })
  expect(await errorOf(done)).toMatchObject({ kind: 'inference/precision', field: 'precision' })
})

test('what is wrong with the job itself stays as it is', async () => {
  const wrong = new SpliceError('run/too-long', 'too long')
  await expect(attempt(() => Promise.reject(wrong), { provider: 'cuda', mayRepeat: () => true, need: async () => null })).rejects.toBe(
    wrong
  )
})
