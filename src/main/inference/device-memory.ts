/**
 * Plans that hold weights in a device's memory. A plan of mapped weights costs next to nothing to keep; one on a device has a copy of
 * all weights that it uses, and nothing says how much memory is left. So those of this process share a bound, the last used stay, and
 * the plan that is opened always may.
 */

/** A plan on a device. `release` closes its sessions; it `mayGive` way unless it may be running. */
export interface DevicePlan {
  readonly bytes: number
  readonly mayGive: boolean
  release(): Promise<void>
}

/** Bytes of weights that plans may hold besides the one in use. */
const keptBytes = 2e9

export class DeviceMemory {
  /** The last used last. */
  readonly #plans = new Set<DevicePlan>()
  readonly #most: number

  constructor(most = keptBytes) {
    this.#most = most
  }

  /** Releases plans, those first that were not used for longest, until so many bytes more are within the bound; whether any went. */
  async makeRoom(bytes: number): Promise<boolean> {
    let held = [...this.#plans].reduce((sum, plan) => sum + plan.bytes, 0)
    let went = false
    for (const plan of [...this.#plans].filter(({ mayGive }) => mayGive)) {
      if (held + bytes <= this.#most) break
      held -= plan.bytes
      went = true
      await plan.release()
    }
    return went
  }

  add(plan: DevicePlan): DevicePlan {
    this.#plans.add(plan)
    return plan
  }

  /** A plan is used again. */
  touch(plan: DevicePlan): void {
    if (this.#plans.delete(plan)) this.#plans.add(plan)
  }

  remove(plan: DevicePlan): void {
    this.#plans.delete(plan)
  }
}

/** Of this process. */
export const deviceMemory = new DeviceMemory()
