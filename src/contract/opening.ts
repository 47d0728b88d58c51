/** What the app is asked from outside to open: by its command line, a file's association, or a link. The window opens it. */
import { z } from 'zod'

const path = z.string().min(1).max(4096)

/**
 * `files` were named by the person, and are opened as if they had been dropped on the window. `link` names a model and SAEs that the person
 * agreed to, and `address` a view: neither starts a run. `refused` says what was wrong with a link.
 */
export const openingRequest = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('files'), paths: z.array(path).min(1) }),
  z.object({ kind: z.literal('link'), model: path.optional(), saes: z.array(path) }),
  z.object({ kind: z.literal('address'), hash: z.string().startsWith('#/') }),
  z.object({ kind: z.literal('refused'), message: z.string(), hint: z.string() })
])
export type OpeningRequest = z.infer<typeof openingRequest>
