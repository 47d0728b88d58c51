/** What is on this disk and what was open last, as the contract's `library` asks for it. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
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
import type { SettingProblem, Settings, SettingsChange } from '../../contract/settings.ts'
import { attach } from '../sae/fit.ts'
import { openModel } from '../transformer/model.ts'
import { libraryFolders, openDisk, type ScanProgress } from './disk.ts'
import { holdsBulkData, kindOf, listFolder } from './folders.ts'
import { inspect } from './inspect.ts'
import { useCatalogue } from './releases.ts'
import { resourcesFolder } from './resources.ts'
import { SettingsFile } from './settings-file.ts'
import { StateFile } from './state-file.ts'
import { describeModel, describeSae, openReleased, type SaeChoices, withRelease } from './summaries.ts'

const savedWorkspace = z.preprocess(withPrompt, workspaceSchema.omit({ isDemo: true }))
type SavedWorkspace = z.infer<typeof savedWorkspace>
const savedRecent = z.array(recentItem.omit({ missing: true }))

const rememberedItems = 24

/** Homes of before prompts could be chats or ids hold a text alone. */
function withPrompt(saved: unknown): unknown {
  const older = z.looseObject({ promptText: z.string() }).safeParse(saved)
  return older.success ? { prompt: { text: older.data.promptText, prependBos: true }, ...older.data } : saved
}

/** The demo: its model, its two SAEs of layer 2, the notebook's prompt. */
function demoWorkspace(): SavedWorkspace {
  const demo = path.join(resourcesFolder(), 'demo')
  const sae = (l0: number) => ({ path: path.join(demo, 'saes/demo-scope-res/layer_2/width_1k', `average_l0_${l0}`) })
  return {
    model: path.join(demo, 'model'),
    saes: [sae(15), sae(3)],
    edited: [],
    prompt: { text: 'Would you be able to travel through time using a wormhole?', prependBos: true },
    run: null
  }
}

async function isThere(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false
  )
}

/** Opens the library of a home folder. Nothing is read until it is asked for. */
export async function openLibrary({ home }: { home: string }) {
  const workspaceFile = new StateFile(path.join(home, 'workspace.json'), savedWorkspace.nullable(), () => null)
  const recentFile = new StateFile(path.join(home, 'recent.json'), savedRecent, () => [])
  const settingsFile = new SettingsFile(home)
  useCatalogue(home)
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

  const disk = openDisk(home, {
    readModel: async folder => {
      const { hookPoints: _, hookWidths: __, ...model } = describeModel(await openModel(folder))
      return model
    },
    readSae: async at => describeSae(await openReleased(at, {})),
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

    /** Looks through a model folder, an SAE or a weights file. Throws what is wrong with it, naming the file. */
    inspect,

    /** SAEs at or below a path; those that cannot be read are left out. */
    async findSaes(root: string, signal: AbortSignal | undefined): Promise<SaeSummary[]> {
      const nothing = { signal, onFolder: () => undefined, onFound: () => undefined }
      return (await disk.scanPaths([root], nothing)).saes
    },

    /** Where a scan looks. */
    async folders(): Promise<LibraryFolder[]> {
      return libraryFolders((await settingsFile.read()).settings)
    },

    /** What the last scan found, without looking. */
    onDisk(): Promise<DiskContents> {
      return disk.contents()
    },

    /** Looks through the library's folders, or those given. Throws `library/cancelled` when the signal ends it. */
    async scan(paths: readonly string[] | undefined, progress: ScanProgress): Promise<DiskContents> {
      if (paths !== undefined) return disk.scanPaths(paths, progress)
      return disk.scanFolders(await libraryFolders((await settingsFile.read()).settings), progress)
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
      const kind = await kindOf(absolute)
      return { path: absolute, kind: kind === 'folder' && (await holdsBulkData(absolute)) ? 'explanations' : kind }
    },

    async settings(): Promise<Settings> {
      return (await settingsFile.read()).settings
    },

    /** The file of the settings, and what of it is not in force. */
    async settingsProblems(): Promise<{ file: string; problems: SettingProblem[] }> {
      return { file: settingsFile.path, problems: (await settingsFile.read()).problems }
    },

    /** Keeps a change, after those before it. */
    changeSettings(change: SettingsChange): Promise<Settings> {
      return settingsFile.change(change)
    }
  }
}

export type Library = Awaited<ReturnType<typeof openLibrary>>
