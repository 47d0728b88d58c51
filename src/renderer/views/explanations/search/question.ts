/** What is asked of the mirror, as the view holds it, as the address carries it, and as the engine is asked. */
import type { SearchFilter, SearchHit, SearchMode } from '../../../../contract/explanations.ts'

/** An order other than the search's own: by a column of the table. */
export type SortColumn = 'description' | 'source' | 'layer' | 'index' | 'explainer' | 'type' | 'density'
export type Sort = { readonly column: SortColumn; readonly descending: boolean }

/** A range of numbers; null is open. */
export type Range = { readonly from: number | null; readonly to: number | null }

/** Empty strings, open ranges and null ask for anything. `source` is `modelId/layer`; density is a share of tokens. */
export type Question = {
  readonly query: string
  readonly mode: SearchMode
  readonly model: string
  readonly release: string
  readonly source: string
  readonly explainer: string
  readonly type: string
  readonly layers: Range
  readonly density: Range
  readonly hasStatistics: boolean | null
  readonly sort: Sort | null
}

const anything: Range = { from: null, to: null }

/** Nothing asked yet. */
export const noQuestion: Question = {
  query: '',
  mode: 'substring',
  model: '',
  release: '',
  source: '',
  explainer: '',
  type: '',
  layers: anything,
  density: anything,
  hasStatistics: null,
  sort: null
}

/** What narrows a question besides its query; clearing it asks all of the mirror. */
export const noFilters = {
  model: '',
  release: '',
  source: '',
  explainer: '',
  type: '',
  layers: anything,
  density: anything,
  hasStatistics: null
} satisfies Partial<Question>

export const sortColumns: readonly SortColumn[] = ['description', 'source', 'layer', 'index', 'explainer', 'type', 'density']

function isOpen({ from, to }: Range): boolean {
  return from === null && to === null
}

/** Whether anything but the query narrows it. */
export function isFiltered(question: Question): boolean {
  const { model, release, source, explainer, type, layers, density, hasStatistics } = question
  return [model, release, source, explainer, type].some(Boolean) || !isOpen(layers) || !isOpen(density) || hasStatistics !== null
}

function between({ from, to }: Range): { from?: number; to?: number } {
  return { ...(from === null ? {} : { from }), ...(to === null ? {} : { to }) }
}

/** The filter and query for the engine: only what is asked for. */
export function requestOf(question: Question): SearchFilter & { query: string; mode: SearchMode } {
  const { query, mode, model, release, source, explainer, type, layers, density, hasStatistics } = question
  return {
    query,
    mode,
    ...(model && { model }),
    ...(release && { release }),
    ...(source && { source }),
    ...(explainer && { explainer }),
    ...(type && { type }),
    ...(isOpen(layers) ? {} : { layers: between(layers) }),
    ...(isOpen(density) ? {} : { density: between(density) }),
    ...(hasStatistics === null ? {} : { hasStatistics })
  }
}

/** A question that was kept, as the view holds it. */
export function questionOf(kept: SearchFilter & { query: string; mode: SearchMode }): Question {
  const range = (given: { from?: number | undefined; to?: number | undefined } = {}): Range => ({
    from: given.from ?? null,
    to: given.to ?? null
  })
  return {
    ...noQuestion,
    query: kept.query,
    mode: kept.mode,
    model: kept.model ?? '',
    release: kept.release ?? '',
    source: kept.source ?? '',
    explainer: kept.explainer ?? '',
    type: kept.type ?? '',
    layers: range(kept.layers),
    density: range(kept.density),
    hasStatistics: kept.hasStatistics ?? null
  }
}

function rangeText({ from, to }: Range): string {
  return from === null && to === null ? '' : `${from ?? ''}~${to ?? ''}`
}

function readRange(text: string | undefined): Range {
  const [from = '', to = ''] = (text ?? '').split('~')
  const bound = (part: string) => (part !== '' && Number.isFinite(Number(part)) ? Number(part) : null)
  return { from: bound(from), to: bound(to) }
}

