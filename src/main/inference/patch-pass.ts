/**
 * The pass of patches. Both prompts go through the model as two rows, block by block. In front of a patch the base's row and the
 * source's part: what the base has there and what the source has is computed once, and rows that take the source's at one place each
 * run through the rest of the model in a batch.
 */
import type { Tensor } from 'onnxruntime-node'
import type { ResolvedQuantity } from '../../contract/quantity.ts'
import type { Token } from '../../contract/run.ts'
import type { CompiledStage } from './compiled.ts'
import { type Feeds, pick, slicePositions } from './feeds.ts'
import type { OpenModel } from './models.ts'
import type { CutBlock, PatchSessions } from './patch-plans.ts'
import { handedOver } from './plan.ts'
import { onnxRuntime } from './sessions.ts'
import { patchInputs } from './stage-graph.ts'

/** What a row takes from the source: some positions or all of them, and one head of z or the whole activation. */
export interface PatchRow {
  readonly positions: readonly number[] | 'all'
  readonly head: number | null
}

/** A site of one layer in both runs: all that the base's rest needs, and the source's activation there [1, position, ...]. */
export interface MetSite {
  readonly cut: CutBlock
  readonly layer: number
  readonly base: Feeds
  readonly source: Tensor
}

/** Called before each stage. */
export type StagePause = (label: string) => Promise<void>

export class PatchPass {
  readonly #Tensor: typeof Tensor
  readonly #sessions: PatchSessions
  readonly #tokens: readonly Token[]
  readonly #length: number
  readonly #shared: Feeds
  readonly #ids: Tensor

