/** Models and SAEs that the inference process has opened: headers and vocabulary are kept until a file changes. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint.ts'
import { type OpenSaeOptions, openSae } from '../sae/open.ts'
import { type MappedSae, mapSae } from '../sae/sae.ts'
import type { Reading, Transformer } from '../transformer/family.ts'
import { type HookPoint, listHookPoints, modelName } from '../transformer/model.ts'
import { readTransformer } from '../transformer/registry.ts'
import { Vocabulary } from './tokenizer.ts'

/** A model under one reading. */
export interface OpenModel {
  readonly name: string
  readonly checkpoint: Checkpoint
  readonly transformer: Transformer
  readonly hookPoints: readonly HookPoint[]
  readonly vocabulary: Vocabulary
  /** Changes when a file of the model changes; part of the key of everything derived from it. */
  readonly stamp: string
}

/** Name, size and time of each file. Throws `checkpoint/changed` where one is gone. */
export async function stampOf(files: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    files.map(async file => {
      try {
        const { size, mtimeMs } = await fs.stat(file)
        return `${file}:${size}:${mtimeMs}`
      } catch {
        throw new SpliceError('checkpoint/changed', `${file} is gone since it was opened`, { file, hint: 'Open the folder again.' })
      }
    })
  )
  return stamps.join('|')
}

function filesOf(checkpoint: Checkpoint): string[] {
  const extras = [path.join(checkpoint.folder, 'config.json'), checkpoint.tokenizerFile, checkpoint.tokenizerConfigFile]
  return [...checkpoint.files.map(file => file.path), ...extras.filter(file => file !== null)]
}

interface Kept {
  readonly checkpoint: Checkpoint
  readonly stamp: string
  readonly readings: Map<string, Omit<OpenModel, 'stamp' | 'checkpoint'>>
  vocabulary: Vocabulary | null
}

export class OpenModels {
  readonly #models = new Map<string, Kept>()
  readonly #saes = new Map<string, { sae: MappedSae; stamp: string }>()

  async #checkpoint(folder: string): Promise<Kept> {
    const kept = this.#models.get(folder)
    if (kept !== undefined && (await stampOf(filesOf(kept.checkpoint)).catch(() => null)) === kept.stamp) return kept
    const checkpoint = await openCheckpoint(folder)
    const opened: Kept = { checkpoint, stamp: await stampOf(filesOf(checkpoint)), readings: new Map(), vocabulary: null }
    this.#models.set(folder, opened)
    return opened
  }

  /** Opens a model folder under a reading. Throws what is wrong with the folder, its config or its tensors. */
  async model(folder: string, reading: Reading): Promise<OpenModel> {
    const kept = await this.#checkpoint(folder)
    const key = `${[...reading.processing].sort().join()} ${reading.layerOrder} ${reading.hookMlpIn}`
    let opened = kept.readings.get(key)
    if (opened === undefined) {
      const transformer = readTransformer(kept.checkpoint, reading)
      kept.vocabulary ??= await Vocabulary.open(kept.checkpoint, transformer.specialIds, transformer.bosId)
      opened = {
        name: modelName(kept.checkpoint.folder),
        transformer,
        hookPoints: listHookPoints(transformer, kept.checkpoint.folder),
        vocabulary: kept.vocabulary
      }
      kept.readings.set(key, opened)
    }
    return { ...opened, checkpoint: kept.checkpoint, stamp: `${kept.stamp} ${key}` }
  }

  /** Opens an SAE and unpacks what cannot be mapped; `stamp` changes when a file of it changes. */
  async sae(saePath: string, options: OpenSaeOptions, cacheFolder: string): Promise<{ sae: MappedSae; stamp: string }> {
    const key = JSON.stringify([saePath, options])
    const kept = this.#saes.get(key)
    if (kept !== undefined && (await stampOf(kept.sae.files).catch(() => null)) === kept.stamp) return kept
    const sae = await mapSae(await openSae(saePath, options), cacheFolder)
    const opened = { sae, stamp: await stampOf(sae.files) }
    this.#saes.set(key, opened)
    return opened
  }
}
