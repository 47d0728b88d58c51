/** `splice test-prompt`: how well a model knows answers to a prompt, as TransformerLens's `test_prompt` shows it. */
import { type Answer, type AnswersResult, answersRequest } from '../../contract/answers.ts'
import { fromMaybeNumber, type MaybeNumber } from '../../contract/numbers.ts'
import { aligned } from './aligned.ts'
import { type Arguments, type Grammar, mistake, readArguments, readCount, readDb } from './arguments.ts'
import { exitCode } from './exit.ts'
import { modelOptions, readIds, readModelArguments } from './model-arguments.ts'
import { resultOf, showStage } from './result-of.ts'
import { fixed, visible } from './run-table.ts'
import { refuseSharedHook } from './shared-hook.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = {
  command: 'test-prompt',
  flags: [...modelOptions.flags, 'no-prepend-space', 'json'],
  values: [...modelOptions.values, 'top-k'],
  lists: [...modelOptions.lists, 'answer', 'answer-ids'],
  operand: null,
  operands: 'none'
}

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function testPrompt(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const json = args.flags.has('json')
  const request = answersRequest.parse({
    ...readModelArguments(args, 'test-prompt'),
    answers: readAnswers(args),
    prependSpace: !args.flags.has('no-prepend-space'),
    topK: readCount('--top-k', args.values.get('top-k') ?? '10', 1, 1000)
  })
  const result = await withEngine({ db: readDb(args), infers: true, explains: false }, async client => {
    await refuseSharedHook(client, request)
    const events = await client.runs.testPrompt(request, { signal: terminal.signal })
    return (await resultOf(events, 'test', event => showStage(terminal, event))).result
  })
  for (const warning of json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(json ? `${JSON.stringify(result)}\n` : answersTable(result))
  return exitCode.done
}

/** The answers in the order in which they are given. */
function readAnswers(args: Arguments): Answer[] {
  const answers = args.listed.flatMap(([name, value]): Answer[] => {
    if (name === 'answer') {
      if (value === '') throw mistake('--answer', 'an --answer is empty.', 'Give some text, or --answer-ids 54,7.')
      return [{ text: value }]
    }
    if (name !== 'answer-ids') return []
    const ids = readIds('--answer-ids', value)
    if (ids.length === 0) throw mistake('--answer-ids', '--answer-ids is empty.', 'Write token ids joined by commas: --answer-ids 54,7.')
    return [{ ids }]
  })
  if (answers.length > 0) return answers
  throw mistake('--answer', 'splice test-prompt needs an answer.', 'Add --answer TEXT or --answer-ids 54,7, as often as needed.')
}

/** A row for each answer token under each variant, then what each variant predicts after the prompt. */
function answersTable({ model, tokens, bosAdded, answers, topK }: AnswersResult): string {
  const heading = `${model.name}  ${tokens.length} tokens${bosAdded ? ', BOS added' : ''}`
  const rows = answers.flatMap(({ text, tokens: parts }) =>
    parts.flatMap(token =>
      token.variants.map(({ name, rank, logit, probability }) => [
        visible(text),
        visible(token.text),
        name,
        rank === null ? '-' : String(rank),
        fixed(logit, 2),
        percent(probability)
      ])
    )
  )
  const table = aligned([['answer', 'token', 'variant', 'rank', 'logit', 'probability'], ...rows], new Set([0, 1, 2]))
  const predicted = Array.from({ length: Math.max(...topK.map(({ tokens: top }) => top.length)) }, (_, rank) => [
    String(rank),
    ...topK.map(({ tokens: top }) => {
      const token = top[rank]
      return token === undefined ? '' : `${visible(token.text)} ${fixed(token.logit, 2)} ${percent(token.probability)}`
    })
  ])
  const list = aligned([['rank', ...topK.map(({ name }) => name)], ...predicted], new Set(topK.map((_, column) => column + 1)))
  return `${[heading, table, list].join('\n\n')}\n`
}

function percent(probability: MaybeNumber): string {
  const value = fromMaybeNumber(probability)
  return value === null ? '-' : `${(100 * value).toFixed(2)}%`
}
