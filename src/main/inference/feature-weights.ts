/**
 * What an SAE's weights say of a feature: lengths, the angle between encoder and decoder, the nearest decoder directions. Matrices are read
 * where they lie, some rows at a time, so that a million directions take no memory but their cosines.
 */
import type { InferenceSession } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import type { FeatureWeights } from '../../contract/feature-weights.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { StoredTensor } from '../checkpoint/tensor.ts'
import { GraphBuilder, type Value } from '../onnx/graph.ts'
import { mapAsFloat32, mapWeight, rowsOf } from '../onnx/weights.ts'
import { attach } from '../sae/fit.ts'
import type { MappedSae } from '../sae/sae.ts'
import { logitEffects } from './logit-effects.ts'
import type { WeightsJob } from './messages.ts'
import type { InferenceState, Pause } from './run.ts'
import { cpu, createSession, onnxRuntime } from './sessions.ts'

/** Values of a matrix that are read at a time: 32 MB of float32. */
const mostAtOnce = 8e6

/** Runs a graph once. Throws where an output is no float32 tensor. */
async function compute(graph: GraphBuilder, outputs: readonly Value[], feeds: InferenceSession.FeedsType = {}): Promise<Float32Array[]> {
  const names = outputs.map(value => graph.output(value))
  const session = await createSession(graph.encode(), cpu)
  try {
    const given = await session.run(feeds)
    return names.map(name => {
      const data = given[name]?.data
      if (!(data instanceof Float32Array)) throw new Error(`the session gave no ${name}`)
      return data
    })
  } finally {
    await session.release()
  }
}

/** The matrix as its bytes lie, row-major, whichever way round that is. */
function asStored(weight: StoredTensor): StoredTensor {
  return weight.columnMajor === true ? { ...weight, shape: [...weight.shape].reverse(), columnMajor: false } : weight
}

/** A row or column of a matrix, float32. */
async function lineOf(weight: StoredTensor, axis: 0 | 1, index: number): Promise<Float32Array> {
  const graph = new GraphBuilder()
  const storedAxis = weight.columnMajor === true ? 1 - axis : axis
  const line = graph.take(mapWeight(graph, asStored(weight)), index, storedAxis)
  const [values] = await compute(graph, [graph.cast(line, 'float32')])
  return values ?? new Float32Array(0)
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * (b[at] ?? Number.NaN), 0)
const norm = (a: Float32Array) => Math.sqrt(dot(a, a))

/** Cosines between a direction [dOut] and every row of W_dec [dSae, dOut]. `pause` hears which share is done. */
async function cosinesOf(decoder: StoredTensor, direction: Float32Array, pause: (share: number) => Promise<void>): Promise<Float64Array> {
  const { Tensor } = await onnxRuntime()
  const isTurned = decoder.columnMajor === true
  const stored = asStored(decoder)
  const [rows = 0, width = 0] = stored.shape
  const dSae = isTurned ? width : rows
  const dots = new Float64Array(dSae)
  const squares = new Float64Array(dSae)
  const step = Math.max(1, Math.floor(mostAtOnce / Math.max(1, width)))
  for (let start = 0; start < rows; start += step) {
    await pause(start / rows)
    const end = Math.min(rows, start + step)
    const graph = new GraphBuilder()
    const some = mapAsFloat32(graph, rowsOf(stored, start, end))
    const part = isTurned ? direction.slice(start, end) : direction
    const along = graph.input('direction', 'float32', isTurned ? [1, end - start] : [width, 1])
    const products = isTurned ? graph.matmul(along, some) : graph.matmul(some, along)
    const squared = graph.sum(graph.multiply(some, some), [isTurned ? 0 : 1])
    const feeds = { direction: new Tensor('float32', part, isTurned ? [1, end - start] : [width, 1]) }
    const [its = [], sums = []] = await compute(graph, [graph.reshape(products, [-1]), squared], feeds)
    const first = isTurned ? 0 : start
    for (const [at, value] of its.entries()) dots[first + at] = (dots[first + at] ?? 0) + value
    for (const [at, value] of sums.entries()) squares[first + at] = (squares[first + at] ?? 0) + value
  }
  const own = norm(direction)
  return dots.map((value, at) => value / (own * Math.sqrt(squares[at] ?? 0)))
}

