/** Which layers attend locally, where a family mixes windows with whole contexts. */
import { z } from 'zod'
import type { ConfigReader } from './config.ts'

/** config.json's `layer_types`, one for each layer. */
export const layerTypes = z.array(z.enum(['sliding_attention', 'full_attention']))

interface LayerConfig {
  readonly num_hidden_layers: number
  readonly sliding_window: number | null
  readonly layer_types?: z.infer<typeof layerTypes> | null
}

/** Whether a layer attends locally: what `layer_types` says, or else `byDefault`. Throws `checkpoint/config` for a list of another length. */
export function localLayers(reader: ConfigReader, config: LayerConfig, byDefault: (layer: number) => boolean): (layer: number) => boolean {
  const types = config.layer_types
  if (types === null || types === undefined) return byDefault
  reader.requireLength('layer_types', types, config.num_hidden_layers)
  return layer => types[layer] === 'sliding_attention'
}

/** The window of a layer, null where it sees all before it. Throws `checkpoint/config` for local layers without `sliding_window`. */
export function windowOf(reader: ConfigReader, config: LayerConfig, isLocal: boolean): number | null {
  if (!isLocal) return null
  return config.sliding_window ?? reader.refuse('sliding_window', 'is null, but there are layers that attend locally')
}
