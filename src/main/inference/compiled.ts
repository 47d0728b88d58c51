/** Plans and their sessions, kept for the next run that asks for the same graphs. */
import type { InferenceSession } from 'onnxruntime-node'
import type { Provider } from '../../contract/run.ts'
import { makePlan, type PlanRequest, type Stage } from './plan.ts'
import { createSession } from './sessions.ts'

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

export class CompiledPlans {
  readonly #kept = new Map<string, Compiled>()
  readonly #most: number

  constructor(most = keptPlans) {
    this.#most = most
  }

  get mappedBytes(): number {
    return Math.max(0, ...[...this.#kept.values()].map(compiled => compiled.mappedBytes))
  }

  /**
   * The sessions for a key, made when they are not open. `pause` is awaited between stages, so that a cancel can be heard;
   * when it throws, the sessions made so far are released.
   */
  async get(
    key: string,
    request: () => PlanRequest,
    provider: Exclude<Provider, 'auto'>,
    mappedBytes: number,
    pause: (label: string, fraction: number) => Promise<void>
  ): Promise<Compiled> {
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      this.#kept.delete(key)
      this.#kept.set(key, kept)
      return kept
    }
    const stages: CompiledStage[] = []
    try {
      const plan = makePlan(request())
      for (const [index, stage] of plan.stages.entries()) {
        await pause(stage.label, index / plan.stages.length)
        stages.push({ stage, session: await createSession(stage.model, provider) })
      }
    } catch (thrown) {
      await release(stages)
      throw thrown
    }
    const compiled = { stages, mappedBytes }
    this.#kept.set(key, compiled)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > this.#most && oldest !== undefined) {
      const evicted = this.#kept.get(oldest)
      this.#kept.delete(oldest)
      if (evicted !== undefined) await release(evicted.stages)
    }
    return compiled
  }
}

async function release(stages: readonly CompiledStage[]): Promise<void> {
  for (const { session } of stages) await session.release()
}
