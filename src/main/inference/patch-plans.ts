/** The sessions of patches: a model block by block, whole, and cut in two at each site. */
import type { PatchSite } from '../../contract/patching.ts'
import type { CompiledStage } from './compiled.ts'
import type { PairedPrompts } from './paired-prompts.ts'
import type { PlanRequest } from './plan.ts'
import type { InferenceState, Pause } from './run.ts'
import type { ProviderChoice } from './sessions.ts'

/** A block before and behind what a patch puts in. */
export interface CutBlock {
  readonly first: CompiledStage
  readonly second: CompiledStage
}

export interface PatchSessions {
  /** One for each layer; the first has the embedding, the last the final norm of all positions. */
  readonly blocks: readonly CompiledStage[]
  readonly cuts: ReadonlyMap<PatchSite, readonly CutBlock[]>
  /** Stages that read `final`; their pieces give whole logits too. */
  readonly readout: readonly CompiledStage[]
}

/** Opens them, a stage a block, so that patches begin in any layer. */
export async function openPatchSessions(
  { model, stamp }: PairedPrompts,
  sites: readonly PatchSite[],
  state: InferenceState,
  choice: ProviderChoice,
  pause: Pause
): Promise<PatchSessions> {
  const request = (patches: PatchSite | null) => (): PlanRequest => ({
    transformer: model.transformer,
    saes: [],
    capture: () => false,
    topK: 0,
    topFeatures: 0,
    gainsFolded: false,
    baseline: true,
    logits: true,
    attributes: 'all',
    ...(patches === null ? {} : { patches }),
    budget: { ...state.budget, blocks: 1 }
  })
  const plans = [null, ...new Set(sites)]
  const open = async (patches: PatchSite | null, place: number) => {
    const asked = { key: ['patching', stamp, patches], request: request(patches), checkpoint: model.checkpoint, asItGoes: patches !== null }
    const { stages } = await state.plans.get(asked, choice, (label, fraction) =>
      pause(`opening ${label}`, (0.05 * (place + fraction)) / plans.length)
    )
    return stages
  }
  const whole = await open(null, 0)
  const cuts = new Map<PatchSite, CutBlock[]>()
  for (const [place, site] of [...new Set(sites)].entries()) {
    const stages = await open(site, place + 1)
    const pairs: CutBlock[] = []
    for (let at = 0; at + 1 < stages.length; at += 2) {
      const [first, second] = [stages[at], stages[at + 1]]
      if (first !== undefined && second !== undefined) pairs.push({ first, second })
    }
    cuts.set(site, pairs)
  }
  return {
    blocks: whole.filter(({ stage }) => !stage.perPosition),
    readout: whole.filter(({ stage }) => stage.perPosition),
    cuts
  }
}
