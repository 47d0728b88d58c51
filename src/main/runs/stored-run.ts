/** A run as the history stores it: request and result as JSON, compressed, with the number of the form they are in. */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { type RunRequest, type RunResult, runRequest, runResult } from '../../contract/run.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Most bytes that a stored run unpacks to: a damaged one must not take all memory. */
const mostBytes = 1 << 30

/** Rewrites a run of one form into the next one. */
export type Upgrade = (stored: unknown) => unknown

/**
 * What turns form 1 into 2, 2 into 3, and so on. Whoever changes `runRequest` or `runResult` so that an earlier run no longer
 * parses (a field that has no default, another meaning) adds one, with a test that opens a run of the former form.
 */
const upgrades: readonly Upgrade[] = []

/** The form that is written. */
export const storedFormat = upgrades.length + 1

const whole = z.object({ request: runRequest, result: runResult })
export type StoredRun = z.infer<typeof whole>

/** A run as bytes. What `save` and `keep` asked for is no part of it: shown again, it writes no files. */
export async function packRun({ save: _, ...request }: RunRequest, result: RunResult): Promise<Buffer> {
  return compress(Buffer.from(JSON.stringify({ request, result })))
}

/** Which run, and how it is stored: what errors say. */
export interface StoredAs {
  readonly id: string
  readonly format: number
  readonly version: string
}

/**
 * The run behind the bytes, brought up to the present form. Throws `history/newer` for a form of a later Splice, `history/unreadable`
 * naming what does not fit.
 */
export async function unpackRun(
  bytes: Buffer,
  { id, format, version }: StoredAs,
  steps: readonly Upgrade[] = upgrades
): Promise<StoredRun> {
  if (format > steps.length + 1) {
    throw new SpliceError('history/newer', `the run ${id} was kept by Splice ${version}, which is newer than this one`, {
      field: 'id',
      hint: 'Update Splice to open it.'
    })
  }
  const unreadable = (why: string, cause: unknown) =>
    new SpliceError('history/unreadable', `the run ${id}, kept by Splice ${version}, cannot be shown: ${why}`, {
      field: 'id',
      hint: 'Its settings and notes stand in the list; run its prompt again, or remove it.',
      cause
    })
  let stored: unknown
  try {
    stored = JSON.parse(String(await decompress(bytes, { maxOutputLength: mostBytes })))
  } catch (thrown) {
    throw unreadable('its data is damaged', thrown)
  }
  if (format < 1) throw unreadable('it is in a form that no Splice wrote', undefined)
  for (const upgrade of steps.slice(format - 1)) stored = upgrade(stored)
  const parsed = whole.safeParse(stored)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw unreadable(`${issue?.path.join('.') ?? 'it'}: ${issue?.message ?? 'does not fit'}`, parsed.error)
}
