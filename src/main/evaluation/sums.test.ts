/** The sums of an evaluation against formulas written out over all tokens at once. */
import { describe, expect, test } from 'vitest'
import type { PassNumbers } from '../inference/evaluation-messages.ts'
import { SaelensSums } from './saelens-sums.ts'
import { SequenceNumbers } from './sequence-numbers.ts'
import { TextbookSums } from './textbook-sums.ts'

const width = 3
const roles = { clean: 0, spliced: 1, zeroed: 2, splicedAll: 1, splicedExcluding: 3, zeroedAll: 2 }
const rows = 4
/** The one special id. */
const bos = 1

/** Numbers between -1 and 1, the same each time. */
function* numbers(): Generator<number, never> {
  for (let state = 7; ; state = (state * 48271) % 2147483647) yield (2 * state) / 2147483647 - 1
}
const draw = numbers()
const next = () => draw.next().value

interface Token {
  readonly id: number
  readonly acts: readonly number[]
  readonly x: readonly number[]
  readonly output: readonly number[]
  /** By row: loss of the next token, and divergence. */
  readonly losses: readonly number[]
  readonly divergences: readonly number[]
}

function tokenOf(id: number): Token {
  const list = (length: number, of: () => number) => Array.from({ length }, of)
  return {
    id,
    acts: list(5, () => Math.max(0, Math.fround(next()))),
    // A mean that is far from zero, as in real activations.
    x: list(width, () => Math.fround(20 + next())),
    output: list(width, () => Math.fround(20 + next())),
    losses: list(rows, () => 2 + next()),
    divergences: list(rows, () => 1 + next())
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]) => sum(values) / values.length
const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((value, at) => value * (b[at] ?? Number.NaN)))
const minus = (a: readonly number[], b: readonly number[]) => a.map((value, at) => value - (b[at] ?? Number.NaN))
const square = (a: readonly number[]) => dot(a, a)
const centre = (tokens: readonly Token[]) => Array.from({ length: width }, (_, at) => mean(tokens.map(({ x }) => x[at] ?? Number.NaN)))

/** Sequences as one pass gives them, padded to the longest. */
function passOf(sequences: readonly (readonly Token[])[]): SequenceNumbers[] {
  const length = Math.max(...sequences.map(sequence => sequence.length))
  const places = sequences.flatMap(sequence => Array.from({ length }, (_, at) => sequence[at] ?? null))
  const each = (of: (token: Token) => number) => Float32Array.from(places, token => (token === null ? Number.NaN : of(token)))
  const byRow = (of: (token: Token) => readonly number[]) =>
    Float64Array.from({ length: rows * places.length }, (_, at) => {
      const token = places[at % places.length]
      return (token && of(token)[Math.floor(at / places.length)]) ?? Number.NaN
    })
  const pass: PassNumbers = {
    active: each(({ acts }) => acts.filter(value => value > 0).length),
    l1: each(({ acts }) => sum(acts)),
    squaredError: each(({ x, output }) => square(minus(x, output))),
    dot: each(({ x, output }) => dot(x, output)),
    targetSquare: each(({ x }) => square(x)),
    outputSquare: each(({ output }) => square(output)),
    target: Float32Array.from(places.flatMap(token => token?.x ?? Array.from({ length: width }, () => Number.NaN))),
    featureCounts: new Float32Array(0),
    logProbs: byRow(({ losses }) => losses.map(loss => -loss)),
    divergences: byRow(({ divergences }) => divergences)
  }
  return sequences.map((sequence, row) => {
    const ids = sequence.map(({ id }) => id)
    return new SequenceNumbers(ids, pass, roles, { row, length })
  })
}

const lengths = [5, 2, 7, 1, 4, 6]
const corpus = lengths.map(length => Array.from({ length }, (_, at) => tokenOf(at === 0 || at === 4 ? bos : 9)))
const sequences = [...passOf(corpus.slice(0, 4)), ...passOf(corpus.slice(4))]
const countings: readonly [string, (id: number) => boolean][] = [
  ['all tokens', () => true],
  ['special tokens left out', id => id !== bos]
]

function expectNear(actual: unknown, expected: number): void {
  expect(Math.abs(Number(actual) - expected), `${actual} for ${expected}`).toBeLessThanOrEqual(2e-5 * Math.abs(expected))
}

