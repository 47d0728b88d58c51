/**
 * What sessions hold, and what those that are open may hold together. Mapped weights are pages of the system's cache and cost nothing. What
 * costs is a session's copy of its graph, the threads that it starts, one for each core but the first, and on a device its weights.
 */
import fs from 'node:fs'
import os from 'node:os'
import { graphicsDevices } from '../machine/graphics-devices.ts'
import { standards } from './sessions.ts'

/** Anonymous memory in bytes, threads, and bytes of a device's memory. */
export interface Holding {
  readonly bytes: number
  readonly threads: number
  readonly deviceBytes: number
}

/** What sessions may hold together; what they may on a device is asked when the first one is opened there. */
export interface SessionBudget extends Pick<Holding, 'bytes' | 'threads'> {
  deviceBytes(): Promise<number>
}

/** Bytes of a session by what it is made of, measured once it has run: bench/sessions.ts. Its small constants are in the graph. */
const cost = { base: 30e3, perThread: 45e3, perGraphByte: 105 }

/** About what a session over a graph of so many bytes holds. */
export function holdingOf(graphBytes: number, threads: number, deviceBytes: number): Holding {
  return { bytes: cost.base + cost.perThread * threads + cost.perGraphByte * graphBytes, threads, deviceBytes }
}

/** Threads that a session starts, before one was seen. */
export function expectedThreads(): number {
  return (standards.threads ?? os.availableParallelism()) - 1
}

/** Threads of this process; null where the system does not say. */
export function threadsOfProcess(): number | null {
  try {
    return Number(/^Threads:\s+(\d+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN)
  } catch {
    return null
  }
}

/** How many processes and threads a container lets its processes have together. */
function mostOfContainer(): number {
  for (const file of ['/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/pids/pids.max']) {
    try {
      const most = Number(fs.readFileSync(file, 'utf8'))
      return Number.isFinite(most) ? most : Number.POSITIVE_INFINITY
    } catch {
      // Another version of control groups, or none.
    }
  }
  return Number.POSITIVE_INFINITY
}

/** Sessions whose threads may be open whatever the number of cores: two plans of a model of 26 layers. */
const sessionsOfThreads = 100
/** Bytes of weights that sessions may hold on a device besides those in use, where the system does not say how much memory devices have. */
const leastDeviceBytes = 2e9

/** Half of a device's memory; the smallest one's where there are several, since nothing says which of them a provider takes. */
export function deviceBytesOf(devices: readonly { readonly memoryBytes: number | null }[]): number {
  const known = devices.flatMap(({ memoryBytes }) => (memoryBytes === null ? [] : [memoryBytes]))
  return Math.max(leastDeviceBytes, known.length === 0 ? 0 : Math.min(...known) / 2)
}

/** What open sessions may hold on this machine: a 64th of its memory, 128 to 512 MB, and the threads of a hundred sessions, at least 1,024. */
export function machineBudget(
  memory = memoryOfMachine(),
  cores = os.availableParallelism(),
  mostThreads = mostOfContainer()
): SessionBudget {
  return {
    bytes: Math.min(512e6, Math.max(128e6, memory / 64)),
    threads: Math.min(Math.max(1024, sessionsOfThreads * cores), mostThreads / 4),
    deviceBytes: async () => deviceBytesOf(await graphicsDevices())
  }
}

/** Of the container where there is one. */
function memoryOfMachine(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(os.totalmem(), constrained) : os.totalmem()
}