/** The question as values of an address. */
export function addressOf(question: Question): Record<string, string> {
  const { query, mode, model, release, source, explainer, type, layers, density, hasStatistics, sort } = question
  const values = {
    q: query,
    mode: mode === 'words' ? mode : '',
    model,
    release,
    source,
    explainer,
    type,
    layers: rangeText(layers),
    density: rangeText(density),
    statistics: hasStatistics === null ? '' : hasStatistics ? 'yes' : 'no',
    sort: sort === null ? '' : `${sort.column}${sort.descending ? '-down' : ''}`
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))
}

function readSort(text: string | undefined): Sort | null {
  const [, name, down] = /^(\w+?)(-down)?$/.exec(text ?? '') ?? []
  const column = sortColumns.find(known => known === name)
  return column === undefined ? null : { column, descending: down !== undefined }
}

/** The question that an address carries; what it does not say asks for anything. */
export function readAddress(values: Readonly<Record<string, string>>): Question {
  const { q = '', mode, model = '', release = '', source = '', explainer = '', type = '', layers, density, statistics, sort } = values
  return {
    query: q,
    mode: mode === 'words' ? 'words' : 'substring',
    model,
    release,
    source,
    explainer,
    type,
    layers: readRange(layers),
    density: readRange(density),
    hasStatistics: statistics === 'yes' ? true : statistics === 'no' ? false : null,
    sort: readSort(sort)
  }
}

/** Whether two questions ask the same. */
export function isSame(one: Question, other: Question): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Whether two questions have the same hits, whatever their order. */
export function hasSameHits(one: Question, other: Question): boolean {
  return JSON.stringify(requestOf(one)) === JSON.stringify(requestOf(other))
}

/** Layer number of a hit, as its source's name begins with it; null where it does not. */
export function layerNumberOf({ layer }: Pick<SearchHit, 'layer'>): number | null {
  const number = /^(\d+)-/.exec(layer)?.[1]
  return number === undefined ? null : Number(number)
}

const sortKeys: Readonly<Record<SortColumn, (hit: SearchHit) => string | number | null>> = {
  description: hit => hit.description,
  source: hit => `${hit.model}/${hit.layer}`,
  layer: layerNumberOf,
  index: hit => hit.index,
  explainer: hit => hit.explainer,
  type: hit => hit.type,
  density: hit => hit.density
}

const collator = new Intl.Collator('en', { numeric: true })

/** Hits by a column; what is not known comes last either way, and equal ones stay in their order. */
export function sortHits(hits: readonly SearchHit[], { column, descending }: Sort): SearchHit[] {
  const keyOf = sortKeys[column]
  const keyed = hits.map(hit => ({ hit, key: keyOf(hit) }))
  keyed.sort((one, other) => {
    if (one.key === null || other.key === null) return Number(one.key === null) - Number(other.key === null)
    const order =
      typeof one.key === 'number' && typeof other.key === 'number'
        ? one.key - other.key
        : collator.compare(String(one.key), String(other.key))
    return descending ? -order : order
  })
  return keyed.map(({ hit }) => hit)
}

/** What a question is narrowed to, in a few words, e.g. `gemma-2-2b, layers 3 to 12`. */
export function filterWords(question: Question): string {
  const { model, release, source, explainer, type, layers, density, hasStatistics } = question
  const range = ({ from, to }: Range, unit: (value: number) => string) =>
    from === null
      ? `up to ${unit(to ?? 0)}`
      : to === null
        ? `from ${unit(from)}`
        : from === to
          ? unit(from)
          : `${unit(from)} to ${unit(to)}`
  const words = [source || [model, release].filter(Boolean).join(' ')]
  if (!isOpen(layers)) words.push(`layers ${range(layers, String)}`)
  words.push(explainer, type)
  if (!isOpen(density)) words.push(`density ${range(density, value => `${+(value * 100).toPrecision(3)}%`)}`)
  if (hasStatistics !== null) words.push(hasStatistics ? 'with statistics' : 'without statistics')
  return words.filter(Boolean).join(', ')
}
