/** An attribution as the history stores it beside its run: request and result as JSON, compressed, with the number of the form they are in. */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { type AttributionRequest, type AttributionResult, attributionRequest, attributionResult } from '../../contract/attribution.ts'
import { SpliceError } from '../../contract/errors.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Most bytes that a stored attribution unpacks to. */
const mostBytes = 1 << 28

/** The form that is written; whoever changes what is stored so that an earlier one no longer parses counts it up and reads both. */
export const storedAttributionFormat = 1

const whole = z.object({ request: attributionRequest, result: attributionResult })
export type StoredAttribution = z.infer<typeof whole>

/** A row of the history's file. */
export const attributionRow = z.object({
  number: z.int(),
  created_at: z.number(),
  format: z.int(),
  contents: z.instanceof(Uint8Array)
})
export type AttributionRow = z.infer<typeof attributionRow>

export function packAttribution(request: AttributionRequest, result: AttributionResult): Promise<Buffer> {
  return compress(Buffer.from(JSON.stringify({ request, result })))
}

/** Throws `history/newer` for a form of a later Splice, `history/unreadable` for what does not fit. */
export async function unpackAttribution({ number, format, contents }: AttributionRow): Promise<StoredAttribution> {
  if (format > storedAttributionFormat) {
    throw new SpliceError('history/newer', `attribution ${number} was kept by a newer Splice`, { hint: 'Update Splice to open it.' })
  }
  const unreadable = (why: string, cause: unknown) =>
    new SpliceError('history/unreadable', `attribution ${number} of the history cannot be shown: ${why}`, {
      hint: 'Attribute again; the run itself is good.',
      cause
    })
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
