/** What hosts and engine send each other: a connection opens, carries frames, closes. Frames are oRPC's, text or bytes. */
import { z } from 'zod'

export const envelope = z.object({
  connection: z.string(),
  kind: z.enum(['open', 'frame', 'close']),
  data: z.union([z.string(), z.instanceof(Uint8Array), z.instanceof(ArrayBuffer)]).optional()
})
export type Envelope = z.infer<typeof envelope>
