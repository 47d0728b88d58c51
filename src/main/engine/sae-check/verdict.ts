/**
 * What a check's tries come to. A reading explains an SAE's numbers when none of the published figures is off and it leaves no more
 * unexplained than the present one: an SAE reconstructs best what it was trained on. Explained variances are compared only
 * between tries over the same tokens.
 */
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import type { PublishedMetrics } from '../../../contract/run.ts'
import type { SaeChange, SaeTry, SaeVerdict } from '../../../contract/sae-check.ts'
import { allowedFactor, brief, unexplained } from './alarm.ts'

/** Two readings closer than this, as a share of what they leave unexplained, explain the same. */
const same = 0.05

function left({ explainedVariance }: SaeTry): number {
  const value = fromMaybeNumber(explainedVariance)
  return value === null || Number.isNaN(value) ? Number.POSITIVE_INFINITY : unexplained(value)
}

const hasSameTokens = (one: SaeTry, other: SaeTry) => one.bos === other.bos && one.counted === other.counted

/** How many things a try changes. */
function changesOf(tried: SaeTry, present: SaeTry): number {
  const changed = [
    tried.hook !== present.hook || tried.hookOut !== present.hookOut,
    tried.processing.join() !== present.processing.join(),
    tried.normFactor !== present.normFactor,
    !hasSameTokens(tried, present)
  ]
  return changed.filter(Boolean).length
}

/** How far a try is from the present reading; to be where the SAE belongs counts for it. */
function distance(tried: SaeTry, present: SaeTry): number {
  return changesOf(tried, present) - (tried.isOwnPlace ? 0.5 : 0)
}

/** The try of a list that leaves least unexplained; of those that leave as good as the same, the one nearest to the present. */
function bestOf(tries: readonly SaeTry[], present: SaeTry): SaeTry | null {
  if (tries.length === 0) return null
  const least = Math.min(...tries.map(left))
  const best = tries.filter(tried => left(tried) <= least * (1 + same))
  return best.reduce((one, other) => (distance(other, present) < distance(one, present) ? other : one))
}

/** A reading in words: what it has that the present one has not, or its hook point. */
export function nameOf(tried: SaeTry, present: SaeTry): string {
  const parts = [
    tried.hook === present.hook && tried.hookOut === present.hookOut
      ? ''
      : `at ${tried.hook}${tried.hookOut === null ? '' : ` to ${tried.hookOut}`}`,
    tried.processing.join() === present.processing.join() ? '' : `with processing ${tried.processing.join(', ') || 'none'}`,
    tried.normFactor === present.normFactor ? '' : `with norm factor ${brief(tried.normFactor)}`,
    tried.bos === present.bos ? '' : tried.bos === 'added' ? 'with BOS in front' : 'without BOS',
    tried.counted === present.counted ? '' : tried.counted === 'all' ? 'with special tokens counted' : 'with special tokens left out'
  ]
  return parts.filter(part => part !== '').join(', ') || `at ${tried.hook}`
}

function figuresOf({ l0, explainedVariance }: SaeTry): string {
  return `L0 ${brief(l0)}, explained variance ${brief(explainedVariance)}`
}

function publishedIn({ l0, explainedVariance }: PublishedMetrics): string {
  const parts = [
    ...(l0 === null ? [] : [`L0 ${brief(l0.value)}`]),
    ...(explainedVariance === null ? [] : [`explained variance ${brief(explainedVariance.value)}`])
  ]
  return parts.join(', ')
}

/** What makes a try the reading in force; `ownFactor` is the SAE's own norm factor. */
function changeTo(tried: SaeTry, present: SaeTry, ownFactor: number | null): SaeChange | null {
  if (changesOf(tried, present) === 0) return null
  return {
    ...(tried.hook === present.hook ? {} : { hook: tried.hook }),
    ...(tried.hookOut === present.hookOut || tried.hookOut === null ? {} : { hookOut: tried.hookOut }),
    ...(tried.processing.join() === present.processing.join() ? {} : { processing: tried.processing }),
    ...(tried.normFactor === present.normFactor ? {} : { normFactor: tried.normFactor === ownFactor ? null : tried.normFactor }),
    ...(tried.bos === present.bos ? {} : { prependBos: tried.bos === 'added' }),
    ...(tried.counted === present.counted ? {} : { metricPositions: tried.counted })
  }
}

