/**
 * One process at a time does a piece of work: a lock file that names its holder. huggingface_hub locks with flock, which Node does
 * not have, so the two do not see each other's locks; each writes to a name of its own and renames, so both together are only twice
 * the work.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'

const holder = z.object({ process: z.int(), host: z.string(), key: z.string() })
type Holder = z.infer<typeof holder>

/** How often a waiting process looks, how often a holder says that it lives, and after how long without that a lock is void; ms. */
const lookEvery = 250
const liveEvery = 20_000
const voidAfter = 120_000

/** Keys of the locks that this process holds. */
const held = new Set<string>()

function isRunning(process_: number): boolean {
  try {
    process.kill(process_, 0)
    return true
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM'
  }
}

async function readHolder(file: string): Promise<Holder | null> {
  try {
    return holder.parse(JSON.parse(await fs.readFile(file, 'utf8')))
  } catch {
    return null
  }
}

/** Whether the holder of a lock file is gone: its process ended, or on another machine it has not been heard of. */
async function isVoid(file: string): Promise<boolean> {
  const stat = await fs.stat(file).catch(() => null)
  if (stat === null) return false
  const by = await readHolder(file)
  const silent = Date.now() - stat.mtimeMs
  // Just made, and not yet written.
  if (by === null) return silent > 5000
  if (by.host !== os.hostname()) return silent > voidAfter
  return by.process === process.pid ? !held.has(by.key) : !isRunning(by.process)
}

async function tryTake(file: string, key: string): Promise<boolean> {
  try {
    await fs.writeFile(file, JSON.stringify({ process: process.pid, host: os.hostname(), key } satisfies Holder), { flag: 'wx' })
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false
    throw thrown
  }
  // Two that find the same void lock may both remove it, one of them too late: whose key stands here has it.
  return (await readHolder(file))?.key === key
}

/** Runs `work` while holding the lock `file`; waits for it before, calling `onWait` once. Throws `cancelled()` when the signal ends the wait. */
export async function withLock<Result>(
  file: string,
  options: { signal: AbortSignal | undefined; onWait: () => void; cancelled: () => Error },
  work: () => Promise<Result>
): Promise<Result> {
  await fs.mkdir(path.dirname(file), { recursive: true })
  const key = randomBytes(8).toString('hex')
  held.add(key)
  let waited = false
  try {
    while (!(await tryTake(file, key))) {
      if (options.signal?.aborted) throw options.cancelled()
      if (await isVoid(file)) {
        await fs.rm(file, { force: true })
        continue
      }
      if (!waited) options.onWait()
      waited = true
      await wait(lookEvery)
    }
    const living = setInterval(() => {
      const now = new Date()
      void fs.utimes(file, now, now).catch(() => undefined)
    }, liveEvery)
    try {
      return await work()
    } finally {
      clearInterval(living)
      if ((await readHolder(file))?.key === key) await fs.rm(file, { force: true })
    }
  } finally {
    held.delete(key)
  }
}
