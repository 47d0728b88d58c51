/** The order in which variants are shown. The first one is the baseline: what the others are compared with. */
import type { RunResult } from '../../contract/run.ts'

/** Names in a wanted order; those that it does not know come after, as they were. */
export function inOrder(names: readonly string[], wanted: readonly string[]): string[] {
  return [...wanted.filter(name => names.includes(name)), ...names.filter(name => !wanted.includes(name))]
}

/** Names with one of them moved to another place, which is clamped to what there is. */
export function movedTo(names: readonly string[], name: string, place: number): string[] {
  const others = names.filter(other => other !== name)
  const at = Math.min(Math.max(place, 0), others.length)
  return [...others.slice(0, at), name, ...others.slice(at)]
}

/** A result with its variants in another order; everything else is the same, by identity too. */
export function reordered(result: RunResult, wanted: readonly string[]): RunResult {
  const places = inOrder(
    result.variants.map(({ name }) => name),
    wanted
  )
  if (result.variants.every(({ name }, at) => name === places[at])) return result
  return { ...result, variants: places.flatMap(name => result.variants.filter(variant => variant.name === name)) }
}
