/** `splice sources`: what the mirror holds, source by source, or one of them in numbers. */
import type { SourceOverview, SourceSummary } from '../../contract/explanations.ts'
import { describeHarvest } from '../../contract/harvest.ts'
import { aligned } from './aligned.ts'
import { type Grammar, mistake, readArguments, readCount, readExistingDb, readSource } from './arguments.ts'
import { formatBytes } from './bytes.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = {
  command: 'sources',
  flags: ['json'],
  values: ['width', 'db'],
  lists: [],
  operand: 'MODEL/SOURCE',
  operands: 'any'
}

/** Runs the command. Throws `mirror/no-source`. */
export async function sources(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const [named, second] = args.operands
  if (second !== undefined) throw mistake(second, 'splice sources takes one MODEL/SOURCE.', 'Name one, or none for a list of all.')
  const width = args.values.get('width')
  if (width !== undefined && named === undefined)
    throw mistake('--width', '--width needs MODEL/SOURCE.', 'Name the source whose SAE has that width.')
  const db = readExistingDb(args)
  const json = args.flags.has('json')
  if (named === undefined) {
    const list = await withEngine({ db }, client => client.explanations.sources())
    await terminal.print(json ? `${JSON.stringify({ sources: list })}\n` : tableOf(list))
    return exitCode.done
  }
  const source = readSource('MODEL/SOURCE', named)
  const request = { source, ...(width === undefined ? {} : { width: readCount('--width', width, 1, 2 ** 31) }) }
  const overview = await withEngine({ db }, client => client.explanations.overview(request, { signal: terminal.signal }))
  await terminal.print(json ? `${JSON.stringify(overview)}\n` : textOf(overview))
  return exitCode.done
}

function tableOf(list: readonly SourceSummary[]): string {
  const rows = list.map(one => [
    one.model,
    one.layerNumber === null ? '-' : String(one.layerNumber),
    one.release,
    String(one.explanations),
    String(one.features),
    String(one.statistics),
    String(one.embeddings),
    formatBytes(one.bytes),
    one.harvest === null ? one.explainers.join(', ') : `own, from ${one.harvest.tokens.toLocaleString('en-US')} tokens`
  ])
  const header = ['model', 'layer', 'release', 'explanations', 'features', 'statistics', 'embeddings', 'size', 'explainers']
  const sum = list.reduce((total, { explanations }) => total + explanations, 0)
  const table = list.length === 0 ? [] : [aligned([header, ...rows], new Set([0, 2, 8])), '']
  return `${[...table, `${list.length} ${list.length === 1 ? 'source' : 'sources'}, ${sum} explanations`].join('\n')}\n`
}

const widthFrom = { request: 'as --width says', sae: 'by an SAE on this disk', statistics: 'by its statistics' } as const

function textOf(one: SourceOverview): string {
  const { width } = one
  const facts: [string, string][] = [
    ['explanations', String(one.explanations)],
    ['distinct features', String(one.features)],
    ['features in all', width === null ? 'not known; --width N tells' : `${width.features}, ${widthFrom[width.from]}`],
    ['without explanation', one.withoutExplanation === null ? '-' : String(one.withoutExplanation)],
    ['with several', String(one.withSeveral)],
    ['distinct texts', String(one.distinctDescriptions)],
    ['duplicates', `${one.duplicates} (the same text of the same feature)`],
    ['statistics', String(one.statistics)],
    ['embeddings', String(one.embeddings)],
    ['size', formatBytes(one.bytes)],
    ...(one.harvest === null ? [] : describeHarvest(one.harvest).map(([name, text]): [string, string] => [name, text]))
  ]
  const counts = (name: string, list: SourceOverview['byExplainer']) =>
    aligned(
      [[name, 'explanations', 'features'], ...list.map(item => [item.name ?? '(none)', String(item.explanations), String(item.features)])],
      new Set([0])
    )
  const commonest = one.commonest.map(({ description, explanations }) => `${explanations} x  ${description.replaceAll(/\s+/g, ' ').trim()}`)
  const parts = [
    `${one.source}\n${aligned(facts, new Set([0, 1]))}`,
    counts('explainer', one.byExplainer),
    counts('type', one.byType),
    ...(commonest.length === 0 ? [] : [`Texts that return:\n${commonest.join('\n')}`])
  ]
  return `${parts.join('\n\n')}\n`
}
