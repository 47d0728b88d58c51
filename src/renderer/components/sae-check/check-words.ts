/** Checks of SAEs in words and cells: what a change makes, what a try is, figures and where they are published. */
import { fromMaybeNumber, type MaybeNumber } from '../../../contract/numbers.ts'
import type { PublishedFigure } from '../../../contract/run.ts'
import type { SaeChange, SaeCheck, SaeTry } from '../../../contract/sae-check.ts'
import { fullValue } from '../../state/numbers.ts'
import { toTsv } from '../tsv.ts'

/** What states a published figure. */
export function statedBy({ from }: Pick<PublishedFigure, 'from'>): string {
  return { release: 'its release', file: 'its files', path: 'its path' }[from]
}

/** What a change makes of the workspace, a phrase for each thing; none twice. */
export function changesIn({ hook, hookOut, processing, normFactor, prependBos, metricPositions }: SaeChange): string[] {
  return [
    ...(hook === undefined ? [] : [`read ${hook}`]),
    ...(hookOut === undefined ? [] : [`write ${hookOut}`]),
    ...(processing === undefined ? [] : [`processing ${processing.join(', ') || 'none'}`]),
    ...(normFactor === undefined ? [] : [normFactor === null ? 'its own norm factor' : `norm factor ${Number(normFactor.toPrecision(4))}`]),
    ...(prependBos === undefined ? [] : [prependBos ? 'put BOS in front' : 'leave BOS out']),
    ...(metricPositions === undefined ? [] : [metricPositions === 'all' ? 'count special tokens' : 'leave special tokens out of metrics'])
  ]
}

/** What a try does to BOS and special tokens. */
export function tokensOf({ bos, counted }: Pick<SaeTry, 'bos' | 'counted'>): string {
  const front = { 'as-given': '', added: 'BOS added, ', 'left-out': 'BOS left out, ' }[bos]
  return `${front}special ${counted === 'all' ? 'counted' : 'left out'}`
}

/** How many times a figure is off, e.g. `3.17×`; empty where nothing is published. */
export function timesOf(factor: MaybeNumber): string {
  const value = fromMaybeNumber(factor)
  if (value === null || Number.isNaN(value)) return ''
  return Number.isFinite(value) ? `${value >= 100 ? value.toFixed(0) : value.toFixed(2)}×` : '∞'
}

/** All tries as a table to paste. */
export function triesTsv({ tries }: Pick<SaeCheck, 'tries'>): string {
  const header = ['hook point', 'to', 'processing', 'norm factor', 'BOS', 'special tokens', 'L0', 'times off', 'explained variance']
  return toTsv(
    [...header, 'unexplained, times published', 'positions', 'as published', 'now'],
    tries.map(tried => [
      tried.hook,
      tried.hookOut ?? '',
      tried.processing.join() || 'none',
      tried.normFactor === null ? '' : String(tried.normFactor),
      tried.bos,
      tried.counted === 'all' ? 'counted' : 'left out',
      fullValue(tried.l0),
      fullValue(tried.l0Factor),
      fullValue(tried.explainedVariance),
      fullValue(tried.unexplainedFactor),
      String(tried.positions),
      tried.fits ? 'yes' : 'no',
      tried.isPresent ? 'yes' : ''
    ])
  )
}
