/**
 * A plan: the graphs of a run, cut into stages so that a long run can be cancelled between them. A small model is one stage.
 * Stages hand over the residual stream [row, position, dModel], then what the unembedding multiplies.
 */
import { SpliceError } from '../../contract/errors.ts'
import type { PatchSite } from '../../contract/patching.ts'
import { deviceBytesOf } from '../onnx/device-memory.ts'
import type { Placement, Value } from '../onnx/graph.ts'
import { encodeModel, type Graph } from '../onnx/model-proto.ts'
import { rowsAtOnce } from '../onnx/weights.ts'
import type { SaeEvaluation, SaeMeasures, SparseActivations } from '../sae/splice.ts'
import type { Transformer } from '../transformer/family.ts'
import type { CacheSlot } from './earlier-positions.ts'
import { type BestPiece, bestPiece, finalLabel, type LensPiece, lensCapture, lensPiece, normForLens } from './lens-graph.ts'
import { type LogitPiece, logitPiece, type PieceOutputs, predictPiece, targetLogits } from './prediction-graph.ts'
import {
  type Capture,
  type CaptureFilter,
  type PlannedSae,
  patchInputs,
  StageGraph,
  type StageOptions,
  variantInputs
} from './stage-graph.ts'

/** How a run is cut: parameters that one stage may hold, and rows times positions that a piece of the vocabulary takes at a time. */
export interface StageBudget {
  readonly parameters: number
  readonly rows: number
  /** Most blocks of a stage, where what is captured of them has to fit into memory. */
  readonly blocks?: number
}

/** At 50 positions and two rows a stage is about 100 ms of arithmetic on two cores; a piece's logits stay below 64 MB. */
export const defaultBudget: StageBudget = { parameters: 64e6, rows: 1024 }

export interface PlanRequest {
  /** Where the weights lie while the graphs run; mapped by the CPU by default. */
  readonly placement?: Placement
  readonly transformer: Transformer
  readonly saes: readonly PlannedSae[]
  readonly capture: CaptureFilter
  readonly topK: number
  readonly topFeatures: number
  readonly gainsFolded: boolean
  /** Whether some variant splices, so that rows differ and divergence has a baseline. */
  readonly baseline: boolean
  readonly logits: boolean
  /**
   * What is made of the final norm: `all` by default; `none` where hook points are all that is wanted; `next`: the last position's logits;
   * `lens`: the logit lens of every layer.
   */
  readonly predictions?: 'all' | 'none' | 'next' | 'lens'
  /** Whether sequences are continued from a cache of keys and values. */
  readonly continues?: boolean
  /** Whether the SAE is evaluated, which `topK` 0 goes with. */
  readonly evaluates?: boolean
  /** Whether active features are all that is wanted, which `predictions: 'none'` goes with. */
  readonly harvests?: boolean
  /**
   * Whether effects of features are looked for, which `topK` 0 goes with: the stage that parts variants is cut in two, so that all
   * before it need not run for each batch of them, and what is read of the final norm, of all positions or the last one, has stages of
   * its own.
   */
  readonly attributes?: 'all' | 'last'
  /**
   * Where activations of another prompt may stand in, which `attributes` goes with: every stage is cut in two at it, and nothing is
   * made of the final norm.
   */
  readonly patches?: PatchSite
  readonly budget: StageBudget
}

/** One graph. `carries` names what the stage hands over, by the graph input name of the next. */
export interface Stage {
  readonly label: string
  readonly model: Uint8Array
  /** The files whose weights it maps. */
  readonly files: readonly string[]
  /** What its weights would take of a device's memory. */
  readonly deviceBytes: number
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly carries: ReadonlyMap<string, string>
  readonly captures: readonly Capture[]
  readonly measures: ReadonlyMap<string, SaeMeasures>
  readonly evaluations: ReadonlyMap<string, SaeEvaluation>
  /** Active features of SAEs, where a harvest wants them. */
  readonly sparse: ReadonlyMap<string, SparseActivations>
  /** Activations of SAEs, whole, by the names of outputs; only where effects of features are looked for. */
  readonly activations: ReadonlyMap<string, string>
  /** Whether what variants do is an input of it, or of a stage before it. */
  readonly isParted: boolean
  readonly pieces: readonly PieceOutputs[]
  readonly logitPieces: readonly LogitPiece[]
  readonly cacheSlots: readonly CacheSlot[]
  /** True for stages that only read `final`, which may therefore run over a few positions at a time. */
  readonly perPosition: boolean
  /** Of the logit lens: the best tokens of the final prediction, then what is said at every layer. */
  readonly bestPiece: BestPiece | null
  readonly lensPiece: LensPiece | null
}

export interface Plan {
  readonly stages: readonly Stage[]
}

