/** `splice feature`: all that the mirror knows of one feature. */
import { SpliceError } from '../../contract/errors.ts'
import type { FeatureExample, FeaturePage } from '../../contract/explanations.ts'
import { describeHarvest } from '../../contract/harvest.ts'
import { aligned } from './aligned.ts'
import { type Grammar, readArguments, readExistingDb, readFeature } from './arguments.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = { command: 'feature', flags: ['json'], values: ['db'], lists: [], operand: 'MODEL/SOURCE/INDEX', operands: 'one' }

/** Examples shown, and tokens shown on each side of the strongest one. */
const examplesShown = 5
const tokensAround = 12

/** Runs the command. Throws `feature/unknown` where the mirror has nothing of the feature. */
export async function feature(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const key = readFeature(args.operands[0] ?? '')
  const page = await withEngine({ db: readExistingDb(args) }, client => client.explanations.feature(key))
  if (!page.known) {
    throw new SpliceError('feature/unknown', `the mirror knows nothing of ${key.source}/${key.index}`, {
      field: 'MODEL/SOURCE/INDEX',
      hint: 'splice sources lists the sources there are.'
    })
  }
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(page)}\n` : textOf(page))
  return exitCode.done
}

function textOf({ source, index, explanations, statistics, examples, harvest, neuronpediaUrl }: FeaturePage): string {
  const parts = [[`${source}/${index}`, ...(neuronpediaUrl === null ? [] : [neuronpediaUrl])].join('\n')]
  if (harvest !== null)
    parts.push(
      aligned(
        describeHarvest(harvest).map(([name, text]) => [name, text]),
        new Set([0, 1])
      )
    )
  if (explanations.length > 0) {
    parts.push(
      explanations.map(({ description, explainer }) => `${description.trim()}${explainer === null ? '' : `  (${explainer})`}`).join('\n')
    )
  }
  if (statistics !== null) {
    const { maxActivation, density, topLogits, bottomLogits } = statistics
    const logits = (list: typeof topLogits) => list.map(({ token, value }) => `${JSON.stringify(token)} ${value.toFixed(2)}`).join('  ')
    const facts: string[][] = [
      ['density', density === null ? '-' : `${(density * 100).toPrecision(3)}%`],
      ['strongest activation', maxActivation === null ? '-' : String(maxActivation)],
      ['raises', logits(topLogits)],
      ['lowers', logits(bottomLogits)]
    ]
    parts.push(aligned(facts, new Set([0, 1])))
  }
  const shown = examples.slice(0, examplesShown)
  if (shown.length > 0) parts.push([`${shown.length} of ${examples.length} examples:`, ...shown.map(lineOf)].join('\n'))
  return `${parts.join('\n\n')}\n`
}

/** The tokens around the strongest one, which stands in brackets. */
function lineOf({ tokens, maxValue, maxValueTokenIndex: at }: FeatureExample): string {
  const [from, to] = [Math.max(0, at - tokensAround), at + tokensAround + 1]
  const text = tokens
    .slice(from, to)
    .map((token, place) => (from + place === at ? `[${token}]` : token))
    .join('')
  return `${maxValue.toFixed(2)}  ${text.replaceAll(/\s+/g, ' ')}`
}
