/** The hook points of a model with some SAEs, from headers alone: the graphs that runs use are written, and nothing is run. */
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { HookPoint, HookPoints } from '../../contract/hooks.ts'
import type { RunSae } from '../../contract/run.ts'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import { checkHooks } from '../inference/plan.ts'
import { type Capture, type PlannedSae, StageGraph } from '../inference/stage-graph.ts'
import { openSae } from '../sae/sae.ts'
import type { Transformer } from '../transformer/family.ts'
import { listHookPoints, modelName, plainReading } from '../transformer/model.ts'
import { readTransformer } from '../transformer/registry.ts'

async function plan(sae: RunSae, cacheFolder: string): Promise<PlannedSae> {
  const opened = await openSae(sae.path, { hook: sae.hook, cacheFolder })
  if (opened.hook === null) {
    throw new SpliceError('sae/no-hook', `nothing in ${sae.path} says which hook point it belongs to`, {
      file: sae.path,
      hint: 'Name it after the path with @, such as @blocks.20.hook_resid_post.'
    })
  }
  return { name: sae.name, hook: opened.hook, sae: opened, spliced: true }
}

/** Everything that a run could cache, in the order in which it runs. */
function capturesOf(transformer: Transformer, saes: readonly PlannedSae[]): readonly Capture[] {
  const graph = new StageGraph({ saes, capture: () => true, topFeatures: 0 })
  let residual = transformer.embed(graph)
  for (let layer = 0; layer < transformer.shape.layers; layer++) residual = transformer.block(graph, layer, residual)
  transformer.finalNorm(graph, residual)
  return graph.captures
}

function describe({ name, sae, shape }: Capture, saes: readonly PlannedSae[]): HookPoint {
  return {
    name,
    shape: [1, ...shape.map(size => (size === 'position' ? 'pos' : size))],
    sae,
    replacedBy: sae === null ? saes.filter(planned => planned.hook === name).map(planned => planned.name) : [],
    errorTermOnly: sae !== null && name.endsWith('.hook_sae_error')
  }
}

/**
 * Lists them as a run with these SAEs would cache them. Without an SAE the model has the hook points of HookedTransformer, with
 * one those of HookedSAETransformer. Throws what is wrong with the files, and `sae/no-hook`, `sae/no-such-hook` or `sae/width`.
 */
export async function listAllHookPoints(model: string, saes: readonly RunSae[], home: string): Promise<HookPoints> {
  const checkpoint = await openCheckpoint(model)
  const transformer = readTransformer(checkpoint, { ...plainReading, hookMlpIn: saes.length > 0 })
  const planned = await Promise.all(saes.map(sae => plan(sae, path.join(home, 'cache'))))
  const name = modelName(checkpoint.folder)
  checkHooks(planned, listHookPoints(transformer), name)
  return {
    model: { path: checkpoint.folder, name, layers: transformer.shape.layers },
    saes: planned.map(({ name: sae, hook, sae: { path: file } }) => ({ name: sae, path: file, hook })),
    points: capturesOf(transformer, planned).map(capture => describe(capture, planned))
  }
}
