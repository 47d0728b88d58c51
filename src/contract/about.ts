/** What this Splice is made of, as the engine knows it. */
import { z } from 'zod'
import { provider } from './run.ts'

/** `platform` and `architecture` are Node's names for them; `license` is the short name. */
export const about = z.object({
  version: z.string(),
  license: z.string(),
  node: z.string(),
  onnxRuntime: z.string(),
  /** Execution providers that this build of ONNX Runtime has. */
  providers: z.array(provider),
  sqlite: z.string(),
  betterSqlite3: z.string(),
  platform: z.string(),
  architecture: z.string(),
  home: z.string()
})
export type About = z.infer<typeof about>

/** A package that is shipped and how it is licensed; `text` is null where the package carries none. */
export const license = z.object({ name: z.string(), version: z.string(), license: z.string(), text: z.string().nullable() })
export type License = z.infer<typeof license>

/** A text about this Splice that a person may share after reading it; it names no folders. */
export const diagnostics = z.object({ text: z.string() })
