/** Choices that outlive a window, and what a person has to know of where they are kept. */
import { z } from 'zod'
import { generationRequest, sampling } from './generation.ts'
import { layerOrder, precision, provider, runRequest } from './run.ts'

/** Where the library looks: folders of the person's, the demo, the Hugging Face cache. */
const libraryPlaces = z.object({ folders: z.array(z.string()), demo: z.boolean(), hubCache: z.boolean() })

/** A side panel: its size in CSS pixels, null for the view's own, and whether it is folded away. */
export const pane = z.object({ size: z.int().min(1).max(20_000).nullable(), collapsed: z.boolean() })
export type Pane = z.infer<typeof pane>

const paneName = z.string().regex(/^[a-z-]{1,40}$/)

/** The app's window on the screen, in device-independent pixels; its place before it was maximized. */
export const windowPlace = z.object({
  x: z.int(),
  y: z.int(),
  width: z.int().positive(),
  height: z.int().positive(),
  maximized: z.boolean()
})
export type WindowPlace = z.infer<typeof windowPlace>

const choices = {
  theme: z.enum(['system', 'light', 'dark']),
  /** Whether full color means a surprising token (`surprise`) or an expected one. */
  logProbScale: z.enum(['surprise', 'certainty']),
  library: libraryPlaces,
  /** What runs, where a request says `auto`. */
  provider,
  /** In what GPUs hold and multiply a model's matrices. */
  precision,
  /** Threads of one operator on the CPU; null leaves the number to ONNX Runtime. */
  threads: z.int().min(1).max(1024).nullable(),
  /** What windows start with. */
  processing: z.enum(['auto', 'none', 'all']),
  layerOrder,
  metricPositions: runRequest.shape.metricPositions.unwrap(),
  topK: runRequest.shape.topK.unwrap(),
  topFeatures: z.int().min(1).max(100),
  maxNewTokens: generationRequest.shape.maxNewTokens.unwrap(),
  temperature: sampling.shape.temperature.unwrap(),
  /** Side panels that were resized or folded away, by name. */
  panes: z.record(paneName, pane),
  window: windowPlace.nullable(),
  /** Whether the first-run tour was taken or skipped. */
  tourSeen: z.boolean(),
  /** How large the app's window draws; a browser has its own zoom. */
  zoom: z.number().min(0.5).max(3),
  /** Ids of the actions that were chosen last in the palette, the last one first. */
  recentActions: z.array(z.string()).max(8)
}

/** By name. Values are small JSON; what is not chosen has its default. */
export const settings = z.object({
  theme: choices.theme.default('system'),
  logProbScale: choices.logProbScale.default('surprise'),
  library: choices.library.default({ folders: [], demo: true, hubCache: true }),
  provider: choices.provider.default('auto'),
  precision: choices.precision.default('fp32'),
  threads: choices.threads.default(null),
  processing: choices.processing.default('auto'),
  layerOrder: choices.layerOrder.default('checkpoint'),
  metricPositions: choices.metricPositions.default('no-special'),
  topK: choices.topK.default(10),
  topFeatures: choices.topFeatures.default(12),
  maxNewTokens: choices.maxNewTokens.default(50),
  temperature: choices.temperature.default(1),
  panes: choices.panes.default({}),
  window: choices.window.default(null),
  tourSeen: choices.tourSeen.default(false),
  zoom: choices.zoom.default(1),
  recentActions: choices.recentActions.default([])
})
export type Settings = z.infer<typeof settings>

/** Some of the settings, to be changed; a default must not pass for a choice here. Panes are changed one by one, null forgets one. */
export const settingsChange = z.object({ ...choices, panes: z.record(paneName, pane.nullable()) }).partial()
export type SettingsChange = z.infer<typeof settingsChange>

/** A setting that is not in force as the file has it; without `field` the whole file. */
export const settingProblem = z.object({ field: z.string().nullable(), message: z.string() })
export type SettingProblem = z.infer<typeof settingProblem>

/** What surrounds the settings: their file and what is wrong in it, what the environment decides, what this machine has. */
export const settingsReport = z.object({
  file: z.string(),
  problems: z.array(settingProblem),
  /** Environment variables that are set and decide something here. */
  variables: z.array(z.object({ name: z.string(), value: z.string(), effect: z.string() })),
  home: z.string(),
  /** Where downloads go. */
  downloads: z.string(),
  processors: z.int(),
  /** Execution providers of this build of ONNX Runtime. */
  providers: z.array(provider)
})
export type SettingsReport = z.infer<typeof settingsReport>

/** Weights that were unpacked because they cannot be mapped where they lie. */
export const cacheSize = z.object({ folder: z.string(), files: z.int(), bytes: z.number() })
export type CacheSize = z.infer<typeof cacheSize>
