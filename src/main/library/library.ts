/** What is on this disk and what was open last, as the contract's `library` asks for it. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { type Settings, settings as settingsSchema } from '../../contract/engine.ts'
import { SpliceError } from '../../contract/errors.ts'
import {
  type FolderListing,
  type ModelSummary,
  type PathKind,
  type RecentItem,
  recentItem,
  type SaeSummary,
  type Workspace,
  workspace as workspaceSchema
} from '../../contract/library.ts'
import { elementCount } from '../checkpoint/tensor.ts'
import { attach } from '../sae/fit.ts'
import { openSae } from '../sae/open.ts'
import { type Sae, tensorsOf } from '../sae/sae.ts'
import { type Model, openModel } from '../transformer/model.ts'
import { findSaePaths, kindOf, listFolder } from './folders.ts'
import { readingFacts, releaseOf } from './releases.ts'
import { resourcesFolder } from './resources.ts'
import { StateFile } from './state-file.ts'

const savedWorkspace = workspaceSchema.omit({ isDemo: true })
type SavedWorkspace = z.infer<typeof savedWorkspace>
const savedRecent = z.array(recentItem.omit({ missing: true }))

const rememberedItems = 24

/** The demo: its model, its two SAEs of layer 2, the notebook's prompt. */
function demoWorkspace(): SavedWorkspace {
  const demo = path.join(resourcesFolder(), 'demo')
  const sae = (l0: number) => ({ path: path.join(demo, 'saes/demo-scope-res/layer_2/width_1k', `average_l0_${l0}`) })
  return {
    model: path.join(demo, 'model'),
    saes: [sae(15), sae(3)],
    promptText: 'Would you be able to travel through time using a wormhole?'
  }
}

/** Short name for pickers: in Gemma Scope what follows the repository, else the SAE's own. */
function saeName(sae: Sae): string {
  const parts = sae.path.replace(/[\\/]params\.npz$/, '').split(path.sep)
  const layer = parts.findLastIndex(part => /^layer_\d+$/.test(part) || part === 'embedding')
  return layer === -1 ? sae.name : parts.slice(layer).join('/')
}

async function isThere(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false
  )
}

/** Bytes of a run's activations for 50 tokens in two rows: residual streams, scores, gated MLP, one piece of logits. */
function estimateMemory(model: Model): number {
  const rows = 100
  const perRow = 8 * model.dModel + 4 * model.dMlp + 6 * model.heads * model.dHead + 50 * model.heads + model.vocabulary / 4
  return 60e6 + 4 * rows * perRow
}

function describeModel(model: Model): ModelSummary {
  const tensors = [...model.checkpoint.tensors.values()]
  return {
    path: model.folder,
    name: model.name,
    family: model.family,
    layers: model.layers,
    dModel: model.dModel,
    heads: model.heads,
    vocabulary: model.vocabulary,
    context: model.context,
    parameters: tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0),
    dtype: [...new Set(tensors.map(tensor => tensor.dtype))].join(', '),
    sizeBytes: model.checkpoint.sizeBytes,
    memoryEstimateBytes: estimateMemory(model),
    hookPoints: model.hookPoints.map(point => point.name),
    hasTokenizer: model.checkpoint.tokenizerFile !== null
  }
}

/** What a person says of an SAE that they open. */
interface SaeChoices {
  readonly hook?: string
  readonly hookOut?: string
  readonly normFactor?: number
}

/** An SAE by its headers, with what its release says of how it is read. */
export async function openReleased(saePath: string, choices: SaeChoices): Promise<Sae> {
  return openSae(saePath, { ...choices, release: readingFacts(await releaseOf(saePath)) })
}

