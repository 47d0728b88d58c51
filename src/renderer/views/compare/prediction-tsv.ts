/** What predicted a token, in every variant, as tab-separated values; unrounded. */
import type { RunResult } from '../../../contract/run.ts'
import { movement } from '../../components/guess-table/movement.ts'
import { toTsv } from '../../components/tsv.ts'
import { fullValue } from '../../state/numbers.ts'
import { predictionsOf } from './prediction.ts'

/** A row per position, variant and guess; the token's own numbers are repeated. Positions count to n, which is the `next` cell. */
export function predictionsTsv(result: RunResult, positions: readonly number[]): string {
  const header = [
    'position',
    'id',
    'token',
    'variant',
    'rank',
    'log-prob',
    'KL(clean || variant)',
    'place',
    'guess id',
    'guess',
    'guess log-prob',
    'moved'
  ]
  const rows = positions.flatMap(position => {
    const token = result.tokens[position]
    const predictions = predictionsOf(result, position)
    const baseline = predictions[0]?.topK ?? []
    const own = [String(position), String(token?.id ?? ''), token?.text ?? '(next)']
    return predictions.flatMap(({ variant, rank, logProb, klDivergence, topK }) =>
      topK.map((guess, place) => [
        ...own,
        variant,
        String(rank ?? ''),
        fullValue(logProb),
        fullValue(klDivergence),
        String(place),
        String(guess.id),
        guess.text,
        fullValue(guess.logProb),
        String(movement(guess, place, baseline))
      ])
    )
  })
  return toTsv(header, rows)
}
