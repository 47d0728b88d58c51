/** Plans and their sessions, kept for the next run that asks for the same graphs. */
import type { InferenceSession } from 'onnxruntime-node'
import { type DeviceMemory, type DevicePlan, deviceMemory } from './device-memory.ts'
import { isOutOfMemory } from './memory.ts'
import { makePlan, type Plan, type PlanRequest, type Stage } from './plan.ts'
import { createSession, placementOf, type Target } from './sessions.ts'

export interface CompiledStage {
  readonly stage: Stage
  readonly session: InferenceSession
}

/** Sessions of one plan. `mappedBytes` counts the weights they map. */
export interface Compiled {
  readonly stages: readonly CompiledStage[]
  readonly mappedBytes: number
}

/** How many plans stay open; sessions over mapped weights are cheap. */
const keptPlans = 6

/** Called between stages, so that a cancel can be heard; what it throws ends the opening of the plan. */
type BetweenStages = (label: string, fraction: number) => Promise<void>

export class CompiledPlans {
  readonly #kept = new Map<string, Compiled & { readonly onDevice: DevicePlan | null }>()
  readonly #most: number
  readonly #device: DeviceMemory

  constructor(most = keptPlans, device = deviceMemory) {
    this.#most = most
    this.#device = device
  }

  get mappedBytes(): number {
    return Math.max(0, ...[...this.#kept.values()].map(compiled => compiled.mappedBytes))
  }

  /**
   * The sessions for graphs that a key stands for and a target, made when they are not open. `pause` is awaited between stages; when it throws, the sessions
   * made so far are released. Plans on a device give way to one that needs their memory.
   */
  async get(graphs: string, request: () => PlanRequest, target: Target, mappedBytes: number, pause: BetweenStages): Promise<Compiled> {
    const key = JSON.stringify([target.provider, target.precision, graphs])
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      this.#kept.delete(key)
      this.#kept.set(key, kept)
      if (kept.onDevice !== null) this.#device.use(kept.onDevice)
      return kept
    }
    const plan = makePlan({ ...request(), placement: placementOf(target) })
    const isOnDevice = target.provider !== 'cpu'
    const deviceBytes = plan.stages.reduce((sum, stage) => sum + stage.deviceBytes, 0)
    if (isOnDevice) await this.#device.makeRoom(deviceBytes)
    const stages = await this.#open(plan, target, pause)
    const onDevice = isOnDevice ? { bytes: deviceBytes, release: () => this.#drop(key) } : null
    if (onDevice !== null) this.#device.use(onDevice)
    const compiled = { stages, mappedBytes, onDevice }
    this.#kept.set(key, compiled)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > this.#most && oldest !== undefined) await this.#drop(oldest)
    return compiled
  }

  /** Opens a plan's sessions; a second time, with the device's memory to itself, where it did not suffice. */
  async #open(plan: Plan, target: Target, pause: BetweenStages): Promise<CompiledStage[]> {
    try {
      return await openStages(plan, target, pause)
    } catch (thrown) {
      const mayHelp = target.provider !== 'cpu' && isOutOfMemory(thrown) && (await this.#device.makeRoom(Number.POSITIVE_INFINITY))
      if (!mayHelp) throw thrown
      return openStages(plan, target, pause)
    }
  }

  async #drop(key: string): Promise<void> {
    const compiled = this.#kept.get(key)
    this.#kept.delete(key)
    if (compiled === undefined) return
    if (compiled.onDevice !== null) this.#device.remove(compiled.onDevice)
    await release(compiled.stages)
  }
}

async function openStages(plan: Plan, target: Target, pause: BetweenStages): Promise<CompiledStage[]> {
  const stages: CompiledStage[] = []
  try {
    for (const [index, stage] of plan.stages.entries()) {
      await pause(stage.label, index / plan.stages.length)
      stages.push({ stage, session: await createSession(stage.model, target) })
    }
    return stages
  } catch (thrown) {
    await release(stages)
    throw thrown
  }
}

async function release(stages: readonly CompiledStage[]): Promise<void> {
  for (const { session } of stages) await session.release()
}