/** Opens the library of a home folder. Nothing is read until it is asked for. */
export async function openLibrary({ home }: { home: string }) {
  const workspaceFile = new StateFile(path.join(home, 'workspace.json'), savedWorkspace.nullable(), () => null)
  const recentFile = new StateFile(path.join(home, 'recent.json'), savedRecent, () => [])
  const settingsFile = new StateFile(path.join(home, 'settings.json'), settingsSchema, () => settingsSchema.parse({}))
  let remembering: Promise<void> = Promise.resolve()

  /** Puts an item in front of the recent ones, one after the other. */
  function remember(kind: RecentItem['kind'], file: string, name: string): Promise<void> {
    remembering = remembering
      .catch(() => undefined)
      .then(async () => {
        const before = await recentFile.read()
        const others = before.filter(item => item.kind !== kind || item.path !== file)
        await recentFile.write([{ kind, path: file, name, openedAt: Date.now() }, ...others].slice(0, rememberedItems))
      })
    return remembering
  }

  async function describeSae(sae: Sae): Promise<SaeSummary> {
    const known = await releaseOf(sae.path)
    return {
      path: sae.path,
      name: saeName(sae),
      format: sae.format,
      architecture: sae.architecture,
      hook: sae.hook,
      hookOut: sae.hookOut,
      headIndex: sae.headIndex,
      dIn: sae.dIn,
      dSae: sae.dSae,
      dOut: sae.dOut,
      activation: sae.weights.activation.kind,
      normalisation: sae.normalisation,
      normFactor: sae.normFactor,
      appliesDecoderBiasToInput: sae.appliesDecoderBiasToInput,
      hasSkip: sae.weights.skip !== null,
      model: sae.model,
      notes: [...sae.notes],
      averageL0: known?.averageL0 ?? null,
      source: known?.source ?? null,
      release: known?.release ?? null,
      sizeBytes: tensorsOf(sae.weights).reduce((sum, tensor) => sum + tensor.byteLength, 0)
    }
  }

  return {
    /** The demo at first, later what was saved, unless its model is gone. */
    async workspace(): Promise<Workspace> {
      const saved = await workspaceFile.read()
      const demo = demoWorkspace()
      if (saved === null || !(await isThere(saved.model))) return { ...demo, isDemo: true }
      return { ...saved, isDemo: saved.model === demo.model }
    },

    async saveWorkspace(saved: SavedWorkspace): Promise<Workspace> {
      await workspaceFile.write(saved)
      return { ...saved, isDemo: saved.model === demoWorkspace().model }
    },

    /** Reads a model's headers. Throws what is wrong with the folder, naming the file or field. */
    async openModel(folder: string): Promise<ModelSummary> {
      const summary = describeModel(await openModel(folder))
      await remember('model', summary.path, summary.name)
      return summary
    },

    /** Reads an SAE's headers; with a model, checks that it fits. Throws naming the SAE and, where there is one, the hook point. */
    async openSae(saePath: string, { model, ...choices }: SaeChoices & { model?: string }): Promise<SaeSummary> {
      const sae = await openReleased(saePath, choices)
      if (model !== undefined) {
        const { hookPoints, name } = await openModel(model)
        attach(sae, hookPoints, name)
      }
      const summary = await describeSae(sae)
      await remember('sae', summary.path, summary.name)
      return summary
    },

    /** SAEs at or below a path; those that cannot be read are left out. */
    async findSaes(root: string): Promise<SaeSummary[]> {
      const paths = await findSaePaths(root)
      const found = await Promise.allSettled(paths.map(async at => describeSae(await openReleased(at, {}))))
      return found.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    },

    async recent(): Promise<RecentItem[]> {
      const items = await recentFile.read()
      return Promise.all(items.map(async item => ({ ...item, missing: !(await isThere(item.path)) })))
    },

    browse(folder: string | undefined): Promise<FolderListing> {
      return listFolder(folder)
    },

    async identify(given: string): Promise<{ path: string; kind: PathKind }> {
      const absolute = path.resolve(given)
      if (!(await isThere(absolute))) {
        throw new SpliceError('library/missing', `${given} does not exist`, { file: given, hint: 'Check the path.' })
      }
      return { path: absolute, kind: await kindOf(absolute) }
    },

    settings(): Promise<Settings> {
      return settingsFile.read()
    },

    async changeSettings(change: Partial<Settings>): Promise<Settings> {
      const changed = { ...(await settingsFile.read()), ...change }
      await settingsFile.write(changed)
      return changed
    }
  }
}

export type Library = Awaited<ReturnType<typeof openLibrary>>