/** Names of what stages hand over. */
export const handedOver = { residual: 'residual', final: 'final', target: 'target', unpatched: 'unpatched' } as const

/**
 * How many times more parameters a stage may hold on a device: each of its inputs and outputs is a copy to or from the device that waits, about
 * a millisecond whatever its size, and so many parameters take no longer there than the budget's on a processor.
 */
const deviceStages = 10

/** The ranges of token ids that one piece of the unembedding covers; of large pieces, all but the last are made of whole products. */
export function vocabularyPieces({ shape: { vocabulary, dModel } }: Transformer, { parameters }: StageBudget): [number, number][] {
  const rows = Math.max(16, Math.floor(parameters / 2 / dModel))
  const size = rows < rowsAtOnce ? Math.ceil(vocabulary / Math.ceil(vocabulary / rows)) : rows - (rows % rowsAtOnce)
  const count = Math.ceil(vocabulary / size)
  return Array.from({ length: count }, (_, piece) => [piece * size, Math.min(vocabulary, (piece + 1) * size)])
}

function parametersPerBlock({ shape }: Transformer): number {
  const attention = shape.dModel * shape.dHead * (2 * shape.heads + 2 * shape.keyValueHeads)
  return attention + 3 * shape.dModel * shape.dMlp
}

class StageBuilder {
  readonly #stage: StageGraph
  readonly #label: string
  readonly #pieces: PieceOutputs[] = []
  readonly #logitPieces: LogitPiece[] = []
  readonly #carries = new Map<string, string>()
  readonly #perPosition: boolean
  bestPiece: BestPiece | null = null
  lensPiece: LensPiece | null = null

  constructor(label: string, options: StageOptions, isParted = false, perPosition = false) {
    this.#label = label
    this.#stage = new StageGraph(options, isParted)
    this.#perPosition = perPosition
  }

  get graph(): StageGraph {
    return this.#stage
  }

  carry(name: string, value: Value): void {
    this.#carries.set(name, this.#stage.graph.output(value))
  }

  addPiece(piece: PieceOutputs): void {
    this.#pieces.push(piece)
  }

  addLogits(piece: LogitPiece): void {
    this.#logitPieces.push(piece)
  }

