/** The prompt library: prompts that are kept under a name, and the templates that chats are written by. */
import { z } from 'zod'
import { prompt } from './run.ts'

export const promptName = z.string().trim().min(1).max(120)

/** A prompt under its name. `savedAt` is in ms since 1970. */
export const savedPrompt = z.object({ id: z.string().min(1), name: promptName, prompt, savedAt: z.number() })
export type SavedPrompt = z.infer<typeof savedPrompt>

/** Keeps a prompt: a new one without `id`, else in place of the one that has it (or had it, before it was removed). */
export const promptChange = z.object({ id: z.string().min(1).optional(), name: promptName, prompt })
export type PromptChange = z.infer<typeof promptChange>

/** The template of a model's own, and the file that it is from. */
export const chatTemplate = z.object({ source: z.string(), file: z.string() })
export type ChatTemplateOfModel = z.infer<typeof chatTemplate>
