/** A quantity of an attribution as it is read from the final norm: which tokens at which positions, and what is made of their logits. */
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import type { NamedToken, Quantity, ResolvedQuantity } from '../../contract/quantity.ts'
import type { Token } from '../../contract/run.ts'
import { RowTensor } from './activation.ts'
import type { CompiledStage } from './compiled.ts'
import { inPositionRanges, pick } from './feeds.ts'
import type { OpenModel } from './models.ts'
import type { Stage } from './plan.ts'
import { predictionInputs } from './prediction-graph.ts'
import { divergenceAt, logSumExpAt, type PieceMass } from './predictions.ts'
import { requireIds } from './prompt-tokens.ts'
import { onnxRuntime } from './sessions.ts'

/** One token. Throws `run/target` where a text is several, naming them, and `run/token-id` for an id that the model does not have. */
function tokenOf(named: NamedToken, field: 'token' | 'other', model: OpenModel): Token {
  const { vocabulary } = model
  if ('id' in named) {
    requireIds([named.id], field, model)
    return vocabulary.token(named.id)
  }
  const { ids } = vocabulary.encode(named.text, false)
  const [id] = ids
  if (id !== undefined && ids.length === 1) return vocabulary.token(id)
  const parts = ids.map(part => `${JSON.stringify(vocabulary.token(part).text)} (${part})`).join(', ')
  throw new SpliceError('run/target', `${JSON.stringify(named.text)} is not one token of ${model.name} but ${ids.length}: ${parts}`, {
    field,
    hint: 'Name one of them, by its text or its id; most words begin with a space.'
  })
}

/** A quantity with its tokens and position. Throws `run/target` for what the prompt or the vocabulary does not have. */
export function resolveQuantity(quantity: Quantity, tokens: readonly Token[], model: OpenModel): ResolvedQuantity {
  if (quantity.kind === 'loss') {
    if (tokens.length > 1) return { kind: 'loss', token: null, other: null, position: null }
    throw new SpliceError('run/target', 'a prompt of one token has no loss', { field: 'quantity', hint: 'Write a longer prompt.' })
  }
  const position = quantity.position ?? tokens.length - 1
  if (position >= tokens.length) {
    throw new SpliceError('run/target', `there is no position ${position} in a prompt of ${tokens.length} tokens`, {
      field: 'position',
      hint: `The last position is ${tokens.length - 1}.`
    })
  }
  const token = 'token' in quantity ? tokenOf(quantity.token, 'token', model) : null
  const other = 'other' in quantity ? tokenOf(quantity.other, 'other', model) : null
  if (token !== null && token.id === other?.id) {
    throw new SpliceError('run/target', `both tokens are ${JSON.stringify(token.text)} (${token.id})`, {
      field: 'other',
      hint: 'Name two different tokens.'
    })
  }
  return { kind: quantity.kind, token, other, position }
}

/** How many of the prompt's tokens the quantity depends on: what follows the position that predicts does not matter to it. */
export function neededTokens({ position }: ResolvedQuantity, tokens: readonly Token[]): number {
  return position === null ? tokens.length - 1 : position + 1
}

/** Reads a quantity off rows of the final norm, batch by batch. */
export class QuantityReader {
  readonly #quantity: ResolvedQuantity
  readonly #stages: readonly CompiledStage[]
  /** The tokens whose logits are read, by position. */
  readonly #targets: readonly (readonly number[])[]
  /** Rows times positions of a piece of the vocabulary. */
  readonly #most: number
  /** The clean row's final norm, [position, dModel], which divergences are taken from. */
  #clean: Float32Array | null = null

  constructor(quantity: ResolvedQuantity, tokens: readonly Token[], stages: readonly CompiledStage[], most: number) {
    this.#quantity = quantity
    this.#stages = stages
    this.#most = most
    const { token, other } = quantity
    this.#targets =
      quantity.kind === 'loss' ? [tokens.slice(1).map(({ id }) => id)] : [token, other].flatMap(each => (each === null ? [] : [[each.id]]))
  }

  /** The clean row, which has to be known before divergences are read. */
  setClean(final: Tensor, row: number): void {
    this.#clean = RowTensor.of(final).row(row).slice()
  }