  /** Hands over what the lens reads in this stage, through the final norm; gives whether each has rows of its own. */
  keepLensReadings(transformer: Transformer): boolean[] {
    const { lensReadings } = this.#stage
    for (const { label, residual } of lensReadings) {
      this.keepForLens(label, normForLens(this.#stage.graph, transformer, residual), transformer.shape)
    }
    return lensReadings.map(({ isParted }) => isParted)
  }

  /** Hands over what the unembedding multiplies at a label, [row, position, dModel]. */
  keepForLens(label: string, final: Value, { dModel }: Transformer['shape']): void {
    const { graph, captures } = this.#stage
    captures.push({ name: lensCapture(label), sae: null, output: graph.output(final), shape: ['position', dModel] })
  }

  finish(): Stage {
    const { graph, captures, measures, evaluations, sparse, activations, earlier, isParted } = this.#stage
    graph.bringTogether()
    return {
      label: this.#label,
      model: graph.encode(),
      files: graph.files,
      deviceBytes: graph.deviceBytes,
      inputs: graph.inputNames,
      outputs: graph.outputNames,
      carries: this.#carries,
      captures,
      measures,
      evaluations,
      sparse,
      activations,
      isParted,
      pieces: this.#pieces,
      logitPieces: this.#logitPieces,
      cacheSlots: earlier?.slots ?? [],
      perPosition: this.#perPosition,
      bestPiece: this.bestPiece,
      lensPiece: this.lensPiece
    }
  }

  /** The stage in two, where the inputs in which rows differ come in: what is the same for all of them, and the rest. */
  finishCut(inputs: ReadonlySet<string>): Stage[] {
    const { first, second, handedOver } = this.#stage.graph.cut(inputs)
    const whole = this.finish()
    const part = (graph: Graph, more: Pick<Stage, 'label' | 'carries' | 'activations' | 'isParted'>): Stage => ({
      ...whole,
      ...more,
      model: encodeModel(graph),
      deviceBytes: deviceBytesOf(graph),
      inputs: graph.inputs.map(({ name }) => name),
      outputs: graph.outputs.map(({ name }) => name)
    })
    const late = new Set(second.outputs.map(({ name }) => name))
    const carries = [...whole.carries]
    return [
      part(first, {
        label: `${this.#label}, shared`,
        carries: new Map([...carries.filter(([, output]) => !late.has(output)), ...handedOver.map(name => [name, name] as const)]),
        activations: whole.activations,
        isParted: false
      }),
      part(second, {
        label: this.#label,
        carries: new Map(carries.filter(([, output]) => late.has(output))),
        activations: new Map(),
        isParted: true
      })
    ]
  }
}

/** The block that a hook point is in; what comes before the blocks is in the first one's stage, the final norm in the last's. */
function blockOf(hook: string, layers: number): number {
  const layer = /^blocks\.(\d+)\./.exec(hook)?.[1]
  if (layer !== undefined) return Number(layer)
  return hook.startsWith('ln_final') ? layers - 1 : 0
}

/** Whether a new stage may start at a block: not between a transcoder's input and its output. */
function mayCutBefore(layer: number, saes: readonly PlannedSae[], layers: number): boolean {
  return saes.every(({ hook, target }) => !(blockOf(hook, layers) < layer && layer <= blockOf(target, layers)))
}

/** Throws where an SAE of the run was nowhere read: its hook point is not written as it needs it. */
function refuseUnread(saes: readonly PlannedSae[], stages: readonly Stage[]): void {
  const unread = saes.find(
    ({ name }) =>
      !stages.some(({ measures, evaluations, sparse, activations }) =>
        [measures, evaluations, sparse, activations].some(read => read.has(name))
      )
  )
  if (unread === undefined) return
  throw new SpliceError('sae/folded', `${unread.sae.path} reads ${unread.hook} with the norm's gain, which this processing folds away`, {
    file: unread.sae.path,
    field: 'processing',
    hint: 'Run without fold_ln, e.g. with --processing none.'
  })
}

/** Writes the graphs of a run. The same request gives the same bytes, so sessions can be kept by them. */
export function makePlan(request: PlanRequest): Plan {
  const { transformer } = request
  const { layers, dModel } = transformer.shape
  const { blocks: most = layers } = request.budget
  const blocksPerStage = Math.max(1, Math.min(most, Math.floor(stageParameters(request) / parametersPerBlock(transformer))))
  const pieces = vocabularyPieces(transformer, request.budget)
  // An evaluation has so many positions that their logits have to be bounded whatever the model.
  const isSmall = layers <= blocksPerStage && pieces.length === 1 && request.evaluates !== true
  let blocks = 0
  const stages: Stage[] = []
  const areParted: boolean[] = []

  const options: StageOptions = { ...request, lens: request.predictions === 'lens' }
  let wasParted = false
  const finish = (): void => {
    const { isParted, unpatched } = builder.graph
    if (unpatched !== null) {
      builder.carry(handedOver.unpatched, unpatched)
      stages.push(...builder.finishCut(new Set(Object.values(patchInputs))))
    } else if (request.attributes !== undefined && isParted && !wasParted) stages.push(...builder.finishCut(variantInputs(request.saes)))
    else stages.push(builder.finish())
    wasParted = isParted
  }
  let builder = new StageBuilder('embed', options)
  let residual = transformer.embed(builder.graph)
  for (let layer = 0; layer < layers; layer++) {
    if (blocks >= blocksPerStage && mayCutBefore(layer, request.saes, layers)) {
      blocks = 0
      areParted.push(...builder.keepLensReadings(transformer))
      builder.carry(handedOver.residual, residual)
      finish()
      builder = new StageBuilder(`block ${layer}`, options, builder.graph.isParted && request.patches === undefined)
      residual = builder.graph.graph.input(handedOver.residual, 'float32', ['row', 'position', dModel])
    }
    residual = transformer.block(builder.graph, layer, residual)
    blocks += 1
  }
  const final = transformer.finalNorm(builder.graph, residual)
  if (request.predictions === 'none') {
    stages.push(builder.finish())
    refuseUnread(request.saes, stages)
    return { stages: readStages(stages) }
  }
  if (request.predictions === 'next') {
    stages.push(...nextLogits(request, builder, final, pieces, isSmall))
    refuseUnread(request.saes, stages)
    return { stages }
  }
  if (request.predictions === 'lens') {
    areParted.push(...builder.keepLensReadings(transformer))
    builder.keepForLens(finalLabel, final, transformer.shape)
    const hasShared = builder.graph.isParted && areParted.includes(false)
    stages.push(builder.finish(), ...lensStages(request, pieces, hasShared))
    refuseUnread(request.saes, stages)
    return { stages }
  }
  if (request.attributes !== undefined) {
    builder.carry(handedOver.final, request.attributes === 'last' ? builder.graph.graph.slice(final, 1, -1) : final)
    finish()
    refuseUnread(request.saes, stages)
    return { stages: request.patches === undefined ? [...stages, ...readoutStages(request, pieces)] : stages }
  }
  const target = targetLogits(builder.graph.graph, transformer.unembedding, final)
  builder.carry(handedOver.target, target)
  if (isSmall) {
    for (const piece of pieces) builder.addPiece(predictPiece(builder.graph.graph, transformer.unembedding, final, target, piece, request))
    stages.push(builder.finish())
    refuseUnread(request.saes, stages)
    return { stages }
  }

  builder.carry(handedOver.final, final)
  stages.push(builder.finish())
  refuseUnread(request.saes, stages)
  for (const some of stagesOf(pieces, request)) {
    const last = new StageBuilder(vocabularyLabel(some), request, false, true)
    const { graph } = last.graph
    const read = graph.input(handedOver.final, 'float32', ['row', 'position', dModel])
    const itsTarget = graph.input(handedOver.target, 'float32', ['row', 'position'])
    for (const piece of some) last.addPiece(predictPiece(graph, transformer.unembedding, read, itsTarget, piece, request))
    stages.push(last.finish())
  }
  return { stages }
}

/** The stages without those that only hand on what no later one reads. */
function readStages(stages: readonly Stage[]): Stage[] {
  const read = new Set<string>()
  const kept = stages.toReversed().filter(({ inputs, outputs, carries }) => {
    const handsOn = new Set(carries.values())
    if (outputs.every(output => handsOn.has(output)) && [...carries.keys()].every(name => !read.has(name))) return false
    for (const input of inputs) read.add(input)
    return true
  })
  return kept.reverse()
}

function stageParameters({ budget, placement }: PlanRequest): number {
  return budget.parameters * (placement?.weights === 'device' ? deviceStages : 1)
}

/** The pieces of the vocabulary by the stages that they are in. */
function stagesOf(pieces: readonly [number, number][], request: PlanRequest): [number, number][][] {
  const [first, end] = pieces[0] ?? [0, 1]
  const size = (end - first) * request.transformer.shape.dModel
  // A piece takes half a stage of the budget's; on a processor it has one to itself.
  const most = request.placement?.weights === 'device' ? Math.max(1, Math.floor(stageParameters(request) / size)) : 1
  return Array.from({ length: Math.ceil(pieces.length / most) }, (_, stage) => pieces.slice(stage * most, (stage + 1) * most))
}

function vocabularyLabel(pieces: readonly [number, number][]): string {
  return `vocabulary ${pieces[0]?.[0] ?? 0}`
}

/** Stages that read the final norm's output: logits of tokens by position, then what the pieces of the vocabulary say. */
function readoutStages(request: PlanRequest, pieces: readonly [number, number][]): Stage[] {
  const { unembedding, shape } = request.transformer
  const reading = (label: string, read: (builder: StageBuilder, final: Value) => void): Stage => {
    const builder = new StageBuilder(label, request, true, true)
    read(builder, builder.graph.graph.input(handedOver.final, 'float32', ['row', 'position', shape.dModel]))
    return builder.finish()
  }
  return [
    reading('logits', (builder, final) => builder.carry(handedOver.target, targetLogits(builder.graph.graph, unembedding, final))),
    ...stagesOf(pieces, request).map(some =>
      reading(vocabularyLabel(some), (builder, final) => {
        for (const piece of some) builder.addPiece(predictPiece(builder.graph.graph, unembedding, final, final, piece, request))
      })
    )
  ]
}

/** The last stages where the last position's logits are wanted, whole. */
function nextLogits(
  request: PlanRequest,
  builder: StageBuilder,
  final: Value,
  pieces: readonly [number, number][],
  isSmall: boolean
): Stage[] {
  const { unembedding, shape } = request.transformer
  const last = builder.graph.graph.slice(final, 1, -1)
  if (isSmall) {
    for (const piece of pieces) builder.addLogits(logitPiece(builder.graph.graph, unembedding, last, piece))
    return [builder.finish()]
  }
  builder.carry(handedOver.final, last)
  const stage = builder.finish()
  const unembedded = stagesOf(pieces, request).map(some => {
    const next = new StageBuilder(vocabularyLabel(some), { ...request, continues: false })
    const { graph } = next.graph
    const read = graph.input(handedOver.final, 'float32', ['row', 'position', shape.dModel])
    for (const piece of some) next.addLogits(logitPiece(graph, unembedding, read, piece))
    return next.finish()
  })
  return [stage, ...unembedded]
}

/** The stages that read the lens's layers, a pair for each piece of the vocabulary: first the final prediction's best tokens. */
function lensStages(request: PlanRequest, pieces: readonly [number, number][], hasShared: boolean): Stage[] {
  const { unembedding, shape } = request.transformer
  const best = pieces.map(piece => {
    const builder = new StageBuilder(`prediction ${piece[0]}`, request)
    builder.bestPiece = bestPiece(builder.graph.graph, unembedding, shape.dModel, piece)
    return builder.finish()
  })
  const layers = pieces.map(piece => {
    const builder = new StageBuilder(`lens ${piece[0]}`, request)
    builder.lensPiece = lensPiece(builder.graph.graph, unembedding, shape.dModel, piece, { ...request, hasShared })
    return builder.finish()
  })
  return [...best, ...layers]
}