  private constructor(
    Constructor: typeof Tensor,
    { transformer }: OpenModel,
    sessions: PatchSessions,
    [base, source]: readonly [readonly Token[], readonly Token[]],
    length: number
  ) {
    this.#Tensor = Constructor
    this.#sessions = sessions
    this.#tokens = base
    this.#length = length
    this.#shared = new Map(
      [...transformer.positionInputs(0, length)].map(([name, { data, shape }]) => [name, new Constructor('float32', data, shape)])
    )
    const ids = [base, source].flatMap(tokens => tokens.slice(0, length).map(({ id }) => BigInt(id)))
    this.#ids = new Constructor('int64', BigInt64Array.from(ids), [2, length])
  }

  /** Over the first `length` positions of both prompts, base and source. */
  static async open(
    model: OpenModel,
    sessions: PatchSessions,
    prompts: readonly [readonly Token[], readonly Token[]],
    length: number
  ): Promise<PatchPass> {
    const { Tensor } = await onnxRuntime()
    return new PatchPass(Tensor, model, sessions, prompts, length)
  }

  get layers(): number {
    return this.#sessions.blocks.length
  }

  /** What flows into the first block: base and source as two rows. */
  begin(): Feeds {
    return new Map([...this.#shared, ['ids', this.#ids]])
  }

  /** What flows out of a block: into the next one, or `final`. */
  async block(layer: number, flowing: Feeds, pause: StagePause): Promise<Feeds> {
    const block = this.#sessions.blocks[layer]
    if (block === undefined) throw new Error(`there is no block ${layer}`)
    return new Map([...this.#shared, ...(await this.#run(block, flowing, pause))])
  }

  /** Says that what comes up to the end of a layer will not run again. */
  leave(layer: number): void {
    this.#sessions.blocks[layer]?.session.letGo()
    for (const cuts of this.#sessions.cuts.values()) {
      cuts[layer]?.first.session.letGo()
      cuts[layer]?.second.session.letGo()
    }
  }

  async #run({ stage, session }: CompiledStage, feeds: Feeds, pause: StagePause, only?: string): Promise<Map<string, Tensor>> {
    await pause(stage.label)
    const carries = [...stage.carries].filter(([name]) => only === undefined || name === only)
    const outputs = await session.run(pick(feeds, stage.inputs), [...new Set(carries.map(([, output]) => output))])
    return new Map(
      carries.map(([name, output]) => {
        const tensor = outputs[output]
        if (tensor === undefined) throw new Error(`a stage did not hand over ${name}`)
        return [name, tensor]
      })
    )
  }

  /** Runs both rows as far as a site of a layer. */
  async meet(cut: CutBlock, layer: number, flowing: Feeds, pause: StagePause): Promise<MetSite> {
    const base = this.#rowOf(flowing, 0)
    const found = await this.#run(cut.first, base, pause)
    const source = (await this.#run(cut.first, this.#rowOf(flowing, 1), pause, handedOver.unpatched)).get(handedOver.unpatched)
    if (source === undefined) throw new Error('a stage did not hand over what is patched')
    return { cut, layer, base: new Map([...base, ...found]), source }
  }

  /** The final norm [row, position, dModel] of rows that are patched. */
  async patch({ cut, layer, base, source }: MetSite, rows: readonly PatchRow[], pause: StagePause): Promise<Tensor> {
    const feeds = new Map(base)
    feeds.set(patchInputs.values, source)
    feeds.set(patchInputs.mask, this.#mask(rows, source.dims))
    let flowing: Feeds = new Map([...this.#shared, ...(await this.#run(cut.second, feeds, pause))])
    for (let next = layer + 1; next < this.layers; next++) flowing = await this.block(next, flowing, pause)
    return finalOf(flowing)
  }

  /** True where a row takes the source's activation, [row, position, (head,) 1]. */
  #mask(rows: readonly PatchRow[], [, , ...sizes]: readonly number[]): Tensor {
    const heads = sizes.slice(0, -1).reduce((product, size) => product * size, 1)
    const perRow = this.#length * heads
    const mask = new Uint8Array(rows.length * perRow)
    for (const [row, { positions, head }] of rows.entries()) {
      for (const position of positions === 'all' ? Array(this.#length).keys() : positions) {
        const start = row * perRow + position * heads
        if (head === null) mask.fill(1, start, start + heads)
        else mask[start + head] = 1
      }
    }
    return new this.#Tensor('bool', mask, [rows.length, this.#length, ...sizes.slice(0, -1), 1])
  }

  /** The positions of a final norm that a quantity is read at. */
  readAt(final: Tensor, { position }: ResolvedQuantity): Tensor {
    const [start, end] = position === null ? [0, this.#tokens.length - 1] : [position, position + 1]
    return slicePositions(this.#Tensor, final, start, end)
  }

  /** A source's activation [1, position, ...] with what it has at one position standing at another. */
  movedTo(source: Tensor, from: number, to: number): Tensor {
    if (!(source.data instanceof Float32Array)) throw new Error(`a ${source.type} activation cannot be patched`)
    const width = source.data.length / this.#length
    const moved = source.data.slice()
    moved.copyWithin(to * width, from * width, (from + 1) * width)
    return new this.#Tensor('float32', moved, source.dims)
  }

  /** One of the two rows, alone. */
  #rowOf(flowing: Feeds, row: number): Feeds {
    const hasRows = (name: string) => name === 'ids' || name === handedOver.residual
    return new Map([...flowing].map(([name, tensor]) => [name, hasRows(name) ? this.rowAlone(tensor, row) : tensor]))
  }

  /** A row of a tensor [row, ...]. */
  rowAlone({ data, dims, type }: Tensor, row: number): Tensor {
    const [rows = 1, ...rest] = dims
    const size = data.length / rows
    const [start, end] = [row * size, (row + 1) * size]
    if (data instanceof Float32Array) return new this.#Tensor('float32', data.slice(start, end), [1, ...rest])
    if (data instanceof BigInt64Array) return new this.#Tensor('int64', data.slice(start, end), [1, ...rest])
    throw new Error(`rows of ${type} are not parted`)
  }
}

/** The final norm that flows out of the last block. */
export function finalOf(flowing: Feeds): Tensor {
  const final = flowing.get(handedOver.final)
  if (final === undefined) throw new Error('the last block gave no final norm')
  return final
}
