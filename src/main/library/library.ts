/** What is on this disk and what was open last, as the contract's `library` asks for it. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { type Settings, type SettingsChange, settings as settingsSchema } from '../../contract/engine.ts'
import { SpliceError } from '../../contract/errors.ts'
import {
  type DiskContents,
  type FolderListing,
  type LibraryFolder,
  type ModelSummary,
  type PathKind,
  type RecentItem,
  recentItem,
  type SaeSummary,
  type Workspace,
  workspace as workspaceSchema
} from '../../contract/library.ts'
import { elementCount } from '../checkpoint/tensor.ts'
import { openSae, type Sae } from '../sae/sae.ts'
import { type Model, openModel } from '../transformer/model.ts'
import { libraryFolders, openDisk, type ScanProgress } from './disk.ts'
import { kindOf, listFolder } from './folders.ts'
import { releaseOf, useCatalogue } from './releases.ts'
import { resourcesFolder } from './resources.ts'
import { tensorsOf } from './sae-tensors.ts'
import { StateFile } from './state-file.ts'
import { trapsAt } from './traps.ts'

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

/** Short name for pickers: what follows the repository, or the last folders of the path. */
function saeName(sae: Sae): string {
  const folder = sae.path.endsWith('.npz') ? path.dirname(sae.path) : sae.path
  const parts = folder.split(path.sep)
  const layer = parts.findLastIndex(part => /^layer_\d+$/.test(part) || part === 'embedding')
  return parts.slice(layer === -1 ? -1 : layer).join('/')
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
    hookWidths: model.hookPoints.map(point => point.width),
    hasTokenizer: model.checkpoint.tokenizerFile !== null
  }
}

/** Throws where the SAE fits no hook point that is named, naming the SAE, the hook point and the model. */
function checkFit(sae: Sae, model: Model): void {
  const fitting = model.hookPoints.filter(point => point.width === sae.dIn).map(point => point.name)
  const some =
    fitting.length === 0
      ? `No hook point of ${model.name} has ${sae.dIn} features.`
      : `Those that fit: ${fitting.slice(0, 6).join(', ')} and ${Math.max(0, fitting.length - 6)} more.`
  if (sae.hook === null) {
    throw new SpliceError('sae/no-hook', `nothing in ${sae.path} says which hook point it belongs to`, {
      file: sae.path,
      field: 'hook',
      hint: `Name it, on the command line with @ after the path. ${some}`
    })
  }
  const point = model.hookPoints.find(candidate => candidate.name === sae.hook)
  if (point === undefined) {
    throw new SpliceError('sae/no-such-hook', `${model.name} has no hook point ${sae.hook}, where ${sae.path} belongs`, {
      file: sae.path,
      field: 'hook',
      hint: some
    })
  }
  if (point.width !== sae.dIn) {
    throw new SpliceError(
      'sae/width',
      `${sae.path} reads ${sae.dIn} features, but ${sae.hook} of ${model.name} has ${point.width ?? 'as many as the prompt has positions'}`,
      {
        file: sae.path,
        field: 'hook',
        hint: some
      }
    )
  }
}

/** Opens the library of a home folder. Nothing is read until it is asked for. */
export async function openLibrary({ home }: { home: string }) {
  const workspaceFile = new StateFile(path.join(home, 'workspace.json'), savedWorkspace.nullable(), () => null)
  const recentFile = new StateFile(path.join(home, 'recent.json'), savedRecent, () => [])
  const settingsFile = new StateFile(path.join(home, 'settings.json'), settingsSchema, () => settingsSchema.parse({}))
  const cacheFolder = path.join(home, 'cache')
  await useCatalogue(home)
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

  /** What the catalogue says of an SAE, put over what it said before. */
  async function withRelease(sae: SaeSummary): Promise<SaeSummary> {
    const known = await releaseOf(sae.path)
    return {
      ...sae,
      averageL0: known?.averageL0 ?? null,
      source: known?.source ?? null,
      release: known?.release ?? null,
      saeId: known?.saeId ?? null,
      traps: await trapsAt(sae.path)
    }
  }

  async function describeSae(sae: Sae): Promise<SaeSummary> {
    const tensors = tensorsOf(sae)
    return withRelease({
      path: sae.path,
      name: saeName(sae),
      format: sae.format,
      architecture: sae.architecture,
      hook: sae.hook,
      dIn: sae.dIn,
      dSae: sae.dSae,
      averageL0: null,
      source: null,
      release: null,
      saeId: null,
      dtype: [...new Set(tensors.map(tensor => tensor.dtype))].join(', '),
      sizeBytes: tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0),
      traps: []
    })
  }

  const disk = openDisk(home, {
    readModel: async folder => {
      const { hookPoints: _, hookWidths: __, ...model } = describeModel(await openModel(folder))
      return model
    },
    readSae: async at => describeSae(await openSae(at, { cacheFolder: null })),
    withRelease
  })

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
    async openSae(saePath: string, options: { hook?: string; model?: string }): Promise<SaeSummary> {
      const sae = await openSae(saePath, { hook: options.hook, cacheFolder })
      if (options.model !== undefined) checkFit(sae, await openModel(options.model))
      const summary = await describeSae(sae)
      await remember('sae', summary.path, summary.name)
      return summary
    },

    /** SAEs at or below a path; those that cannot be read are left out. */
    async findSaes(root: string, signal: AbortSignal | undefined): Promise<SaeSummary[]> {
      const nothing = { signal, onFolder: () => undefined, onFound: () => undefined }
      return (await disk.scanPaths([root], nothing)).saes
    },

    /** Where a scan looks. */
    async folders(): Promise<LibraryFolder[]> {
      return libraryFolders(await settingsFile.read())
    },

    /** What the last scan found, without looking. */
    onDisk(): Promise<DiskContents> {
      return disk.contents()
    },

    /** Looks through the library's folders, or those given. Throws `library/cancelled` when the signal ends it. */
    async scan(paths: readonly string[] | undefined, progress: ScanProgress): Promise<DiskContents> {
      if (paths !== undefined) return disk.scanPaths(paths, progress)
      return disk.scanFolders(await libraryFolders(await settingsFile.read()), progress)
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

    async changeSettings(change: SettingsChange): Promise<Settings> {
      const changed = settingsSchema.parse({ ...(await settingsFile.read()), ...change })
      await settingsFile.write(changed)
      return changed
    }
  }
}

export type Library = Awaited<ReturnType<typeof openLibrary>>
