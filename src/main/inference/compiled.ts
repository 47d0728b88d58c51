/** Plans that were made, kept for the next run that asks for the same graphs; plans of all kinds share their sessions. */
import { createHash } from 'node:crypto'
import { SpliceError } from '../../contract/errors.ts'
import { isOutOfMemory } from './memory.ts'
import { stampOf } from './models.ts'
import { type MappedCheckpoint, OpenSessions, type SessionSource, type StageSession } from './open-sessions.ts'
import { makePlan, type Plan, type PlanRequest, type Stage } from './plan.ts'
import { placementOf, type Target } from './sessions.ts'

export interface CompiledStage {
  readonly stage: Stage
  readonly session: StageSession
}

/** The stages of a plan, each with what runs it. */
export interface Compiled {
  readonly stages: readonly CompiledStage[]
}

interface KeptPlan extends Compiled {
  readonly sources: readonly SessionSource[]
  readonly graphBytes: number
}

/** Bytes of the graphs of plans that are kept: some 70 plans of a model of 26 layers. */
const mostGraphBytes = 16e6

/** Called between stages, so that a cancel can be heard; what it throws ends the opening of the plan. */
type BetweenStages = (label: string, fraction: number) => Promise<void>

/** A plan that is asked for. Equal keys mean equal graphs over unchanged files. */
export interface AskedPlan {
  readonly key: readonly unknown[]
  readonly request: () => PlanRequest
  readonly checkpoint: MappedCheckpoint
  /** Whether its sessions are opened when their stages first run, since not all of them do, or not all at a time. A device opens all of them now. */
  readonly asItGoes?: boolean
}

export class CompiledPlans {
  /** The last used last. */
  readonly #kept = new Map<string, KeptPlan>()
  readonly #sessions: OpenSessions

  constructor(sessions = new OpenSessions()) {
    this.#sessions = sessions
  }

  get mappedBytes(): number {
    return this.#sessions.mappedBytes
  }

  /** The plan, with as many of its sessions open as there is room for. `pause` is awaited before each of them is. */
  async get(asked: AskedPlan, target: Target, pause: BetweenStages): Promise<Compiled> {
    const key = JSON.stringify([target.provider, target.precision, ...asked.key])
    const plan = this.#kept.get(key) ?? (await this.#make(asked, target))
    this.#kept.delete(key)
    this.#kept.set(key, plan)
    this.#forget()
    if (target.provider !== 'cpu') await this.#openOnDevice(plan, pause)
    else if (asked.asItGoes !== true) await this.#open(plan, pause)
    return plan
  }

  async #make({ request, checkpoint }: AskedPlan, target: Target): Promise<KeptPlan> {
    const plan = makePlan({ ...request(), placement: placementOf(target) })
    const stamps = await stampsOf(plan)
    const sources = plan.stages.map(({ model, files, deviceBytes }): SessionSource => {
      const stamp = files.map(file => stamps.get(file)).join('|')
      const hash = createHash('sha256').update(model).digest('base64')
      return {
        key: JSON.stringify([target.provider, target.precision, hash, stamp]),
        model,
        target,
        deviceBytes: target.provider === 'cpu' ? 0 : deviceBytes,
        checkpoint,
        check: () => requireUnchanged(files, stamp)
      }
    })
    const stages = plan.stages.map((stage, at) => ({ stage, session: this.#sessions.session(sourceAt(sources, at)) }))
    return { stages, sources, graphBytes: sources.reduce((sum, { model }) => sum + model.length, 0) }
  }

  /** Lets go of the graphs that were not used for longest; the sessions of theirs that are open stay as long as there is room. */
  #forget(): void {
    let held = [...this.#kept.values()].reduce((sum, { graphBytes }) => sum + graphBytes, 0)
    for (const [key, { graphBytes }] of [...this.#kept].slice(0, -1)) {
      if (held <= mostGraphBytes) return
      held -= graphBytes
      this.#kept.delete(key)
    }
  }

  async #open({ stages, sources }: KeptPlan, pause: BetweenStages): Promise<void> {
    for (const [at, source] of sources.entries()) {
      if (!this.#sessions.isOpen(source)) await pause(stages[at]?.stage.label ?? '', at / sources.length)
      if (!(await this.#sessions.openAhead(source))) return
    }
  }

  /** A second time with the device's memory to itself, where it did not suffice. */
  async #openOnDevice(plan: KeptPlan, pause: BetweenStages): Promise<void> {
    const missing = plan.sources.filter(source => !this.#sessions.isOpen(source))
    const open = () => this.#open(plan, pause)
    await this.#sessions.makeDeviceRoom(missing.reduce((sum, { deviceBytes }) => sum + deviceBytes, 0))
    try {
      await open()
    } catch (thrown) {
      if (!isOutOfMemory(thrown) || !(await this.#sessions.makeDeviceRoom(Number.POSITIVE_INFINITY))) throw thrown
      await open()
    }
  }
}

function sourceAt(sources: readonly SessionSource[], at: number): SessionSource {
  const source = sources[at]
  if (source === undefined) throw new Error(`the plan has no stage ${at}`)
  return source
}

/** The stamps of the files that a plan's graphs map. */
async function stampsOf({ stages }: Plan): Promise<Map<string, string>> {
  const files = [...new Set(stages.flatMap(stage => stage.files))]
  return new Map(await Promise.all(files.map(async file => [file, await stampOf([file])] as const)))
}

/** Throws `checkpoint/changed` where a file is not what it was when its graph was written. */
async function requireUnchanged(files: readonly string[], stamp: string): Promise<void> {
  if ((await stampOf(files)) === stamp) return
  throw new SpliceError('checkpoint/changed', `${files.join(', ')} changed while it was in use`, { hint: 'Run it again.' })
}
