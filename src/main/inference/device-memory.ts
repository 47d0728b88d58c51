/**
 * Plans that hold weights in a device's memory. A plan of mapped weights costs next to nothing to keep; one on a device has a copy of
 * all weights that it uses, and nothing says how much memory is left. So those of this process share a bound, the last used stay, and
 * the plan that is opened always may.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { graphicsDevices } from '../machine/graphics-devices.ts'

/** A plan on a device. `release` closes its sessions. */
export interface DevicePlan {
  readonly bytes: number
  release(): Promise<void>
}

/** The plans that the job under way has used. */
const usedByJob = new AsyncLocalStorage<Set<DevicePlan>>()
/** How many jobs use a plan. */
const users = new Map<DevicePlan, number>()

/** Does a job's work; the plans that it uses stay until it has ended, whatever is opened meanwhile. */
export async function keepingPlans<Result>(work: () => Promise<Result>): Promise<Result> {
  const used = new Set<DevicePlan>()
  try {
    return await usedByJob.run(used, work)
  } finally {
    for (const plan of used) {
      const others = (users.get(plan) ?? 1) - 1
      if (others === 0) users.delete(plan)
      else users.set(plan, others)
    }
  }
}

/** Bytes of weights that plans may hold besides the one in use, where the system does not say how much memory devices have. */
const leastKeptBytes = 2e9

/** Half of a device's memory; the smallest one's where there are several, since nothing says which of them a provider takes. */
export function keptBytesOf(devices: readonly { readonly memoryBytes: number | null }[]): number {
  const known = devices.flatMap(({ memoryBytes }) => (memoryBytes === null ? [] : [memoryBytes]))
  return Math.max(leastKeptBytes, known.length === 0 ? 0 : Math.min(...known) / 2)
}

export class DeviceMemory {
  /** The last used last. */
  readonly #plans = new Set<DevicePlan>()
  readonly #findMost: () => Promise<number>
  #most: Promise<number> | undefined

  /** `findMost`: bytes that plans may hold, asked when the first one is opened. */
  constructor(findMost: () => Promise<number>) {
    this.#findMost = findMost
  }

  /** Releases plans, those first that were not used for longest, until so many bytes more are within the bound; whether any went. */
  async makeRoom(bytes: number): Promise<boolean> {
    this.#most ??= this.#findMost()
    const most = await this.#most
    let held = [...this.#plans].reduce((sum, plan) => sum + plan.bytes, 0)
    let went = false
    for (const plan of [...this.#plans].filter(candidate => !users.has(candidate))) {
      if (held + bytes <= most) break
      held -= plan.bytes
      went = true
      await plan.release()
    }
    return went
  }

  /** A plan is opened, or used again, by the job under way. */
  use(plan: DevicePlan): void {
    this.#plans.delete(plan)
    this.#plans.add(plan)
    const used = usedByJob.getStore()
    if (used === undefined || used.has(plan)) return
    used.add(plan)
    users.set(plan, (users.get(plan) ?? 0) + 1)
  }

  remove(plan: DevicePlan): void {
    this.#plans.delete(plan)
  }
}

/** Of this process. */
export const deviceMemory = new DeviceMemory(async () => keptBytesOf(await graphicsDevices()))
