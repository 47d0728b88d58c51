import { z } from 'zod'
import { errorData } from './errors.ts'

/** State of the inference process: `restarting` while a new one starts after the last one died. */
export const inferenceState = z.enum(['starting', 'ready', 'busy', 'restarting'])
export type InferenceState = z.infer<typeof inferenceState>

/** What the status bar shows. */
export const engineStatus = z.object({
  version: z.string(),
  engineProcess: z.int(),
  inference: inferenceState,
  inferenceProcess: z.int().nullable(),
  provider: z.string(),
  threads: z.int(),
  /** Bytes of weights mapped by open sessions. */
  mappedBytes: z.number(),
  mirror: z.object({ explanations: z.int(), sources: z.int(), importing: z.boolean() }),
  home: z.string()
})
export type EngineStatus = z.infer<typeof engineStatus>

/** Something a person should know that no request of theirs answers, such as a restart. */
export const notice = z.object({
  level: z.enum(['info', 'warning', 'error']),
  message: z.string(),
  at: z.number(),
  error: errorData.optional()
})
export type Notice = z.infer<typeof notice>

export const engineEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('status'), status: engineStatus }),
  z.object({ type: z.literal('notice'), notice })
])
export type EngineEvent = z.infer<typeof engineEvent>

/** Where the library looks: folders of the person's, the demo, the Hugging Face cache. */
const libraryPlaces = z.object({ folders: z.array(z.string()), demo: z.boolean(), hubCache: z.boolean() })

const choices = {
  theme: z.enum(['system', 'light', 'dark']),
  /** Whether full color means a surprising token (`surprise`) or an expected one. */
  logProbScale: z.enum(['surprise', 'certainty']),
  library: libraryPlaces,
  /** How large the app's window draws; a browser has its own zoom. */
  zoom: z.number().min(0.5).max(3),
  /** Ids of the actions that were chosen last in the palette, the last one first. */
  recentActions: z.array(z.string()).max(8)
}

/** Choices that outlive a window, by name. Values are small JSON; what is not chosen has its default. */
export const settings = z.object({
  theme: choices.theme.default('system'),
  logProbScale: choices.logProbScale.default('surprise'),
  library: choices.library.default({ folders: [], demo: true, hubCache: true }),
  zoom: choices.zoom.default(1),
  recentActions: choices.recentActions.default([])
})
export type Settings = z.infer<typeof settings>

/** Some of the settings, to be changed; a default must not pass for a choice here. */
export const settingsChange = z.object(choices).partial()
export type SettingsChange = z.infer<typeof settingsChange>
