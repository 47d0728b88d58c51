/** Sessions share a budget: the last used stay, those of a job until it has ended, and a job that is over it opens and closes its own. */
import fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GraphBuilder } from '../onnx/graph.ts'
import { keepingSessions, OpenSessions, type SessionSource } from './open-sessions.ts'
import { deviceBytesOf, expectedThreads, holdingOf, machineBudget, threadsOfProcess } from './session-budget.ts'
import { onnxRuntime, standards } from './sessions.ts'

const chosenThreads = standards.threads
beforeAll(() => {
  standards.threads = 2
})
afterAll(() => {
  standards.threads = chosenThreads
})

/** A graph that adds a number, under a key of one letter and, on a device, what it would hold there. */
function adding(key: string, deviceBytes = 0): SessionSource & { readonly output: string } {
  const graph = new GraphBuilder()
  const x = graph.add(graph.input('x', 'float32', [1]), graph.scalar(numberOf(key)))
  const output = graph.output(x)
  const checkpoint = { folder: key, sizeBytes: numberOf(key) }
  const target = { provider: 'cpu', precision: 'fp32' } as const
  return { key, model: graph.encode(), target, deviceBytes, checkpoint, check: async () => undefined, output }
}

const numberOf = (key: string) => key.charCodeAt(0)
const one = holdingOf(adding('a').model.length, 1, 0).bytes

/** Room for so many sessions of the CPU, and so many bytes on a device. */
function roomFor(room: number, device = 100) {
  const sessions = new OpenSessions({ bytes: (room + 0.5) * one, threads: 1000, deviceBytes: async () => device }, () => null)
  const seen = [...'abcdefgh'].map(key => adding(key))
  const opened: string[] = []
  const run = async (key: string): Promise<number> => {
    const { Tensor } = await onnxRuntime()
    const source = { ...adding(key), check: async () => void opened.push(key) }
    const outputs = await sessions.session(source).run({ x: new Tensor('float32', [0.5], [1]) }, [source.output])
    return Number(outputs[source.output]?.data[0])
  }
  const runAll = async (keys: string) => {
    for (const key of keys) expect(await run(key)).toBe(numberOf(key) + 0.5)
  }
  const open = () =>
    seen
      .filter(source => sessions.isOpen(source))
      .map(({ key }) => key)
      .join('')
  return { sessions, run, runAll, open, opened }
}

describe('on the CPU', () => {
  test('the one that was not used for longest goes first', async () => {
    const { runAll, open, sessions } = roomFor(3)
    await runAll('abcad')
    expect(open()).toBe('acd')
    expect(sessions.held).toMatchObject({ sessions: 3, threads: 3, deviceBytes: 0 })
    expect(sessions.held.bytes / one).toBeCloseTo(3, 1)
    expect(sessions.mappedBytes).toBe(numberOf('a') + numberOf('c') + numberOf('d'))
  })

  test('threads are bounded, too', async () => {
    const sessions = new OpenSessions({ bytes: 1e9, threads: 2, deviceBytes: async () => 0 }, () => null)
    for (const key of 'abc') expect(await sessions.openAhead(adding(key))).toBe(true)
    expect(sessions.held).toMatchObject({ sessions: 2, threads: 2 })
  })

  test('what a job uses stays until it has ended, and another one goes on by opening and closing its own', async () => {
    const { runAll, open } = roomFor(3)
    const ended = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const standingBack = keepingSessions(async () => {
      await runAll('ab')
      begun.resolve()
      await ended.promise
    })
    await begun.promise
    await keepingSessions(() => runAll('cdefc'))
    expect(open()).toBe('abc')
    ended.resolve()
    await standingBack
    await runAll('defg')
    expect(open()).toBe('efg')
  })

  test('a job that is over the budget does not close what it will run soon', async () => {
    const { runAll, open, opened } = roomFor(3)
    await keepingSessions(async () => {
      await runAll('abcde')
      expect(open()).toBe('abe')
      await runAll('abcdeabcde')
    })
    // Those used for longest would be all 15.
    expect(opened.length).toBeLessThanOrEqual(10)
  })

  test('what a job has let go goes before what it will run again', async () => {
    const { runAll, open, sessions } = roomFor(3)
    await keepingSessions(async () => {
      await runAll('abc')
      sessions.session(adding('a')).letGo()
      await runAll('d')
      expect(open()).toBe('bcd')
    })
  })

  test('opening ahead stops where others of the job would have to go', async () => {
    const { open, sessions } = roomFor(2)
    await keepingSessions(async () => {
      const opened = []
      for (const key of 'abc') opened.push(await sessions.openAhead(adding(key)))
      expect(opened).toEqual([true, true, false])
    })
    expect(open()).toBe('ab')
  })

  test('a session that runs is not closed', async () => {
    const { run, open } = roomFor(1)
    expect(await Promise.all([...'aabb'].map(run))).toEqual([97.5, 97.5, 98.5, 98.5])
    await run('c')
    expect(open()).toBe('c')
  })

  test('a graph that cannot be opened holds nothing', async () => {
    const { sessions } = roomFor(2)
    const broken = { ...adding('a'), model: new Uint8Array([1, 2, 3]) }
    await expect(sessions.openAhead(broken)).rejects.toMatchObject({ kind: 'inference/session' })
    expect(sessions.held.sessions).toBe(0)
  })
})

