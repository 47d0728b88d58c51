/** A check of an SAE as text for people: what is published, a line per try, what it comes to. */
import { fromMaybeNumber, type MaybeNumber } from '../../contract/numbers.ts'
import type { PublishedFigure } from '../../contract/run.ts'
import type { SaeCheck, SaeCheckRequest, SaeTry } from '../../contract/sae-check.ts'
import { aligned } from './aligned.ts'
import { describePrompt, optionsOf } from './check-request.ts'

const bosWords = { 'as-given': 'as given', added: 'added', 'left-out': 'left out' }

/** The whole text, ending in a line feed. `unexplained` is 1 - explained variance, over the published one's. */
export function checkTable(check: SaeCheck, request: SaeCheckRequest): string {
  const { path, model, published, tries, verdict } = check
  const present = tries.find(({ isPresent }) => isPresent)
  const over = `over ${present?.positions} tokens of ${describePrompt(request.prompt)}`
  const head = [
    `${path} on ${model}, ${over}`,
    `published: ${figure('L0', published.l0)}, ${figure('explained variance', published.explainedVariance)}`
  ]
  const change = verdict.change === null ? null : optionsOf(verdict.change, request)
  const short = check.isShort ? ['These are few tokens: L0 and explained variance of a longer text are surer.'] : []
  const foot = [verdict.text, ...(change === null ? [] : [`With splice run: ${change}`]), ...short]
  return `${head.join('\n')}\n\n${table(tries, verdict.about)}\n\n${foot.join('\n')}\n`
}

function figure(name: string, stated: PublishedFigure | null): string {
  if (stated === null) return `no ${name}`
  return `${name} ${fixed(stated.value, 3)} (${{ release: 'its release', file: 'its files', path: 'its path' }[stated.from]})`
}

function table(tries: readonly SaeTry[], about: number): string {
  const hasFactor = tries.some(({ normFactor }) => normFactor !== null)
  const hasOut = tries.some(({ hookOut }) => hookOut !== null)
  const header = [
    '',
    'hook point',
    ...(hasOut ? ['to'] : []),
    'processing',
    ...(hasFactor ? ['norm factor'] : []),
    'BOS',
    'special tokens',
    'L0',
    'times off',
    'expl. var.',
    'unexplained',
    'as published'
  ]
  const rows = tries.map((tried, at) => [
    `${tried.isPresent ? 'now' : ''}${at === about && !tried.isPresent ? '->' : ''}`,
    tried.hook,
    ...(hasOut ? [tried.hookOut ?? ''] : []),
    tried.processing.join() || 'none',
    ...(hasFactor ? [tried.normFactor === null ? '-' : fixed(tried.normFactor, 4)] : []),
    bosWords[tried.bos],
    tried.counted === 'all' ? 'counted' : 'left out',
    fixed(tried.l0, 1),
    times(tried.l0Factor),
    fixed(tried.explainedVariance, 3),
    times(tried.unexplainedFactor),
    tried.fits ? 'yes' : ''
  ])
  return aligned([header, ...rows], new Set([...Array(hasOut ? 4 : 3).keys(), ...(hasFactor ? [] : [hasOut ? 5 : 4])]))
}

function times(factor: MaybeNumber): string {
  const value = fromMaybeNumber(factor)
  return value === null ? '-' : `${value >= 100 ? value.toFixed(0) : value.toFixed(2)}x`
}

function fixed(value: MaybeNumber, digits: number): string {
  const number = fromMaybeNumber(value)
  if (number === null) return '-'
  return Number.isFinite(number) ? String(Number(number.toFixed(digits))) : String(value)
}
