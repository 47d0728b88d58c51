/** Answers as a table: a row for each token and variant, and where an answer has several tokens, for the whole of it. */
import type { AnswerResult, AnswersResult, RankedToken, TokenVerdict } from '../../../contract/answers.ts'
import { fromMaybeNumber, type MaybeNumber, toMaybeNumber } from '../../../contract/numbers.ts'
import type { Token } from '../../../contract/run.ts'
import type { Guess } from '../../components/guess-table/movement.ts'
import { toTsv } from '../../components/tsv.ts'
import { finiteOrNull, fullValue } from '../../state/numbers.ts'

/** A variant's verdict; `difference` is its log-prob minus clean's (nats). Rank and logit are null for a whole answer. */
export type VerdictRow = Omit<TokenVerdict, 'topK'> & { difference: MaybeNumber; first: RankedToken | null }

/** The rows of a token (`place` in its answer), or of a whole answer (`place` null). */
export type VerdictGroup = { answer: number; place: number | null; token: Token | null; rows: VerdictRow[] }

function differenceOf(logProb: MaybeNumber, clean: MaybeNumber | undefined): MaybeNumber {
  const [one, other] = [finiteOrNull(logProb), finiteOrNull(clean)]
  return one === null || other === null ? null : one - other
}

/** The groups of an answer in reading order. */
export function groupsOf({ tokens, logProbs }: AnswerResult, answer: number): VerdictGroup[] {
  const groups = tokens.map(({ variants, ...token }, place): VerdictGroup => {
    const clean = variants.find(({ name }) => name === 'clean')?.logProb
    const rows = variants.map(({ topK, ...verdict }) => ({
      ...verdict,
      difference: differenceOf(verdict.logProb, clean),
      first: topK[0] ?? null
    }))
    return { answer, place, token, rows }
  })
  if (tokens.length < 2) return groups
  const clean = logProbs.find(({ name }) => name === 'clean')?.logProb
  const whole = logProbs.map(({ name, logProb }) => {
    const number = fromMaybeNumber(logProb)
    const probability = number === null ? null : toMaybeNumber(Math.exp(number))
    return { name, rank: null, logit: null, probability, logProb, difference: differenceOf(logProb, clean), first: null }
  })
  return [...groups, { answer, place: null, token: null, rows: whole }]
}

/** Predictions as the tables of guesses take them. */
export function guessesOf(tokens: readonly RankedToken[]): Guess[] {
  return tokens.map(({ id, text, probability }) => {
    const share = fromMaybeNumber(probability)
    return { id, text, logProb: share === null ? null : toMaybeNumber(Math.log(share)) }
  })
}

/** All of it with full values: a row per answer, token and variant; a whole answer's has no token. */
export function answersTsv({ answers }: AnswersResult): string {
  const rows = answers.flatMap((result, answer) =>
    groupsOf(result, answer).flatMap(({ place, token, rows }) =>
      rows.map(row => [
        result.text,
        place === null ? 'whole' : String(place),
        token === null ? '' : String(token.id),
        token?.text ?? '',
        row.name,
        row.rank === null ? '' : String(row.rank),
        fullValue(row.logit),
        fullValue(row.probability),
        fullValue(row.logProb)
      ])
    )
  )
  return toTsv(['answer', 'place', 'id', 'token', 'variant', 'rank', 'logit', 'probability', 'log-prob'], rows)
}

/** What is predicted at a place, as TSV: a row per variant and rank. */
export function guessesTsv(columns: readonly { name: string; tokens: readonly RankedToken[] }[]): string {
  const rows = columns.flatMap(({ name, tokens }) =>
    tokens.map(({ id, text, logit, probability }, rank) => [name, String(rank), String(id), text, fullValue(logit), fullValue(probability)])
  )
  return toTsv(['variant', 'rank', 'id', 'token', 'logit', 'probability'], rows)
}