describe.each(countings)('%s', (_name, counts) => {
  test('by the textbook', () => {
    const sums = new TextbookSums(width)
    for (const sequence of sequences) sums.add(sequence, counts)
    const result = sums.result()
    const tokens = corpus.flat().filter(({ id }) => counts(id))
    const predictions = corpus.flatMap(sequence =>
      sequence.slice(0, -1).filter((token, at) => counts(token.id) && counts(sequence[at + 1]?.id ?? bos))
    )
    const of = (row: number) => mean(predictions.map(({ losses }) => losses[row] ?? Number.NaN))
    const m = centre(tokens)
    expect([result.tokens, result.positions, result.predictions]).toEqual([25, tokens.length, predictions.length])
    expectNear(result.l0, mean(tokens.map(({ acts }) => acts.filter(value => value > 0).length)))
    expectNear(result.l1, mean(tokens.map(({ acts }) => sum(acts))))
    expectNear(result.squaredError, mean(tokens.map(({ x, output }) => square(minus(x, output)))))
    expectNear(result.mse, mean(tokens.flatMap(({ x, output }) => minus(x, output).map(value => value ** 2))))
    const residual = sum(tokens.map(({ x, output }) => square(minus(x, output))))
    expectNear(result.explainedVariance, 1 - residual / sum(tokens.map(({ x }) => square(minus(x, m)))))
    expectNear(result.cosineSimilarity, mean(tokens.map(({ x, output }) => dot(x, output) / Math.sqrt(square(x) * square(output)))))
    expectNear(result.ceClean, of(roles.clean))
    expectNear(result.ceSpliced, of(roles.spliced))
    expectNear(result.ceZeroAblated, of(roles.zeroed))
    expectNear(result.ceScore, (of(roles.zeroed) - of(roles.spliced)) / (of(roles.zeroed) - of(roles.clean)))
    expectNear(result.klDivergence, mean(tokens.map(({ divergences }) => divergences[roles.spliced] ?? Number.NaN)))
    expectNear(result.klZeroAblated, mean(tokens.map(({ divergences }) => divergences[roles.zeroed] ?? Number.NaN)))
  })

  test('by SAELens, in batches of four', async () => {
    const sums = new SaelensSums('splicedExcluding')
    const size = 4
    const starts = [0, 4]
    for (const start of starts) await sums.addBatch(sequences.slice(start, start + size), counts)
    const result = sums.result(width)
    const batches = starts.map(start => corpus.slice(start, start + size).flatMap(batch => batch.filter(({ id }) => counts(id))))
    const tokens = batches.flat()
    const error = ({ x, output }: Token) => square(minus(x, output))
    const of = (row: number) => {
      const predictions = corpus.flatMap(sequence => sequence.slice(0, -1).filter(({ id }) => counts(id)))
      return mean(predictions.map(({ losses }) => losses[row] ?? Number.NaN))
    }
    const divergence = (row: number) => mean(tokens.map(({ divergences }) => divergences[row] ?? Number.NaN))
    const meanSquare = mean(batches.map(batch => mean(batch.map(({ x }) => square(x)))))
    const meanAct = mean(batches.flatMap(batch => Array.from({ length: width }, (_, at) => mean(batch.map(({ x }) => (x[at] ?? 0) ** 2)))))
    const expected = {
      kl_div_score: (divergence(2) - divergence(3)) / divergence(2),
      kl_div_with_ablation: divergence(2),
      kl_div_with_sae: divergence(3),
      ce_loss_score: (of(2) - of(3)) / (of(2) - of(0)),
      ce_loss_with_ablation: of(2),
      ce_loss_with_sae: of(3),
      ce_loss_without_sae: of(0),
      explained_variance: 1 - mean(batches.map(batch => mean(batch.map(error)))) / (meanSquare - meanAct ** 2),
      explained_variance_legacy: mean(
        batches.flatMap(batch => batch.map(token => 1 - error(token) / square(minus(token.x, centre(batch)))))
      ),
      mse: mean(batches.flatMap(batch => batch.map(token => error(token) / batch.length))),
      cossim: mean(tokens.map(({ x, output }) => dot(x, output) / Math.sqrt(square(x) * square(output)))),
      l2_norm_in: mean(tokens.map(({ x }) => Math.sqrt(square(x)))),
      l2_norm_out: mean(tokens.map(({ output }) => Math.sqrt(square(output)))),
      l2_ratio: mean(tokens.map(({ x, output }) => Math.sqrt(square(output) / square(x)))),
      relative_reconstruction_bias: mean(
        batches.map(batch => mean(batch.map(({ output }) => square(output))) / mean(batch.map(({ x, output }) => dot(x, output))))
      ),
      l0: mean(tokens.map(({ acts }) => acts.filter(value => value > 0).length)),
      l1: mean(tokens.map(({ acts }) => sum(acts)))
    }
    expect(Object.keys(result).sort()).toEqual(Object.keys(expected).sort())
    for (const [name, value] of Object.entries(expected)) expectNear(Object.entries(result).find(([key]) => key === name)?.[1], value)
  })
})

test('nothing that counts gives no numbers, and no error', async () => {
  const textbook = new TextbookSums(width)
  const saelens = new SaelensSums('splicedAll')
  for (const sequence of sequences) textbook.add(sequence, () => false)
  await saelens.addBatch(sequences, () => false)
  const { tokens, positions, predictions, ...means } = textbook.result()
  expect([tokens, positions, predictions]).toEqual([25, 0, 0])
  expect([...new Set(Object.values({ ...means, ...saelens.result(width) }))]).toEqual([null])
})