describe('on a device', () => {
  test('the plan that is opened always may, and takes the room of those that no job uses', async () => {
    const { sessions } = roomFor(10)
    await sessions.openAhead(adding('a', 40))
    await sessions.openAhead(adding('b', 40))
    expect(await sessions.makeDeviceRoom(20)).toBe(false)
    await keepingSessions(async () => {
      expect(await sessions.makeDeviceRoom(70)).toBe(true)
      expect(sessions.isOpen(adding('a', 40))).toBe(false)
      for (const key of 'cd') expect(await sessions.openAhead(adding(key, 90))).toBe(true)
      expect(sessions.held).toMatchObject({ sessions: 2, deviceBytes: 180 })
      expect(await sessions.makeDeviceRoom(Number.POSITIVE_INFINITY)).toBe(false)
    })
    expect(await sessions.makeDeviceRoom(Number.POSITIVE_INFINITY)).toBe(true)
    expect(sessions.held.sessions).toBe(0)
  })

  test('sessions of the CPU do not go for it', async () => {
    const { sessions, runAll, open } = roomFor(10)
    await runAll('ab')
    expect(await sessions.makeDeviceRoom(Number.POSITIVE_INFINITY)).toBe(false)
    expect(open()).toBe('ab')
  })
})

test.runIf(process.platform === 'linux')('graphs one after the other take no more threads and memory than there is room for', async () => {
  standards.threads = null
  const anonymous = () => Number(/RssAnon:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  const graph = new GraphBuilder()
  let x = graph.input('x', 'float32', [1])
  for (let at = 0; at < 100; at++) x = graph.sigmoid(graph.add(x, graph.scalar(at)))
  graph.output(x)
  const source = { ...adding('a'), model: graph.encode() }
  const room = 8 * holdingOf(source.model.length, expectedThreads(), 0).bytes
  const sessions = new OpenSessions({ bytes: room, threads: 1000, deviceBytes: async () => 0 })
  for (let at = 0; at < 8; at++) await sessions.openAhead({ ...source, key: `first ${at}` })
  const [threads, megabytes] = [threadsOfProcess() ?? 0, anonymous()]
  for (let at = 0; at < 100; at++) await sessions.openAhead({ ...source, key: `next ${at}` })
  expect(sessions.held.sessions).toBeGreaterThanOrEqual(7)
  expect(threadsOfProcess()).toBeLessThanOrEqual(threads + 2)
  expect(anonymous() - megabytes).toBeLessThan(30)
})

test('half of the smallest memory that is known of devices is the bound, and 2 GB at least', () => {
  const devices = (...bytes: (number | null)[]) => bytes.map(memoryBytes => ({ memoryBytes }))
  expect([[], [null], [0.5e9, 24e9], [24e9, null], [80e9, 24e9]].map(bytes => deviceBytesOf(devices(...bytes)))).toEqual([
    2e9, 2e9, 2e9, 12e9, 12e9
  ])
})

test('the budget follows the machine', () => {
  expect(machineBudget(24e9, 2, Number.POSITIVE_INFINITY)).toMatchObject({ bytes: 375e6, threads: 1024 })
  expect(machineBudget(4e9, 16, Number.POSITIVE_INFINITY)).toMatchObject({ bytes: 128e6, threads: 1600 })
  expect(machineBudget(1e12, 64, 2000)).toMatchObject({ bytes: 512e6, threads: 500 })
})
