/** What SAEs measure on a model as it is, each at its hook point, in one forward pass that ends at the last of them. */
import type { InferenceJob, MeasureResult } from './messages.ts'
import type { PlanRequest } from './plan.ts'
import { compileOrFallBack, type InferenceState, noSink, type Pause, prepare, StageOutputs, saeKey } from './run.ts'
import { chooseProvider } from './sessions.ts'

/** Measures a job's SAEs; its variants have no splices. Throws what is wrong with its files or its request. */
export async function measureSaes(job: InferenceJob, state: InferenceState, pause: Pause): Promise<MeasureResult> {
  const prepared = await prepare(job, state)
  const { model, saes, tokens } = prepared
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes,
    capture: () => false,
    topK: 1,
    topFeatures: 0,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: false,
    logits: false,
    predictions: 'none',
    budget: state.budget
  })
  const key = ['measure', prepared.stamp, saes.map(saeKey)]
  const { compiled } = await compileOrFallBack(
    choice =>
      state.plans.get({ key, request, checkpoint: model.checkpoint }, choice, (label, fraction) =>
        pause(`opening ${label}`, fraction * 0.3)
      ),
    chooseProvider(job.provider, job.precision)
  )
  const last = compiled.stages.findLastIndex(({ stage }) => stage.measures.size > 0)
  const outputs = new StageOutputs(prepared, job, state.budget, noSink)
  await outputs.run({ ...compiled, stages: compiled.stages.slice(0, last + 1) }, pause)
  return {
    tokens: [...tokens],
    saes: saes.map(({ name }) => {
      const readings = outputs.readings(name)
      if (readings === undefined) throw new Error(`nothing measured ${name}`)
      return { name, reading: readings.of(0), meanNorm: readings.meanNorm(0) }
    })
  }
}
