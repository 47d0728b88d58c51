/** `splice similar`: explanations like those of a feature, by their embeddings. */
import { type SimilarResult, similarRequest } from '../../contract/explanations.ts'
import { type Grammar, mistake, quoted, readArguments, readCount, readExistingDb, readFeature, readText } from './arguments.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = {
  command: 'similar',
  flags: ['json'],
  values: ['limit', 'within', 'explanation', 'db'],
  lists: [],
  operand: 'MODEL/SOURCE/INDEX',
  operands: 'one'
}

/** Runs the command. Throws `similar/...`. */
export async function similar(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const within = readText(args, 'within')
  const request = similarRequest.parse({
    ...readFeature(args.operands[0] ?? ''),
    explanation: readText(args, 'explanation'),
    limit: readCount('--limit', args.values.get('limit') ?? '50', 1, 1000),
    within: within === undefined ? {} : readWithin(within)
  })
  const result = await withEngine({ db: readExistingDb(args) }, client => client.explanations.similar(request, { signal: terminal.signal }))
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(result)}\n` : listOf(result))
  return exitCode.done
}

function readWithin(text: string): { model: string; source?: string } {
  const [model = '', source, ...more] = text.split('/')
  if (model === '' || source === '' || more.length > 0) {
    throw mistake('--within', `--within ${quoted(text)} is neither a model nor MODEL/SOURCE.`, 'Write e.g. --within gemma-2-2b.')
  }
  return source === undefined ? { model } : { model, source }
}

function listOf({ of, hits, compared, milliseconds }: SimilarResult): string {
  const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim()
  const lines = hits.map(
    hit =>
      `${hit.similarity.toFixed(4)}  ${hit.model}/${hit.layer}/${hit.index}  ${oneLine(hit.description)}${hit.explainer === null ? '' : `  (${hit.explainer})`}`
  )
  const heading = of.map(({ description }) => `like: ${oneLine(description)}`)
  return `${[...heading, '', ...lines, `${compared} explanations compared, ${Math.round(milliseconds)} ms`].join('\n')}\n`
}
