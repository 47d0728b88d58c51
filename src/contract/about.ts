/** What this Splice is made of, as the engine knows it. */
import { z } from 'zod'

/** `platform` and `architecture` are Node's names for them; `license` is the short name. */
export const about = z.object({
  version: z.string(),
  license: z.string(),
  node: z.string(),
  onnxRuntime: z.string(),
  sqlite: z.string(),
  betterSqlite3: z.string(),
  platform: z.string(),
  architecture: z.string(),
  home: z.string()
})
export type About = z.infer<typeof about>
