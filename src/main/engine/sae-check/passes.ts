/** Which forward passes it takes to see an SAE at every place under every processing that makes a difference there. */
import type { ProcessingEffect } from '../../../contract/configs.ts'
import type { ProcessingFlag } from '../../../contract/run.ts'
import { processingsAt } from '../../transformer/processing-effects.ts'
import type { Place } from './places.ts'

/** An SAE at a place as a run would have it under a processing. */
export interface PlacedReading {
  readonly place: Place
  /** The present flags with those of this place as they are tried. */
  readonly processing: readonly ProcessingFlag[]
}

/** A forward pass: the flags it runs under and the readings that it shows. */
export interface Pass {
  readonly flags: readonly ProcessingFlag[]
  readonly readings: readonly PlacedReading[]
}

const hooksOf = ({ hook, hookOut }: Place) => (hookOut === null ? [hook] : [hook, hookOut])

interface Wanted extends PlacedReading {
  /** The flags that count at the place, and those of them that are set. */
  readonly counting: ReadonlySet<ProcessingFlag>
  readonly set: string
}

function wantedOf(place: Place, present: readonly ProcessingFlag[], effects: readonly ProcessingEffect[], readsGain: boolean): Wanted[] {
  const combinations = processingsAt(hooksOf(place), effects)
  const counting = new Set(combinations.flat())
  // What reads the norm's gain reads the same whether the gain is folded or not.
  if (readsGain) counting.delete('fold_ln')
  const order = effects.map(({ flag }) => flag)
  const sets = new Map(combinations.map(combination => combination.filter(flag => counting.has(flag))).map(set => [set.join(), set]))
  return [...sets].map(([set, flags]) => ({
    place,
    processing: order.filter(flag => (counting.has(flag) ? flags.includes(flag) : present.includes(flag))),
    counting,
    set
  }))
}

/**
 * The passes, as few as show every reading; the first shows the present one. `readsGain` says whether the SAE reads the norm's gain at a hook.
 */
export function passesOf(
  places: readonly Place[],
  present: readonly ProcessingFlag[],
  effects: readonly ProcessingEffect[],
  readsGain: (hook: string) => boolean
): Pass[] {
  const wanted = places.flatMap(place => wantedOf(place, present, effects, readsGain(place.hook)))
  const counting = effects.map(({ flag }) => flag).filter(flag => wanted.some(one => one.counting.has(flag)))
  const shows = (flags: readonly ProcessingFlag[], one: Wanted) => flags.filter(flag => one.counting.has(flag)).join() === one.set
  const candidates = Array.from({ length: 2 ** counting.length }, (_, bits) =>
    counting.filter((_flag, place) => ((bits >> place) & 1) === 1)
  )
  const now = counting.filter(flag => present.includes(flag))
  const passes: Pass[] = []
  let left: readonly Wanted[] = wanted
  while (left.length > 0) {
    const most = (flags: readonly ProcessingFlag[]) => left.filter(one => shows(flags, one)).length
    const flags = passes.length === 0 ? now : candidates.reduce((best, other) => (most(other) > most(best) ? other : best))
    const shown = left.filter(one => shows(flags, one))
    passes.push({ flags, readings: shown.map(({ place, processing }) => ({ place, processing })) })
    left = left.filter(one => !shown.includes(one))
  }
  return passes
}
