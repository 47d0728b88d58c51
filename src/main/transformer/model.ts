/** A model folder opened from its headers: sizes, family and hook points; every tensor's presence and shape is checked, no weight read. */
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint.ts'
import { GraphBuilder, type Value } from '../onnx/graph.ts'
import type { Reading, Transformer, TransformerShape } from './family.ts'
import type { HookedGraph, HookShape } from './hooked-graph.ts'
import { readTransformer } from './registry.ts'

/** A hook point: its name, its shape after the batch dimension, and how many features it has per position (null where that depends on the prompt). */
export interface HookPoint {
  readonly name: string
  readonly shape: HookShape
  readonly width: number | null
}

export interface Model extends TransformerShape {
  readonly folder: string
  /** The folder's name, or the repository's for a Hugging Face cache folder. */
  readonly name: string
  readonly family: string
  readonly hookPoints: readonly HookPoint[]
  readonly checkpoint: Checkpoint
}

/** Features per position: the product of what follows `position`; null for the attention square. */
export function hookWidth(shape: HookShape): number | null {
  const [first, ...rest] = shape
  if (first !== 'position') return null
  return rest.reduce<number>((product, size) => product * (typeof size === 'number' ? size : 0), 1)
}

/** Ten times the layers of any model: a small file can have tensors for a hundred thousand, each of which would be written as a graph. */
const mostLayers = 2000

function refuseLayers(layers: number, folder: string): SpliceError {
  const file = path.join(folder, 'config.json')
  return new SpliceError('checkpoint/config', `${file} asks for ${layers} layers, more than any model has`, {
    file,
    field: 'num_hidden_layers',
    hint: 'The config does not describe a model that can be run.'
  })
}

/**
 * The hook points of a transformer in the order in which they run, found by writing its graph once. Throws what is wrong with its
 * tensors, and `checkpoint/config` for more layers than any model has; `folder` is the checkpoint's.
 */
export function listHookPoints(transformer: Transformer, folder: string): HookPoint[] {
  const graph = new GraphBuilder()
  const points: HookPoint[] = []
  const shared = new Map<string, Value>()
  const recorder: HookedGraph = {
    graph,
    holdsSequences: false,
    hook(name, value, shape) {
      points.push({ name, shape, width: hookWidth(shape) })
      return value
    },
    unfolded: (_name, value) => value,
    once(name, make) {
      const value = shared.get(name) ?? make()
      shared.set(name, value)
      return value
    }
  }
  let residual = transformer.embed(recorder)
  for (let layer = 0; layer < transformer.shape.layers; layer++) {
    if (layer === mostLayers) throw refuseLayers(transformer.shape.layers, folder)
    residual = transformer.block(recorder, layer, residual)
  }
  transformer.finalNorm(recorder, residual)
  return points
}

/** The plain reading, with the hook points that HookedSAETransformer has. */
export const plainReading: Reading = { processing: new Set(), layerOrder: 'checkpoint', hookMlpIn: true }

/** `models--google--gemma-2-2b/snapshots/<revision>` is called gemma-2-2b; any other folder by its own name, or its parent's where that is `model`. */
export function modelName(folder: string): string {
  const cached = /models--[^/\\]*?--([^/\\]+)[/\\]snapshots[/\\]/.exec(`${folder}/`)
  if (cached?.[1] !== undefined) return cached[1]
  const name = path.basename(folder)
  return name === 'model' ? path.basename(path.dirname(folder)) : name
}

/** Opens a model folder. Throws what `openCheckpoint` and the family throw, always naming the file or field. */
export async function openModel(folder: string): Promise<Model> {
  const checkpoint = await openCheckpoint(folder)
  const transformer = readTransformer(checkpoint, plainReading)
  return {
    ...transformer.shape,
    folder: checkpoint.folder,
    name: modelName(checkpoint.folder),
    family: checkpoint.modelType,
    hookPoints: listHookPoints(transformer, checkpoint.folder),
    checkpoint
  }
}
