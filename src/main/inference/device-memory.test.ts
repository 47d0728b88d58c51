/** Plans on a device share its memory: the last used stay, and those of a job until it has ended. */
import { expect, test } from 'vitest'
import { DeviceMemory, keepingPlans, keptBytesOf } from './device-memory.ts'

function holder() {
  const memory = new DeviceMemory(async () => 100)
  const released: string[] = []
  const add = (name: string, bytes: number) => {
    const plan = {
      bytes,
      release: async () => {
        released.push(name)
        memory.remove(plan)
      }
    }
    memory.use(plan)
    return plan
  }
  return { memory, released, add }
}

test('half of the smallest memory that is known is the bound, and 2 GB at least', () => {
  const devices = (...bytes: (number | null)[]) => bytes.map(memoryBytes => ({ memoryBytes }))
  expect([[], [null], [0.5e9, 24e9], [24e9, null], [80e9, 24e9]].map(bytes => keptBytesOf(devices(...bytes)))).toEqual([
    2e9, 2e9, 2e9, 12e9, 12e9
  ])
})

test('plans within the bound stay', async () => {
  const { memory, released, add } = holder()
  add('a', 40)
  add('b', 40)
  expect(await memory.makeRoom(20)).toBe(false)
  expect(released).toEqual([])
})

test('those that were not used for longest go first, and no more than has to', async () => {
  const { memory, released, add } = holder()
  const [first] = [add('a', 40), add('b', 30), add('c', 30)]
  memory.use(first)
  expect(await memory.makeRoom(50)).toBe(true)
  expect(released).toEqual(['b', 'c'])
})

test('what a job uses stays until it has ended, however much another one wants', async () => {
  const { memory, released, add } = holder()
  const shared = add('shared', 10)
  const ended = Promise.withResolvers<void>()
  const job = keepingPlans(async () => {
    memory.use(shared)
    add('evaluation', 40)
    await ended.promise
  })
  add('a', 40)
  await keepingPlans(async () => memory.use(shared))
  expect(await memory.makeRoom(1000)).toBe(true)
  expect(released).toEqual(['a'])
  expect(await memory.makeRoom(Number.POSITIVE_INFINITY)).toBe(false)
  ended.resolve()
  await job
  expect(await memory.makeRoom(Number.POSITIVE_INFINITY)).toBe(true)
  expect(released).toEqual(['a', 'evaluation', 'shared'])
})
