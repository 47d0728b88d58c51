/** What hosts and engine send each other: a connection opens, carries frames, closes. Frames are oRPC's, text or bytes. */
import { z } from 'zod'

const bytes = z.custom<Uint8Array | ArrayBuffer>(value => value instanceof Uint8Array || value instanceof ArrayBuffer)

export const envelope = z.object({
  connection: z.string(),
  kind: z.enum(['open', 'frame', 'close']),
  data: z.union([z.string(), bytes]).optional()
})
export type Envelope = z.infer<typeof envelope>
