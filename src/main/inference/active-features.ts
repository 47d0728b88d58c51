/** All active features of one SAE on a prompt, in every variant, in one forward pass that ends where the last variant has been read. */
import { SpliceError } from '../../contract/errors.ts'
import { mostEntries } from '../../contract/feature-readings.ts'
import type { InferenceJob, ReadFeatures } from './messages.ts'
import type { PlanRequest } from './plan.ts'
import { compileOrFallBack, type InferenceState, noSink, type Pause, prepare, StageOutputs, saeKey } from './run.ts'
import { chooseProvider } from './sessions.ts'

/** TopK gives these many at most, whatever the prompt's length. */
const mostPerPosition = 4096

/** A round number of features per position with which a reading stays within its bound: graphs are kept by it. */
function perPositionOf(dSae: number, rows: number): number {
  const bound = Math.min(mostPerPosition, mostEntries / rows)
  return Math.min(dSae, 2 ** Math.floor(Math.log2(Math.max(1, bound))))
}

/** Reads an SAE's features. Throws what is wrong with the job's files or its request. */
export async function readFeatures(job: InferenceJob, name: string, state: InferenceState, pause: Pause): Promise<ReadFeatures> {
  if (!job.saes.some(sae => sae.name === name)) {
    throw new SpliceError('features/no-such-sae', `this run has no SAE ${name}`, {
      field: 'sae',
      hint: `Its SAEs: ${job.saes.map(sae => sae.name).join(', ') || 'none'}.`
    })
  }
  const used = new Set(job.variants.flatMap(({ splices, edits = [] }) => [...splices, ...edits].map(({ sae }) => sae)))
  const narrowed: InferenceJob = { ...job, saes: job.saes.filter(sae => sae.name === name || used.has(sae.name)), save: undefined }
  const prepared = await prepare(narrowed, state)
  const { model, saes, tokens } = prepared
  const dSae = saes.find(sae => sae.name === name)?.sae.dSae ?? 0
  const perPosition = perPositionOf(dSae, tokens.length * job.variants.length)
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes,
    capture: () => false,
    topK: 1,
    topFeatures: perPosition,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: false,
    logits: false,
    predictions: 'none',
    budget: state.budget
  })
  const key = ['features', prepared.stamp, saes.map(saeKey), perPosition]
  const { compiled } = await compileOrFallBack(
    choice =>
      state.plans.get({ key, request, checkpoint: model.checkpoint }, choice, (label, fraction) =>
        pause(`opening ${label}`, fraction * 0.3)
      ),
    chooseProvider(job.provider, job.precision)
  )
  const last = compiled.stages.findLastIndex(({ stage }) => stage.measures.has(name))
  const outputs = new StageOutputs(prepared, narrowed, state.budget, noSink)
  await outputs.run({ ...compiled, stages: compiled.stages.slice(0, last + 1) }, pause)
  const readings = outputs.readings(name)
  if (readings === undefined) throw new Error(`nothing read ${name}`)
  return {
    dSae,
    perPosition,
    variants: job.variants.map((variant, row) => ({ variant: variant.name, ...readings.activeFeatures(row) }))
  }
}
