/**
 * What was found out about a run, as the history stores it beside it: request and result as JSON, compressed, with the number of the form
 * they are in.
 */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { attributionRequest, attributionResult } from '../../contract/attribution.ts'
import { SpliceError } from '../../contract/errors.ts'
import { patchingRequest, patchingResult } from '../../contract/patching.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Most bytes that a stored one unpacks to. */
const mostBytes = 1 << 28

/** A kind of finding: its table, what people call it, and the form that is written. */
export interface FindingKind<Finding> {
  readonly table: 'run_attributions' | 'run_patchings'
  readonly name: string
  /** Whoever changes what is stored so that an earlier one no longer parses counts it up and reads both. */
  readonly format: number
  readonly whole: z.ZodType<Finding>
  readonly again: string
}

const attribution = z.object({ request: attributionRequest, result: attributionResult })
export const attributions: FindingKind<z.infer<typeof attribution>> = {
  table: 'run_attributions',
  name: 'attribution',
  format: 1,
  whole: attribution,
  again: 'Attribute again; the run itself is good.'
}

const patching = z.object({ request: patchingRequest, result: patchingResult })
export const patchings: FindingKind<z.infer<typeof patching>> = {
  table: 'run_patchings',
  name: 'patching',
  format: 1,
  whole: patching,
  again: 'Patch again; the run itself is good.'
}

/** A row of the history's file. */
export const findingRow = z.object({
  number: z.int(),
  created_at: z.number(),
  format: z.int(),
  contents: z.instanceof(Uint8Array)
})
export type FindingRow = z.infer<typeof findingRow>

/** A finding as bytes. */
export function packFinding(finding: { readonly request: unknown; readonly result: unknown }): Promise<Buffer> {
  return compress(Buffer.from(JSON.stringify(finding)))
}

/** Throws `history/newer` for a form of a later Splice, `history/unreadable` for what does not fit. */
export async function unpackFinding<Finding>(
  { name, format: known, whole, again }: FindingKind<Finding>,
  { number, format, contents }: FindingRow
): Promise<Finding> {
  if (format > known) {
    throw new SpliceError('history/newer', `${name} ${number} was kept by a newer Splice`, { hint: 'Update Splice to open it.' })
  }
  const unreadable = (why: string, cause: unknown) =>
    new SpliceError('history/unreadable', `${name} ${number} of the history cannot be shown: ${why}`, { hint: again, cause })
  let stored: unknown
  try {
    stored = JSON.parse(String(await decompress(contents, { maxOutputLength: mostBytes })))
  } catch (thrown) {
    throw unreadable('its data is damaged', thrown)
  }
  const parsed = whole.safeParse(stored)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw unreadable(`${issue?.path.join('.') ?? 'it'}: ${issue?.message ?? 'does not fit'}`, parsed.error)
}
