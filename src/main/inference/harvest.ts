/**
 * One pass of a harvest: several sequences side by side through the model as it is, up to the last SAE. What comes out are the active
 * features of each SAE, sparse; counting them is the engine's.
 */
import type { Tensor } from 'onnxruntime-node'
import { attach } from '../sae/fit.ts'
import { pick } from './feeds.ts'
import type { HarvestedPass, HarvestJob, SparseReading } from './harvest-messages.ts'
import type { PlanRequest } from './plan.ts'
import { compileOrFallBack, type InferenceState, type Pause, saeKey } from './run.ts'
import { sequenceFeeds } from './sequence-feeds.ts'
import { chooseProvider, onnxRuntime } from './sessions.ts'
import type { PlannedSae } from './stage-graph.ts'

/** Runs a pass. Throws what is wrong with its files. */
export async function harvestPass(job: HarvestJob, state: InferenceState, pause: Pause): Promise<HarvestedPass> {
  const model = await state.models.model(job.model, {
    processing: new Set(job.processing),
    layerOrder: job.layerOrder,
    hookMlpIn: true
  })
  const opened = await Promise.all(
    job.saes.map(async ({ name, path, ...options }) => {
      const { sae, stamp } = await state.models.sae(path, options, job.cacheFolder)
      const planned: PlannedSae = { name, ...attach(sae, model.hookPoints, model.name), sae, spliced: false, edited: false, steered: false }
      return { stamp, planned }
    })
  )
  const saes = opened.map(({ planned }) => planned)
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes,
    capture: () => false,
    topK: 0,
    topFeatures: 0,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: false,
    logits: false,
    predictions: 'none',
    harvests: true,
    budget: state.budget
  })
  const stamps = [model.stamp, ...opened.map(({ stamp }) => stamp)]
  const { compiled, chosen, warning } = await compileOrFallBack(
    choice =>
      state.plans.get({ key: ['harvest', stamps, saes.map(saeKey)], request, checkpoint: model.checkpoint }, choice, (label, fraction) =>
        pause(`opening ${label}`, fraction)
      ),
    chooseProvider(job.provider, job.precision)
  )
  const { Tensor } = await onnxRuntime()
  const feeds = await sequenceFeeds(job.ids, job.length, model)
  feeds.set('counted', new Tensor('bool', job.counted, [1, job.counted.length, 1]))
  const found = new Map<string, SparseReading>()
  const last = compiled.stages.findLastIndex(({ stage }) => stage.sparse.size > 0)
  for (const { stage, session } of compiled.stages.slice(0, last + 1)) {
    await pause(stage.label, 0)
    const outputs = await session.run(pick(feeds, stage.inputs), stage.outputs)
    for (const [name, output] of stage.carries) feeds.set(name, taken(outputs, output))
    for (const [name, { places, values }] of stage.sparse) {
      found.set(name, { places: dataOf(outputs, places, Int32Array), values: dataOf(outputs, values, Float32Array) })
    }
  }
  const readings = saes.map(({ name }) => {
    const reading = found.get(name)
    if (reading === undefined) throw new Error(`no stage read ${name}`)
    return reading
  })
  return { saes: readings, provider: chosen.provider, providerReason: chosen.reason, warning, mappedBytes: state.plans.mappedBytes }
}

type Outputs = Readonly<Record<string, Tensor>>

function taken(outputs: Outputs, name: string): Tensor {
  const tensor = outputs[name]
  if (tensor === undefined) throw new Error(`the session gave no ${name}`)
  return tensor
}

function dataOf<Data extends Int32Array | Float32Array>(
  outputs: Outputs,
  name: string,
  kind: abstract new (...values: never) => Data
): Data {
  const { data, type } = taken(outputs, name)
  if (data instanceof kind) return data
  throw new Error(`${type} came out as ${name}`)
}
