/** Files that have not taken their name yet: those of this process go with it, those that a kill left go when their file is opened next. */
import { rmSync } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { unfinishedFile } from '../checkpoint/safetensors-writer.ts'

const unfinished = new Set<string>()

function removeUnfinished(): void {
  for (const part of unfinished) rmSync(part, { force: true })
}

/** Has `write` write a file under another name; that file is gone where this process ends before, or `write` throws. */
export async function underAnotherName(file: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = unfinishedFile(file, process.pid)
  if (!process.listeners('exit').includes(removeUnfinished)) process.on('exit', removeUnfinished)
  unfinished.add(part)
  try {
    await write(part)
  } catch (thrown) {
    await fs.rm(part, { force: true })
    throw thrown
  } finally {
    unfinished.delete(part)
  }
}

/** Takes away what processes that were killed left unfinished beside a file. */
export async function removeLeftovers(file: string): Promise<void> {
  const [folder, base] = [path.dirname(file), path.basename(file)]
  for (const name of await fs.readdir(folder).catch(() => [])) {
    const processId = name.startsWith(`${base}.`) ? /^(\d+)\.part$/.exec(name.slice(base.length + 1))?.[1] : undefined
    if (processId !== undefined && !isAlive(Number(processId))) await fs.rm(path.join(folder, name), { force: true })
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM'
  }
}
