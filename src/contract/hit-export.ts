/** All hits of a search as a file. */
import { z } from 'zod'
import { searchFilter, searchMode } from './explanations.ts'
import { heldFile } from './held-files.ts'

/**
 * Both have Neuronpedia's names (modelId, layer, index, description, explanationModelName, typeName, id), so that the file can be
 * imported again: `csv` with a line of names first, `json` as an array of objects.
 */
export const hitFormat = z.enum(['csv', 'json'])
export type HitFormat = z.infer<typeof hitFormat>

/** Without `file`, the engine holds what it wrote, to be fetched. A file that is there already is replaced once the new one is whole. */
export const hitExportRequest = searchFilter.extend({
  query: z.string().min(1),
  mode: searchMode.default('substring'),
  format: hitFormat,
  file: z.string().min(1).optional()
})
export type HitExportRequest = z.infer<typeof hitExportRequest>

/** Hits written so far; then where they are. Ending the stream early leaves nothing behind. */
export const hitExportEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), hits: z.int() }),
  z.object({ type: z.literal('written'), file: z.string(), hits: z.int(), bytes: z.number() }),
  heldFile.extend({ hits: z.int() })
])
export type HitExportEvent = z.infer<typeof hitExportEvent>
