/** Files that the engine holds while a client fetches them, part by part: a browser cannot name a path of its own to write to. */
import { z } from 'zod'

/** The file is whole and can be fetched until the stream that said so ends. */
export const heldFile = z.object({ type: z.literal('ready'), id: z.string(), bytes: z.number() })
export type HeldFile = z.infer<typeof heldFile>

/** Bytes `[offset, offset + length)` of a file that is held. */
export const filePart = z.object({ id: z.string(), offset: z.int().nonnegative(), length: z.int().min(1).max(16_777_216) })
export type FilePart = z.infer<typeof filePart>
