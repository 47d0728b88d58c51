/** `splice search`: the explanations that contain a text, or its words. */
import {
  type CountResult,
  type QueryProblem,
  type SearchFilter,
  type SearchResult,
  searchMode,
  searchRequest
} from '../../contract/explanations.ts'
import { aligned } from './aligned.ts'
import {
  type Arguments,
  type Grammar,
  mistake,
  readArguments,
  readChoice,
  readCount,
  readExistingDb,
  readRange,
  readText
} from './arguments.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

/** Options that narrow a search. */
const filterValues = ['model', 'release', 'source', 'layers', 'explainer', 'type', 'density'] as const
const grammar: Grammar = {
  command: 'search',
  flags: ['json', 'facets', 'has-statistics', 'no-statistics'],
  values: ['mode', ...filterValues, 'limit', 'after', 'db'],
  lists: [],
  operand: 'QUERY',
  operands: 'one'
}

/** How long hits are counted, in ms: whoever waits at a shell wants the number, so longer than a window does. */
const countFor = 10_000
const facetsFor = 60_000
/** Names shown of a facet. */
const namesShown = 12

/** Runs the command; no hit is no failure, and neither is a mistake in a query of words. */
export async function search(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const query = args.operands[0] ?? ''
  if (query === '') throw mistake('QUERY', 'The QUERY is empty.', 'Write at least one character, e.g. splice search decept.')
  const withFacets = args.flags.has('facets')
  const request = searchRequest.parse({
    query,
    mode: readChoice('--mode', args.values.get('mode') ?? 'substring', searchMode.options),
    ...readFilter(args),
    limit: readCount('--limit', args.values.get('limit') ?? '50', 1, 1000),
    after: readText(args, 'after'),
    countFor: withFacets ? 0 : countFor
  })
  const db = readExistingDb(args)
  const { found, counted } = await withEngine({ db }, async client => ({
    found: await client.explanations.search(request, { signal: terminal.signal }),
    counted: withFacets ? await client.explanations.count({ ...request, countFor: facetsFor }, { signal: terminal.signal }) : null
  }))
  const result = counted === null ? found : { ...found, total: counted.total, totalIsExact: counted.totalIsExact }
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(jsonOf(result, counted))}\n` : listOf(result, counted))
  if (result.problem !== null) terminal.note(pointAt(query, result.problem))
  return exitCode.done
}

function readFilter(args: Arguments): SearchFilter {
  const [has, no] = [args.flags.has('has-statistics'), args.flags.has('no-statistics')]
  if (has && no) throw mistake('--no-statistics', '--has-statistics and --no-statistics are both given.', 'Give one of them.')
  const [layers, density] = [readText(args, 'layers'), readText(args, 'density')]
  return {
    model: readText(args, 'model'),
    release: readText(args, 'release'),
    source: readText(args, 'source'),
    layers: layers === undefined ? undefined : readRange('--layers', layers, /^\d+$/),
    explainer: readText(args, 'explainer'),
    type: readText(args, 'type'),
    hasStatistics: has || (no ? false : undefined),
    density: density === undefined ? undefined : readRange('--density', density, /^\d*\.?\d+(e[-+]?\d+)?$/i)
  }
}

function jsonOf(result: SearchResult, counted: CountResult | null): object {
  const hits = result.hits.map(({ model, layer, index, description, explainer, id }) => ({
    model,
    layer,
    index,
    description,
    explainer,
    id
  }))
  const { total, totalIsExact, nextKey, milliseconds } = result
  if (counted === null) return { total, totalIsExact, nextKey, milliseconds, hits }
  const { model, source, explainer } = counted.facets
  return { total, totalIsExact, nextKey, milliseconds, hits, facets: { model, source, explainer } }
}

function listOf(result: SearchResult, counted: CountResult | null): string {
  const lines = result.hits.map(hit => {
    const by = hit.explainer === null ? '' : `  (${hit.explainer})`
    return `${hit.model}/${hit.layer}/${hit.index}  ${hit.description.replaceAll(/\s+/g, ' ').trim()}${by}`
  })
  const total = `${result.totalIsExact ? '' : 'at least '}${result.total} ${result.total === 1 ? 'hit' : 'hits'}`
  const shown = result.hits.length < result.total ? `, ${result.hits.length} shown` : ''
  const next = result.nextKey === null ? '' : `; --after ${result.nextKey} shows the next ones`
  const tables =
    counted === null ? [] : ['', ...(['model', 'source', 'explainer'] as const).map(name => facetTable(name, counted.facets[name]))]
  return `${[...lines, `${total}${shown}, ${Math.round(result.milliseconds)} ms${next}`, ...tables].join('\n')}\n`
}

/** The names with the most hits. */
function facetTable(name: string, facet: Record<string, number>): string {
  const all = Object.entries(facet).sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
  const rows = all.slice(0, namesShown).map(([value, hits]) => [value === '' ? '(none)' : value, String(hits)])
  const rest = all.length > namesShown ? `\n… and ${all.length - namesShown} more` : ''
  return `${aligned([[name, 'hits'], ...rows], new Set([0]))}${rest}\n`
}

/** A mistake in a query, with a mark below its place; the hits are those of the rest. */
export function pointAt(query: string, { message, start, end }: QueryProblem): string {
  const shown = query.replaceAll(/\s/g, ' ')
  const width = (text: string) => [...text].length
  const mark = `${' '.repeat(width(shown.slice(0, start)))}${'^'.repeat(Math.max(1, width(shown.slice(start, end))))}`
  return `splice: ${message}; it is left out.\n  ${shown}\n  ${mark}`
}
