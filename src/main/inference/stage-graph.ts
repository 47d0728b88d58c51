/**
 * One stage's graph, with what a run wants of it: hook points to capture and SAEs to read and splice. A family writes its
 * forward pass into this; every hook point passes through `hook`.
 */
import { hookOfSite, type PatchSite } from '../../contract/patching.ts'
import { GraphBuilder, type Placement, type Value } from '../onnx/graph.ts'
import { changeActivations, decoderRows } from '../sae/edits.ts'
import type { MappedSae } from '../sae/sae.ts'
import {
  ablateRows,
  encodeAndDecode,
  evaluateSae,
  measureSae,
  type SaeEvaluation,
  type SaeMeasures,
  type SaeValues,
  type SparseActivations,
  sparseActivations,
  spliceRows
} from '../sae/splice.ts'
import type { HookedGraph, HookShape } from '../transformer/hooked-graph.ts'
import { hookWidth } from '../transformer/model.ts'
import { CachedPositions } from './earlier-positions.ts'
import { editInputs, steeringInputs } from './edit-rows.ts'
import { HookView } from './hook-view.ts'
import { lensLabel } from './lens-graph.ts'

/**
 * An SAE of a run at its hook point. `spliced`: some variant puts its output in place of the activation; `edited`: some variant changes
 * its activations; `steered`: some variant adds rows of its W_dec.
 */
export interface PlannedSae {
  readonly name: string
  /** The hook point that it reads. */
  readonly hook: string
  /** The hook point whose activation its output stands in for; another one for transcoders. */
  readonly target: string
  readonly sae: MappedSae
  readonly spliced: boolean
  readonly edited: boolean
  readonly steered: boolean
}

/** Which activations to keep, by hook name; an SAE's own are `<hook>.hook_sae_...`, a transcoder's also `transcoder....`. */
export type CaptureFilter = (name: string) => boolean

/** A kept activation: the graph output it comes from and its shape after the batch dimension. */
export interface Capture {
  readonly name: string
  /** The SAE whose splice makes it exist; variants that do not splice it do not have it. Null for plain hook points. */
  readonly sae: string | null
  readonly output: string
  readonly shape: HookShape
}

export interface StageOptions {
  /** Where the weights lie while the graph runs; mapped by the CPU by default. */
  readonly placement?: Placement
  readonly saes: readonly PlannedSae[]
  readonly capture: CaptureFilter
  readonly topFeatures: number
  /** Whether the reading folds the norms' gains into weights, so that hook points behind them lack them. */
  readonly gainsFolded: boolean
  /** Whether the graph continues sequences whose earlier keys and values come from a cache. */
  readonly continues?: boolean
  /**
   * Whether the SAE is evaluated: over several sequences at once, with rows that put zero in its place, and with what an evaluation
   * sums in place of what a run shows.
   */
  readonly evaluates?: boolean
  /** Whether active features are all that is wanted: over several sequences at once, where `counted` says so, and nothing is spliced. */
  readonly harvests?: boolean
  /** Whether the logit lens reads the residual stream in front of every block. */
  readonly lens?: boolean
  /** Whether effects of features are looked for: the SAE's activations come out whole, and nothing is measured of it. */
  readonly attributes?: 'all' | 'last'
  /** Where activations of another prompt may stand in. */
  readonly patches?: PatchSite
}

/** A residual stream [row, position, dModel] as it flows on at a label of the lens; `isParted`: variants have rows of their own. */
export interface LensReading {
  readonly label: string
  readonly residual: Value
  readonly isParted: boolean
}

/** The graph inputs in which variants differ. */
export function variantInputs(saes: readonly PlannedSae[]): ReadonlySet<string> {
  return new Set(
    saes.flatMap(({ name }) => [spliceInputs(name), editInputs(name), steeringInputs(name)].flatMap(inputs => Object.values(inputs)))
  )
}

/** Graph inputs of a patch: where each row takes it [row, position, (head,) 1], and what stands in, [1, position, ...]. */
export const patchInputs = { mask: 'patch.mask', values: 'patch.values' } as const

/**
 * Graph inputs of a splice: where each variant takes the SAE's output, and whether with the error term or, in an evaluation, zero
 * instead.
 */
export function spliceInputs(sae: string): { mask: string; gate: string; zero: string } {
  return { mask: `${sae}.mask`, gate: `${sae}.gate`, zero: `${sae}.zero` }
}

/** What the activations of a run's transcoders are called: `transcoder.output`, with the hook point in front where there are several. */
export function transcoderPrefix({ target }: PlannedSae, saes: readonly PlannedSae[]): string {
  const targets = new Set(saes.filter(planned => planned.sae.isTranscoder && planned.spliced).map(planned => planned.target))
  return targets.size > 1 ? `${target}.transcoder` : 'transcoder'
}