/** The `count` largest cosines, without the feature itself; rows without a direction are left out. */
function nearestOf(cosines: Float64Array, count: number, except: number | null): { feature: number; cosine: number }[] {
  const nearest: { feature: number; cosine: number }[] = []
  for (const [feature, cosine] of cosines.entries()) {
    if (feature === except || !Number.isFinite(cosine)) continue
    const last = nearest.at(-1)
    if (nearest.length >= count && last !== undefined && cosine <= last.cosine) continue
    const place = nearest.findIndex(other => cosine > other.cosine)
    nearest.splice(place === -1 ? nearest.length : place, 0, { feature, cosine })
    if (nearest.length > count) nearest.pop()
  }
  return nearest
}

function writesElsewhere(thrown: unknown): boolean {
  return thrown instanceof SpliceError && thrown.kind === 'sae/no-effects'
}

/** Reads a feature's weights. Throws `sae/no-such-feature`, and what is wrong with the files. */
export async function readFeatureWeights(job: WeightsJob, state: InferenceState, pause: Pause): Promise<FeatureWeights> {
  const { feature, count, cacheFolder } = job
  const open = async ({ name, path, ...options }: WeightsJob['sae']) => ({
    name,
    sae: (await state.models.sae(path, options, cacheFolder)).sae
  })
  const { name, sae } = await open(job.sae)
  if (feature >= sae.dSae) {
    throw new SpliceError('sae/no-such-feature', `${sae.path} has no feature ${feature}: its width is ${sae.dSae}`, {
      file: sae.path,
      field: 'feature',
      hint: `The last one is ${sae.dSae - 1}.`
    })
  }
  const reading = { processing: new Set<never>(), layerOrder: 'checkpoint', hookMlpIn: true } as const
  const model = await state.models.model(job.model, reading)
  const { hook } = attach(sae, model.hookPoints, model.name)
  const direction = await lineOf(sae.weights.decoder, 0, feature)
  const encoder = await lineOf(sae.weights.encoder, 1, feature)
  const { name: _, ...itself } = job.sae
  const effects = await logitEffects({ model: job.model, sae: itself, features: [feature], count, cacheFolder }, state, (stage, fraction) =>
    pause(stage, fraction / 2)
  ).catch(thrown => {
    if (writesElsewhere(thrown)) return []
    throw thrown
  })

  const compared: { name: string; sae: MappedSae }[] = [{ name, sae }]
  const incomparable: string[] = []
  for (const other of job.others) {
    const opened = await open(other)
    if (opened.sae.dOut === sae.dOut) compared.push(opened)
    else incomparable.push(opened.name)
  }
  const neighbours: FeatureWeights['neighbours'] = []
  for (const [at, other] of compared.entries()) {
    const cosines = await cosinesOf(other.sae.weights.decoder, direction, share =>
      pause(`directions of ${other.name}`, 0.5 + (0.5 * (at + share)) / compared.length)
    )
    const nearest = nearestOf(cosines, count, at === 0 ? feature : null)
    neighbours.push({
      sae: other.name,
      dSae: other.sae.dSae,
      nearest: nearest.map(each => ({ feature: each.feature, cosine: toMaybeNumber(each.cosine) }))
    })
  }
  const inOneSpace = !sae.isTranscoder && direction.length === encoder.length
  const [own] = effects
  return {
    feature,
    dSae: sae.dSae,
    hook,
    decoderNorm: toMaybeNumber(norm(direction)),
    encoderNorm: toMaybeNumber(norm(encoder)),
    encoderDecoderCosine: inOneSpace ? toMaybeNumber(dot(direction, encoder) / (norm(direction) * norm(encoder))) : null,
    effects: own === undefined ? null : { top: own.top, bottom: own.bottom },
    neighbours,
    incomparable
  }
}
