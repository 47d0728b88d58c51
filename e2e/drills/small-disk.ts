/** A small disk in memory, mounted for a drill; for root on Linux. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

export interface SmallDisk {
  readonly folder: string
  /** Leaves no byte free; `free` gives them back. */
  fill(): void
  free(): void
  /** Makes it read-only, or writable again. Throws while a file on it is open for writing. */
  setReadOnly(isReadOnly: boolean): void
  unmount(): void
}

/** Mounts one of so many megabytes at a folder, which is made. */
export function mountSmallDisk(folder: string, megabytes: number): SmallDisk {
  fs.mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder])
  const filler = path.join(folder, 'filler')
  return {
    folder,
    fill() {
      const file = fs.openSync(filler, 'a')
      try {
        for (let size = 1 << 20; size >= 512; size = Math.floor(size / 2)) {
          try {
            for (;;) fs.writeSync(file, Buffer.alloc(size))
          } catch (thrown) {
            if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')) throw thrown
          }
        }
      } finally {
        fs.closeSync(file)
      }
    },
    free: () => fs.rmSync(filler, { force: true }),
    setReadOnly: isReadOnly => execFileSync('mount', ['-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, folder]),
    unmount: () => execFileSync('umount', ['-l', folder])
  }
}
