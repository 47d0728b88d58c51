/** Processes as /proc has them: who descends from whom, who is a zombie, what is open. */
import fs from 'node:fs'

export interface ProcessEntry {
  readonly id: number
  readonly parent: number
  /** `Z` for a zombie, `T` for a stopped one. */
  readonly state: string
}

/** Every process there is. */
export function allProcesses(): ProcessEntry[] {
  return fs.readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'utf8')
      // The name stands in parentheses and may hold any.
      const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return [{ id: Number(name), parent: Number(parent), state }]
    } catch {
      // It has ended since.
      return []
    }
  })
}

/** The processes below one, without it. */
export function descendantsOf(id: number): ProcessEntry[] {
  const all = allProcesses()
  const below: ProcessEntry[] = []
  const parents = [id]
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    for (const entry of all) {
      if (entry.parent !== parent) continue
      below.push(entry)
      parents.push(entry.id)
    }
  }
  return below
}

/** How many descriptors a process has open. */
export function openDescriptors(id: number): number {
  return fs.readdirSync(`/proc/${id}/fd`).length
}

/** What the descriptors of a process are, for messages. */
export function descriptorNames(id: number): string[] {
  return fs.readdirSync(`/proc/${id}/fd`).flatMap(name => {
    try {
      return [fs.readlinkSync(`/proc/${id}/fd/${name}`)]
    } catch {
      return []
    }
  })
}

/** Resident memory of a process that is not a file's, in bytes. */
export function anonymousBytes(id: number): number {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${id}/status`, 'utf8')) ?? []
  return Number(kilobytes ?? Number.NaN) * 1024
}

/** All memory that a process has mapped, in bytes. */
export function mappedBytes(id: number): number {
  const [, kilobytes] = /^VmSize:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${id}/status`, 'utf8')) ?? []
  return Number(kilobytes ?? Number.NaN) * 1024
}

/** Processes that have a variable with this value, such as those that a command left behind. */
export function processesWith(variable: string, value: string): number[] {
  return allProcesses()
    .filter(({ id, state }) => {
      try {
        return state !== 'Z' && fs.readFileSync(`/proc/${id}/environ`, 'latin1').split('\0').includes(`${variable}=${value}`)
      } catch {
        return false
      }
    })
    .map(({ id }) => id)
}
