/** Runs a program in a process of its own and says what it took: time, processor time, memory that no file stands behind. Linux only. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'

export interface Cost {
  readonly seconds: number
  readonly cpuSeconds: number
  /** Largest RssAnon that was seen, every 25 ms. */
  readonly anonymousMegabytes: number
}

/** Ticks a second of /proc/PID/stat. */
const ticks = 100

function look(pid: number): { cpuSeconds: number; anonymousMegabytes: number } | null {
  try {
    const times = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    const anonymous = /RssAnon:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return { cpuSeconds: (Number(times[11]) + Number(times[12])) / ticks, anonymousMegabytes: Number(anonymous ?? 0) / 1024 }
  } catch {
    return null
  }
}

/** The last line that the program prints, which is JSON, and what it took. Throws where it fails. */
export async function measured(program: string, args: readonly string[]): Promise<{ result: unknown; cost: Cost }> {
  const started = performance.now()
  const child = spawn(program, [...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const seen = { cpuSeconds: 0, anonymousMegabytes: 0 }
  const timer = setInterval(() => {
    const now = look(child.pid ?? 0)
    seen.cpuSeconds = Math.max(seen.cpuSeconds, now?.cpuSeconds ?? 0)
    seen.anonymousMegabytes = Math.max(seen.anonymousMegabytes, now?.anonymousMegabytes ?? 0)
  }, 25)
  try {
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`)
    return { result: JSON.parse(output.trim().split('\n').at(-1) ?? ''), cost: { seconds: (performance.now() - started) / 1000, ...seen } }
  } finally {
    clearInterval(timer)
  }
}

/** Where and under what load figures were taken. */
export function machine(): string {
  const load = os.loadavg().map(value => value.toFixed(1))
  return `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, load ${load.join(' ')} (1, 5, 15 minutes)`
}

/** A row of a Markdown table. */
export function printRow(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}

/** Rows of a Markdown table, the first one its head. */
export function printed(...rows: readonly (readonly string[])[]): string[] {
  return rows.flatMap((row, at) => [`| ${row.join(' | ')} |`, ...(at === 0 ? [`|${' --- |'.repeat(row.length)}`] : [])])
}

/** The middle one; the upper of two. */
export function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/**
 * Puts lines into docs/performance.md, in place of those that a measurement of this name left there between its two comments. Throws where the
 * page has no such comments.
 */
export function writeSection(name: string, lines: readonly string[]): void {
  const file = path.join(import.meta.dirname, '../docs/performance.md')
  const page = fs.readFileSync(file, 'utf8')
  const [start, end] = [`<!-- measured: ${name} -->`, `<!-- end: ${name} -->`]
  const [from, to] = [page.indexOf(start), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no ${start} and ${end} behind it`)
  fs.writeFileSync(file, `${page.slice(0, from + start.length)}\n${lines.join('\n')}\n${page.slice(to)}`)
}
