/** Room on disks. */
import fs from 'node:fs/promises'
import path from 'node:path'

/** Bytes that are free for this user on the disk of a folder that may not exist yet; null where the system does not say. */
export async function freeBytes(folder: string): Promise<number | null> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const stat = await fs.statfs(at).catch(() => null)
    if (stat !== null) return stat.bavail * stat.bsize
    if (at === path.dirname(at)) return null
  }
}

/** Whether two folders, which may not exist yet, lie on one disk. */
export async function isOneDisk(one: string, other: string): Promise<boolean> {
  const device = async (folder: string): Promise<number | null> => {
    for (let at = path.resolve(folder); ; at = path.dirname(at)) {
      const stat = await fs.stat(at).catch(() => null)
      if (stat !== null) return stat.dev
      if (at === path.dirname(at)) return null
    }
  }
  const [first, second] = await Promise.all([device(one), device(other)])
  return first === second
}

/** Bytes as an error says them. */
export function inWords(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`
}
