/** The hook points of a model with some SAEs, from headers alone: the graphs that runs use are written, and nothing is run. */
import type { HookPoint, HookPoints } from '../../contract/hooks.ts'
import type { RunSae } from '../../contract/run.ts'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import { withBatch } from '../inference/activation-layout.ts'
import { type Capture, type PlannedSae, StageGraph } from '../inference/stage-graph.ts'
import { readingFacts, releaseOf } from '../library/releases.ts'
import { attach } from '../sae/fit.ts'
import { openSae } from '../sae/open.ts'
import { placeSae } from '../sae/sae.ts'
import type { Transformer } from '../transformer/family.ts'
import { listHookPoints, type HookPoint as ModelHookPoint, modelName, plainReading } from '../transformer/model.ts'
import { readTransformer } from '../transformer/registry.ts'

async function plan({ name, path, source: _, ...choices }: RunSae, points: readonly ModelHookPoint[], model: string): Promise<PlannedSae> {
  const sae = await openSae(path, { ...choices, release: readingFacts(await releaseOf(path)) })
  return { name, ...attach(sae, points, model), sae: await placeSae(sae), spliced: true, edited: false, steered: false }
}

/** Everything that a run could cache, in the order in which it runs. */
function capturesOf(transformer: Transformer, saes: readonly PlannedSae[]): readonly Capture[] {
  const graph = new StageGraph({ saes, capture: () => true, topFeatures: 0, gainsFolded: false })
  let residual = transformer.embed(graph)
  for (let layer = 0; layer < transformer.shape.layers; layer++) residual = transformer.block(graph, layer, residual)
  transformer.finalNorm(graph, residual)
  return graph.captures
}

function describe({ name, sae, shape }: Capture, saes: readonly PlannedSae[]): HookPoint {
  const sizes = shape.map(size => (typeof size === 'object' ? `${size.heads}*pos` : size === 'position' ? 'pos' : size))
  return {
    name,
    shape: withBatch(shape, sizes, 1),
    sae,
    replacedBy: sae === null ? saes.filter(planned => planned.target === name).map(planned => planned.name) : [],
    errorTermOnly: sae !== null && /\.(hook_sae_error|error)$/.test(name)
  }
}

/**
 * Lists them as a run with these SAEs would cache them. Without an SAE the model has the hook points of HookedTransformer, with
 * one those of HookedSAETransformer. Throws what is wrong with the files, and where an SAE does not fit the model.
 */
export async function listAllHookPoints(model: string, saes: readonly RunSae[]): Promise<HookPoints> {
  const checkpoint = await openCheckpoint(model)
  const transformer = readTransformer(checkpoint, { ...plainReading, hookMlpIn: saes.length > 0 })
  const name = modelName(checkpoint.folder)
  const points = listHookPoints(transformer, checkpoint.folder)
  const planned = await Promise.all(saes.map(sae => plan(sae, points, name)))
  return {
    model: { path: checkpoint.folder, name, layers: transformer.shape.layers },
    saes: planned.map(({ name: sae, hook, target, sae: { path: file } }) => ({ name: sae, path: file, hook, target })),
    points: capturesOf(transformer, planned).map(capture => describe(capture, planned))
  }
}