/** Tries over the same tokens, those over the present ones first. */
function groupsOf(tries: readonly SaeTry[], present: SaeTry): SaeTry[][] {
  const groups = Map.groupBy(tries, ({ bos, counted }) => `${bos} ${counted}`)
  const rank = ([first]: readonly SaeTry[]) => (first !== undefined && hasSameTokens(first, present) ? 0 : 1)
  return [...groups.values()].sort((one, other) => rank(one) - rank(other))
}

/** The best try of a group that is as published and leaves no more unexplained than the present hook point and reading do there. */
function fittingOf(group: readonly SaeTry[], present: SaeTry): SaeTry | null {
  const atHome = group.find(tried => changesOf({ ...tried, bos: present.bos, counted: present.counted }, present) === 0)
  const most = atHome === undefined ? Number.POSITIVE_INFINITY : left(atHome) * (1 + same)
  return bestOf(
    group.filter(tried => tried.fits && left(tried) <= most),
    present
  )
}

/** What the tries come to; the present one is among them. */
export function verdictOf(tries: readonly SaeTry[], published: PublishedMetrics, ownFactor: number | null): SaeVerdict {
  const present = tries.find(({ isPresent }) => isPresent)
  if (present === undefined) throw new Error('a check always tries the present reading')
  const about = (tried: SaeTry, kind: SaeVerdict['kind'], text: string): SaeVerdict => {
    return { kind, text, about: tries.indexOf(tried), change: changeTo(tried, present, ownFactor) }
  }
  const others = tries.filter(tried => tried !== present && hasSameTokens(tried, present))
  const isPublished = published.l0 !== null || published.explainedVariance !== null
  const twiceAsGood = bestOf(
    others.filter(tried => left(tried) * allowedFactor < left(present) && tried.fits),
    present
  )
  if (!isPublished) {
    if (twiceAsGood === null) {
      return about(
        present,
        'explains-most',
        `Nothing is published of it; none of ${tries.length} tries explains much more: ${figuresOf(present)}.`
      )
    }
    return about(
      twiceAsGood,
      'explains-more',
      `Nothing is published of it, but ${nameOf(twiceAsGood, present)} it explains more: ${figuresOf(twiceAsGood)}, against ${figuresOf(present)}.`
    )
  }
  const stated = publishedIn(published)
  if (present.fits) {
    if (twiceAsGood === null) return about(present, 'present-fits', `It is as published (${stated}): ${figuresOf(present)}.`)
    return about(
      twiceAsGood,
      'other-fits',
      `It is as published (${stated}), but ${nameOf(twiceAsGood, present)} it explains more: ${figuresOf(twiceAsGood)}, against ${figuresOf(present)}.`
    )
  }
  const fitting =
    groupsOf(tries, present)
      .map(group => fittingOf(group, present))
      .find(found => found !== null) ?? null
  if (fitting !== null) {
    return about(
      fitting,
      'other-fits',
      `It fits ${nameOf(fitting, present)}: ${figuresOf(fitting)}; published ${stated}, now ${figuresOf(present)}.`
    )
  }
  const nearest = bestOf([present, ...others], present) ?? present
  const hint =
    nearest === present
      ? 'The present reading explains most of them, so the text may be unlike what it was trained on'
      : `${nameOf(nearest, present)} it explains most: ${figuresOf(nearest)}`
  return about(
    present,
    'none-fits',
    `None of ${tries.length} tries is as published (${stated}); now ${figuresOf(present)}. ${hint.charAt(0).toUpperCase()}${hint.slice(1)}.`
  )
}