  /** The quantity of each row of `final` [row, position, dModel]. */
  async read(final: Tensor, pause: (label: string) => Promise<void>): Promise<number[]> {
    const rows = RowTensor.of(final)
    const positions = rows.shape[0] ?? 0
    const logits: RowTensor[] = []
    for (const targets of this.#targets) logits.push(await this.#logits(final, targets))
    const [first, second] = logits
    const { kind } = this.#quantity
    const each = Array.from({ length: rows.rows }, (_, row) => row)
    if (kind === 'logit-difference') return each.map(row => (first?.row(row)[0] ?? Number.NaN) - (second?.row(row)[0] ?? Number.NaN))
    const masses = await this.#masses(kind === 'kl' ? await this.#behindClean(final) : final, pause)
    if (kind === 'kl') return each.map(row => divergenceAt(masses[0] ?? [], masses[row + 1] ?? [], 0))
    const logProb = (row: number, position: number) => (first?.row(row)[position] ?? Number.NaN) - logSumExpAt(masses[row] ?? [], position)
    if (kind === 'log-prob') return each.map(row => logProb(row, 0))
    return each.map(row => {
      let sum = 0
      for (let position = 0; position < positions; position++) sum -= logProb(row, position)
      return sum / positions
    })
  }

  async #logits(final: Tensor, targets: readonly number[]): Promise<RowTensor> {
    const { Tensor } = await onnxRuntime()
    const [found] = this.#stages.flatMap(({ stage, session }) => {
      const output = stage.carries.get('target')
      return output === undefined ? [] : [{ stage, session, output }]
    })
    if (found === undefined) throw new Error('no stage gives logits of tokens')
    const feeds = new Map([
      ['final', final],
      [predictionInputs.targets, new Tensor('int64', BigInt64Array.from(targets, BigInt), [targets.length])]
    ])
    const tensor = (await found.session.run(pick(feeds, found.stage.inputs), [found.output]))[found.output]
    if (tensor === undefined) throw new Error('the session gave no logits of tokens')
    return RowTensor.of(tensor)
  }

  /** The rows behind the clean one. */
  async #behindClean(final: Tensor): Promise<Tensor> {
    const { Tensor } = await onnxRuntime()
    const clean = this.#clean
    if (clean === null) throw new Error('a divergence was read before the clean row')
    const { data, rows, shape } = RowTensor.of(final)
    const joined = new Float32Array(clean.length + data.length)
    joined.set(clean)
    joined.set(data, clean.length)
    return new Tensor('float32', joined, [rows + 1, ...shape])
  }

  /** What the pieces of the vocabulary say of each row, over all its positions. */
  async #masses(final: Tensor, pause: (label: string) => Promise<void>): Promise<PieceMass[][]> {
    const { Tensor } = await onnxRuntime()
    const [rows = 0, positions = 0] = final.dims
    const masses: PieceMass[][] = Array.from({ length: rows }, () => [])
    const feeds = new Map([
      ['final', final],
      [predictionInputs.baseline, new Tensor('int64', BigInt64Array.of(0n), [1])]
    ])
    for (const { stage, session } of this.#stages.filter(({ stage }) => stage.pieces.length > 0)) {
      await pause(stage.label)
      const pieces = stage.pieces.map(piece => {
        const wholes = Array.from({ length: rows }, () => ({
          maximum: new Float32Array(positions),
          sumExp: new Float32Array(positions),
          weightedDifference: piece.weightedDifference === null ? null : new Float32Array(positions)
        }))
        return { piece, wholes }
      })
      const wanted = stage.pieces.flatMap(piece => [piece.maximum, piece.sumExp, piece.weightedDifference].filter(name => name !== null))
      for await (const { start, sliced } of inPositionRanges(feeds, this.#most)) {
        const outputs = await runStage(session, stage, sliced, wanted)
        for (const { piece, wholes } of pieces) {
          for (const [row, whole] of wholes.entries()) {
            whole.maximum.set(outputs(piece.maximum).row(row), start)
            whole.sumExp.set(outputs(piece.sumExp).row(row), start)
            if (piece.weightedDifference !== null) whole.weightedDifference?.set(outputs(piece.weightedDifference).row(row), start)
          }
        }
      }
      for (const { wholes } of pieces) for (const [row, whole] of wholes.entries()) masses[row]?.push(whole)
    }
    return masses
  }
}

async function runStage(
  session: InferenceSession,
  stage: Stage,
  feeds: ReadonlyMap<string, Tensor>,
  wanted: readonly string[]
): Promise<(name: string) => RowTensor> {
  const outputs = await session.run(pick(feeds, stage.inputs), [...wanted])
  return name => {
    const tensor = outputs[name]
    if (tensor === undefined) throw new Error(`the session gave no ${name}`)
    return RowTensor.of(tensor)
  }
}