export class StageGraph implements HookedGraph {
  readonly graph: GraphBuilder
  readonly captures: Capture[] = []
  readonly measures = new Map<string, SaeMeasures>()
  readonly evaluations = new Map<string, SaeEvaluation>()
  readonly sparse = new Map<string, SparseActivations>()
  readonly lensReadings: LensReading[] = []
  /** Activations of SAEs, [row, position, dSae], by the names of graph outputs. */
  readonly activations = new Map<string, string>()
  /** What a patch finds at its site, where the stage has it. */
  unpatched: Value | null = null
  readonly #options: StageOptions
  readonly #shared = new Map<string, Value>()
  /** What transcoders gave that have not met their target yet. */
  readonly #transcoded = new Map<string, SaeValues>()

  readonly earlier?: CachedPositions
  /** Whether some splice has parted the variants, so that each has a row of its own from here on. */
  #isParted: boolean

  constructor(options: StageOptions, isParted = false) {
    this.graph = new GraphBuilder(options.placement)
    this.#options = options
    this.#isParted = isParted
    if (options.continues === true) this.earlier = new CachedPositions(this.graph, () => this.#isParted)
  }

  get isParted(): boolean {
    return this.#isParted
  }

  get holdsSequences(): boolean {
    return this.#options.evaluates === true || this.#options.harvests === true
  }

  once(name: string, make: () => Value): Value {
    const value = this.#shared.get(name) ?? make()
    this.#shared.set(name, value)
    return value
  }

  hook(name: string, value: Value, shape: HookShape): Value {
    const steered = this.#steer(name, value, shape, 'before')
    this.#keep(name, null, steered, shape)
    const flowing = this.#read(name, steered, shape, ({ readsGain }) => !(readsGain && this.#options.gainsFolded))
    const written = this.#patch(name, this.#steer(name, this.#write(name, flowing, shape), shape, 'after'), shape)
    const label = this.#options.lens === true ? lensLabel(name) : null
    if (label !== null) this.lensReadings.push({ label, residual: written, isParted: this.#isParted })
    return written
  }

  /**
   * Adds rows of W_dec to a hook point: in variants that splice the SAE after its output stands in, in others before, so that SAEs
   * read what flows on.
   */
  #steer(name: string, value: Value, shape: HookShape, when: 'before' | 'after'): Value {
    const { graph } = this
    let flowing = value
    for (const planned of this.#options.saes.filter(({ target, steered }) => steered && target === name)) {
      const inputs = steeringInputs(planned.name)
      const features = graph.input(inputs.feature, 'int64', ['variant', 'steering'])
      const changes = graph.input(inputs[when], 'float32', ['variant', 'position', 'steering'])
      const at = new HookView(graph, shape, hookWidth(shape) ?? 0, planned.sae.headIndex)
      const added = graph.matmul(changes, decoderRows(graph, planned.sae, features))
      flowing = at.put(graph.add(at.take(flowing), added), flowing)
      this.#isParted = true
    }
    return flowing
  }

  /** Puts another prompt's activation in, row by row where its mask says so. */
  #patch(name: string, value: Value, shape: HookShape): Value {
    const { patches } = this.#options
    const layer = /^blocks\.(\d+)\./.exec(name)?.[1]
    if (patches === undefined || layer === undefined || name !== hookOfSite(patches, Number(layer))) return value
    const { graph } = this
    const sizes = shape.filter(axis => typeof axis === 'number')
    const mask = graph.input(patchInputs.mask, 'bool', ['variant', 'position', ...sizes.slice(0, -1), 1])
    const values = graph.input(patchInputs.values, 'float32', ['source', 'position', ...sizes])
    this.unpatched = value
    this.#isParted = true
    return graph.where(mask, values, value)
  }

  unfolded(name: string, value: Value, shape: HookShape): Value {
    return this.#read(name, value, shape, ({ readsGain }) => readsGain && this.#options.gainsFolded)
  }

  /** SAEs and transcoders that read this hook point; the SAEs' outputs flow on, and are what transcoders read. */
  #read(name: string, value: Value, shape: HookShape, isMeant: (sae: MappedSae) => boolean): Value {
    const here = this.#options.saes.filter(planned => planned.hook === name && isMeant(planned.sae))
    const view = (sae: MappedSae) => new HookView(this.graph, shape, hookWidth(shape) ?? 0, sae.headIndex)
    let flowing = value
    for (const planned of here.filter(({ sae }) => !sae.isTranscoder)) {
      const { sae } = planned
      const at = view(sae)
      const values = encodeAndDecode(this.graph, sae, at.take(value))
      flowing = this.#splice(planned, values, values.input, flowing, at)
    }
    for (const { name: sae, sae: transcoder } of here.filter(planned => planned.sae.isTranscoder)) {
      this.#transcoded.set(sae, encodeAndDecode(this.graph, transcoder, view(transcoder).take(flowing)))
    }
    return flowing
  }

