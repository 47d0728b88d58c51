/** The rows of the two tables: an SAE's hook points and the others, filtered and sorted. */
import type { CachedHook, HookTable } from '../../../contract/hooks.ts'
import { fromMaybeNumber, type MaybeNumber } from '../../../contract/numbers.ts'

export type Column = 'order' | 'name' | 'shape' | 'bytes' | 'mean' | 'std' | 'min' | 'max' | 'nonFinite' | 'meanAbsolute' | 'maxAbsolute'
export type Sort = { column: Column; descending: boolean }

/** What a filter lets through; `problem` says why a text that looks like a regular expression is taken literally. */
export type NameFilter = { test: (name: string) => boolean; isPattern: boolean; problem: string | null }

/** Signs that no hook name has: a text with one of them is a regular expression. */
const patternSigns = /[\^$*+?()[\]{}|\\]/

/** A filter of names: any part of them, case ignored, or a regular expression where the text looks like one. */
export function nameFilter(text: string): NameFilter {
  const wanted = text.trim()
  const literal = (name: string) => name.toLowerCase().includes(wanted.toLowerCase())
  if (!patternSigns.test(wanted)) return { test: literal, isPattern: false, problem: null }
  try {
    const pattern = new RegExp(wanted, 'i')
    return { test: name => pattern.test(name), isPattern: true, problem: null }
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message.replace(/^Invalid regular expression: /, '') : String(thrown)
    return { test: literal, isPattern: false, problem: why }
  }
}

/** How many values are not finite. */
export function nonFinite({ statistics: { nan, positiveInfinity, negativeInfinity } }: CachedHook): number {
  return nan + positiveInfinity + negativeInfinity
}

function cellValue(hook: CachedHook, column: Column): number | string | null {
  switch (column) {
    case 'order':
      return 0
    case 'name':
      return hook.name
    case 'shape':
      return hook.shape.length * 1e12 + hook.bytes
    case 'bytes':
      return hook.bytes
    case 'nonFinite':
      return nonFinite(hook)
    case 'meanAbsolute':
    case 'maxAbsolute':
      return numberOf(hook.difference?.[column] ?? null)
    default:
      return numberOf(hook.statistics[column])
  }
}

function numberOf(value: MaybeNumber): number | null {
  const number = fromMaybeNumber(value)
  return number === null || Number.isNaN(number) ? null : number
}

/** Sorted by a column; what has no value there comes last either way, and equal ones stay in the order of the run. */
export function sortedHooks(hooks: readonly CachedHook[], { column, descending }: Sort): CachedHook[] {
  if (column === 'order') return descending ? [...hooks].reverse() : [...hooks]
  const sign = descending ? -1 : 1
  return [...hooks].sort((one, other) => {
    const [a, b] = [cellValue(one, column), cellValue(other, column)]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    if (typeof a === 'string' || typeof b === 'string') return sign * String(a).localeCompare(String(b), 'en', { numeric: true })
    return sign * (a - b)
  })
}

/** One table: its rows, and how many there are without the filter. */
export type HookGroup = { title: string; hooks: CachedHook[]; total: number }

/** SAE hooks, then all others. */
export function hookGroups(table: HookTable, filter: NameFilter, sort: Sort): HookGroup[] {
  const group = (title: string, isIn: (hook: CachedHook) => boolean): HookGroup => {
    const all = table.hooks.filter(isIn)
    return {
      title,
      hooks: sortedHooks(
        all.filter(hook => filter.test(hook.name)),
        sort
      ),
      total: all.length
    }
  }
  return [group('SAE hooks', hook => hook.sae !== null), group('Other hook points', hook => hook.sae === null)]
}

/** A hook of one table by its own name and its SAE's: two SAEs can have stood at one hook point. */
export function keyOf({ name, sae }: Pick<CachedHook, 'name' | 'sae'>): string {
  return sae === null ? name : `${name} ${sae}`
}

/** A name cut before its last part, which tells most: `blocks.0.attn.` and `hook_pattern`. */
export function nameParts(name: string): [path: string, last: string] {
  const end = name.lastIndexOf('.') + 1
  return [name.slice(0, end), name.slice(end)]
}
