/** Plans on a device share its memory: the last used stay. */
import { expect, test } from 'vitest'
import { DeviceMemory } from './device-memory.ts'

function holder() {
  const memory = new DeviceMemory(100)
  const released: string[] = []
  const add = (name: string, bytes: number, mayGive = true) => {
    const plan = memory.add({
      bytes,
      mayGive,
      release: async () => {
        released.push(name)
        memory.remove(plan)
      }
    })
    return plan
  }
  return { memory, released, add }
}

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
  memory.touch(first)
  expect(await memory.makeRoom(50)).toBe(true)
  expect(released).toEqual(['b', 'c'])
})

test('one that is larger than the bound has it to itself, but for what is in use', async () => {
  const { memory, released, add } = holder()
  add('evaluation', 40, false)
  add('a', 40)
  expect(await memory.makeRoom(1000)).toBe(true)
  expect(released).toEqual(['a'])
  expect(await memory.makeRoom(Number.POSITIVE_INFINITY)).toBe(false)
})
