/** Runs cases of a reader and holds each to what no file may do. */
import fs from 'node:fs'
import path from 'node:path'
import { errorKind, SpliceError } from '../contract/errors.ts'
import { Draws } from './draws.ts'
import type { Reader } from './reader.ts'

/** What came of some cases. */
export interface Outcome {
  readonly cases: number
  readonly read: number
  readonly refused: number
  /** Kinds of refusals and how often each came. */
  readonly kinds: Readonly<Record<string, number>>
  readonly slowestMs: number
}

/** A case that did what none may. The words tell how to have it again. */
export class Defect extends Error {}

/** Longest message of an error, in characters: it is to be read by a person. */
const longestMessage = 2000
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f]/

/** What is wrong with what a reader threw; null where it is an error of ours that names its file. */
function faultOf(thrown: unknown, root: string, hasNoFile: boolean): string | null {
  if (!(thrown instanceof SpliceError))
    return `threw no SpliceError: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`
  if (!errorKind.safeParse(thrown.kind).success) return `has the kind ${JSON.stringify(thrown.kind)}`
  if (!hasNoFile && thrown.file === undefined) return `names no file (${thrown.kind}: ${thrown.message.slice(0, 200)})`
  if (thrown.file !== undefined && path.isAbsolute(thrown.file) && !path.resolve(thrown.file).startsWith(root))
    return `names a file that is none of the case: ${thrown.file}`
  for (const text of [thrown.message, thrown.hint ?? '', thrown.field ?? '']) {
    if (text.length > longestMessage) return `says ${text.length} characters (${thrown.kind}: ${text.slice(0, 200)})`
    if (controls.test(text)) return `says control characters: ${JSON.stringify(text.slice(0, 200))}`
  }
  return null
}

/** The names below a folder. */
function names(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

const plainPrototype = Reflect.ownKeys(Object.prototype).length

/**
 * Runs the cases `[from, from + count)` of a seed in folders below `root`.
 * `onCase` hears the number of each before it runs. Throws `Defect`.
 */
export async function attack(
  reader: Reader,
  { seed, from, count, root, onCase }: { seed: number; from: number; count: number; root: string; onCase: (number: number) => void }
): Promise<Outcome> {
  const folder = path.join(root, 'case')
  const scratch = path.join(root, 'scratch')
  const kinds: Record<string, number> = {}
  let read = 0
  let slowestMs = 0
  fs.mkdirSync(scratch, { recursive: true })
  const canary = path.join(root, 'canary')
  fs.writeFileSync(canary, 'nobody writes here')
  for (let number = from; number < from + count; number++) {
    onCase(number)
    const fail = (fault: string): never => {
      throw new Defect(`${reader.name}, seed ${seed}, case ${number}: ${fault}`)
    }
    fs.rmSync(folder, { recursive: true, force: true })
    fs.mkdirSync(folder)
    const readCase = await reader.prepare(new Draws(seed, reader.name, number), folder, scratch)
    const before = names(folder)
    const started = performance.now()
    try {
      await readCase()
      read += 1
    } catch (thrown) {
      const fault = faultOf(thrown, root, reader.hasNoFile === true)
      if (fault !== null) fail(fault)
      const { kind } = thrown as SpliceError
      kinds[kind] = (kinds[kind] ?? 0) + 1
    }
    slowestMs = Math.max(slowestMs, performance.now() - started)
    if (reader.mayWrite !== true && names(folder).join('\n') !== before.join('\n'))
      fail(`changed its folder: ${names(folder).join(', ')}, before ${before.join(', ')}`)
    if (Reflect.ownKeys(Object.prototype).length !== plainPrototype) fail('changed the prototype of all objects')
  }
  await reader.finish?.()
  const others = fs.readdirSync(root).filter(name => !['case', 'scratch', 'canary'].includes(name))
  if (others.length > 0 || fs.readFileSync(canary, 'utf8') !== 'nobody writes here') {
    throw new Defect(`${reader.name}, seed ${seed}: wrote outside its folder (${others.join(', ')})`)
  }
  return { cases: count, read, refused: count - read, kinds, slowestMs }
}
