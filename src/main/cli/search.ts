/** `splice search`: the explanations that contain a text, or its words. */
import { existsSync } from 'node:fs'
import { type SearchResult, searchMode, searchRequest } from '../../contract/explanations.ts'
import { type Grammar, mistake, readArguments, readChoice, readCount, readDb } from './arguments.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = {
  command: 'search',
  flags: ['json'],
  values: ['mode', 'model', 'source', 'explainer', 'limit', 'db'],
  lists: [],
  operand: 'QUERY',
  operands: 'one'
}

/** Runs the command; no hit is no failure. */
export async function search(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const query = args.operands[0] ?? ''
  if (query === '') throw mistake('QUERY', 'The QUERY is empty.', 'Write at least one character, e.g. splice search decept.')
  const request = searchRequest.parse({
    query,
    mode: readChoice('--mode', args.values.get('mode') ?? 'substring', searchMode.options),
    model: args.values.get('model'),
    source: args.values.get('source'),
    explainer: args.values.get('explainer'),
    limit: readCount('--limit', args.values.get('limit') ?? '50', 1, 1000)
  })
  const db = readDb(args)
  if (db !== undefined && !existsSync(db))
    throw mistake('--db', `--db: no mirror is at ${db}.`, `Make it with splice import PATH --db ${db}.`)
  const result = await withEngine({ db }, client => client.explanations.search(request, { signal: terminal.signal }))
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(jsonOf(result))}\n` : listOf(result))
  return exitCode.done
}

function jsonOf(result: SearchResult): object {
  const hits = result.hits.map(({ model, layer, index, description, explainer, id }) => ({
    model,
    layer,
    index,
    description,
    explainer,
    id
  }))
  const { total, totalIsExact, nextKey, milliseconds } = result
  return { total, totalIsExact, nextKey, milliseconds, hits }
}

function listOf(result: SearchResult): string {
  const lines = result.hits.map(hit => {
    const by = hit.explainer === null ? '' : `  (${hit.explainer})`
    return `${hit.model}/${hit.layer}/${hit.index}  ${hit.description.replaceAll(/\s+/g, ' ').trim()}${by}`
  })
  const total = `${result.totalIsExact ? '' : 'at least '}${result.total} ${result.total === 1 ? 'hit' : 'hits'}`
  const shown = result.hits.length < result.total ? `, the first ${result.hits.length} shown` : ''
  return `${[...lines, `${total}${shown}, ${Math.round(result.milliseconds)} ms`].join('\n')}\n`
}