  /** Transcoders whose output stands in for this hook point. */
  #write(name: string, value: Value, shape: HookShape): Value {
    let flowing = value
    for (const planned of this.#options.saes.filter(({ sae, target }) => sae.isTranscoder && target === name)) {
      const values = this.#transcoded.get(planned.name)
      if (values === undefined) continue
      const at = new HookView(this.graph, shape, hookWidth(shape) ?? 0, null)
      flowing = this.#splice(planned, values, at.take(value), flowing, at)
    }
    return flowing
  }

  #keep(name: string, sae: string | null, value: Value, shape: HookShape): void {
    if (this.#options.capture(name)) this.captures.push({ name, sae, output: this.graph.output(value), shape })
  }

  /** Measures an SAE against its target, and lets its output flow on where some variant splices it. */
  #splice(planned: PlannedSae, values: SaeValues, target: Value, flowing: Value, at: HookView): Value {
    const { graph } = this
    const { name, sae, spliced } = planned
    if (this.#options.evaluates === true) return this.#ablate(planned, values, target, flowing, at)
    if (this.#options.harvests === true) {
      this.sparse.set(name, sparseActivations(graph, values.actsPost, graph.input('counted', 'bool', [1, 'position', 1])))
      return flowing
    }
    if (this.#options.attributes !== undefined) this.activations.set(name, graph.output(values.actsPost))
    else {
      const measured = graph.input('measured', 'float32', [1, 'position', 1])
      const compared = { actsPost: values.actsPost, target, output: values.output }
      this.measures.set(name, measureSae(graph, compared, measured, Math.min(this.#options.topFeatures, sae.dSae)))
    }
    if (!spliced) return flowing
    const inputs = spliceInputs(name)
    const mask = graph.input(inputs.mask, 'bool', ['variant', 'position', 1])
    const gate = graph.input(inputs.gate, 'float32', ['variant', 1, 1])
    // Sequences that are continued have rows of their own from the start.
    const shared = !this.#isParted && this.#options.continues !== true
    const edit = planned.edited ? this.#edit(planned, values, shared) : null
    this.#isParted = true
    const { output, error } = spliceRows(graph, target, at.take(flowing), values.output, mask, gate, edit?.change ?? null)
    this.#keepValues(planned, edit === null ? values : edit.edited, { target, output, error }, at)
    return at.put(output, flowing)
  }

  /** What edits add to an SAE's output, and its values with them. */
  #edit({ name, hook }: PlannedSae, values: SaeValues, shared: boolean): { change: Value; edited: SaeValues } {
    const { graph } = this
    const inputs = editInputs(name)
    const shape = ['variant', 'position', 'edit']
    const edits = {
      feature: graph.input(inputs.feature, 'int64', shape),
      factor: graph.input(inputs.factor, 'float32', shape),
      offset: graph.input(inputs.offset, 'float32', shape)
    }
    const changes = changeActivations(graph, values.actsPost, edits, { shared })
    const { recons, output } = values.changed(changes)
    const wants = (part: string) => this.#options.capture(`${hook}.hook_sae_${part}`)
    const actsPost = wants('acts_post') ? changes.edited() : values.actsPost
    return { change: output, edited: { ...values, actsPost, recons: wants('recons') ? graph.add(values.recons, recons) : values.recons } }
  }

  /** Evaluates an SAE against its target; each row flows on with its output, with zero, or as it is. */
  #ablate({ name, sae }: PlannedSae, { actsPost, output }: SaeValues, target: Value, flowing: Value, at: HookView): Value {
    const { graph } = this
    const counted = graph.input('counted', 'float32', ['reading', 'position'])
    this.evaluations.set(name, evaluateSae(graph, { actsPost, target, output }, sae.dSae, counted))
    const inputs = spliceInputs(name)
    const mask = graph.input(inputs.mask, 'bool', ['variant', 'position', 1])
    const zero = graph.input(inputs.zero, 'bool', ['variant', 1, 1])
    return at.put(ablateRows(graph, at.take(flowing), output, mask, zero), flowing)
  }

  #keepValues(
    planned: PlannedSae,
    values: SaeValues,
    { target, output, error }: { target: Value; output: Value; error: Value },
    at: HookView
  ): void {
    const { name, hook, sae } = planned
    const keep = (part: string, value: Value, width: number) => this.#keep(`${hook}.hook_sae_${part}`, name, value, ['position', width])
    keep('input', values.input, sae.dIn)
    keep('acts_pre', values.actsPre, sae.dSae)
    keep('acts_post', values.actsPost, sae.dSae)
    keep('recons', values.recons, sae.dOut)
    const keepWhole = (whole: string, value: Value) => this.#keep(whole, name, at.shaped(value), at.shape)
    if (!sae.isTranscoder) {
      keepWhole(`${hook}.hook_sae_error`, error)
      keepWhole(`${hook}.hook_sae_output`, output)
      return
    }
    const prefix = transcoderPrefix(planned, this.#options.saes)
    if (values.skip !== null) keepWhole(`${prefix}.skip`, values.skip)
    keepWhole(`${prefix}.output`, output)
    keepWhole(`${prefix}.target`, target)
    keepWhole(`${prefix}.error`, error)
  }
}
