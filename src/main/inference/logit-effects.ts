/**
 * Direct logit effects of features: W_dec[feature] @ W_U of the processed model, that is with ln_final's gain, centred over d_model
 * in LayerNorm families and over the vocabulary where center_unembed is done; no norm scale, no b_U, no soft cap
 * (fixtures/golden/README.md, `logit_effects[]`).
 */
import type { InferenceSession } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import type { FeatureEffects } from '../../contract/logit-effects.ts'
import { processingFlag } from '../../contract/run.ts'
import { GraphBuilder, type Value } from '../onnx/graph.ts'
import { multiplyTransposed, rowsOf } from '../onnx/weights.ts'
import { decoderRows } from '../sae/edits.ts'
import { attach } from '../sae/fit.ts'
import type { MappedSae } from '../sae/sae.ts'
import type { Reading, Transformer } from '../transformer/family.ts'
import type { HookedGraph } from '../transformer/hooked-graph.ts'
import type { EffectsJob } from './messages.ts'
import type { OpenModel } from './models.ts'
import { vocabularyPieces } from './plan.ts'
import type { InferenceState, Pause } from './run.ts'
import { cpu, createSession, onnxRuntime } from './sessions.ts'

/** How TransformerLens's from_pretrained loads a model. */
const processed: Reading = { processing: new Set(processingFlag.options), layerOrder: 'checkpoint', hookMlpIn: true }

/** Hook points whose activation is added to the residual stream as it is, or is the stream. */
const residual = /^(hook_embed|hook_pos_embed|blocks\.\d+\.hook_(resid_(pre|mid|post)|attn_out|mlp_out))$/

/** What a graph's values are called outside. */
const names = { features: 'features', final: 'final' } as const

/** Rows of W_dec as the model reads them, [feature, dOut]. */
function directionRows(graph: GraphBuilder, sae: MappedSae): Value {
  const features = graph.unsqueeze(graph.input(names.features, 'int64', ['feature']), [0])
  const rows = graph.take(decoderRows(graph, sae, features), 0, 0)
  const scale = sae.decoderScale / (sae.normFactor?.value ?? 1)
  return scale === 1 ? rows : graph.multiply(rows, graph.scalar(scale))
}

/**
 * Directions [1, feature, dModel] as the unembedding's matrix meets them: they stand in at ln_final.hook_normalized, behind which the
 * processed model has the folded gain, its centring, and a bias that is no effect of theirs.
 */
function beforeUnembedding(graph: GraphBuilder, transformer: Transformer, directions: Value): Value {
  const throughNorm = (normalized: Value): Value => {
    const g: HookedGraph = {
      graph,
      holdsSequences: false,
      hook: (name, value) => (name === 'ln_final.hook_normalized' ? normalized : value),
      unfolded: (_name, value) => value,
      once: (_name, make) => make()
    }
    return transformer.finalNorm(g, graph.zerosLike(directions))
  }
  return graph.subtract(throughNorm(directions), throughNorm(graph.zerosLike(directions)))
}

async function withSession<Result>(graph: GraphBuilder, work: (session: InferenceSession) => Promise<Result>): Promise<Result> {
  const session = await createSession(graph.encode(), cpu)
  try {
    return await work(session)
  } finally {
    await session.release()
  }
}

async function directionsOf(features: readonly number[], { transformer }: OpenModel, sae: MappedSae): Promise<Float32Array> {
  const { Tensor } = await onnxRuntime()
  const graph = new GraphBuilder()
  const { dModel } = transformer.shape
  const rows = graph.reshape(directionRows(graph, sae), [1, -1, dModel])
  const output = graph.output(graph.reshape(beforeUnembedding(graph, transformer, rows), [-1, dModel]))
  return withSession(graph, async session => {
    const ids = BigInt64Array.from(features, feature => BigInt(feature))
    const found = (await session.run({ [names.features]: new Tensor('int64', ids, [features.length]) }))[output]
    if (!(found?.data instanceof Float32Array)) throw new Error('the directions are no float32 tensor')
    return found.data
  })
}

interface Candidate {
  readonly id: number
  readonly value: number
}

/** The strongest tokens of a feature so far, and the sum of all its logits. */
class Strongest {
  readonly #count: number
  top: Candidate[] = []
  bottom: Candidate[] = []
  sum = 0

  constructor(count: number) {
    this.#count = count
  }

  /** Takes in a piece's strongest; `negated` values are of the lowest. */
  add(top: readonly Candidate[], bottom: readonly Candidate[], sum: number): void {
    const best = (candidates: Candidate[], sign: 1 | -1) =>
      candidates.sort((a, b) => sign * (b.value - a.value) || a.id - b.id).slice(0, this.#count)
    this.top = best([...this.top, ...top], 1)
    this.bottom = best([...this.bottom, ...bottom], -1)
    this.sum += sum
  }
}

/** Adds the effects on token ids `[start, end)`. */
async function addPiece(
  strongest: readonly Strongest[],
  directions: Float32Array,
  { transformer }: OpenModel,
  [start, end]: readonly [number, number],
  count: number
): Promise<void> {
  const { Tensor } = await onnxRuntime()
  const graph = new GraphBuilder()
  const { dModel } = transformer.shape
  const final = graph.input(names.final, 'float32', ['feature', dModel])
  const logits = multiplyTransposed(graph, final, rowsOf(transformer.unembedding.weight, start, end))
  const kept = Math.min(count, end - start)
  const [top, bottom] = [graph.topK(logits, kept), graph.topK(graph.negate(logits), kept)]
  const outputs = [top.values, top.indices, bottom.values, bottom.indices, graph.sum(logits, [-1])].map(value => graph.output(value))
  await withSession(graph, async session => {
    const given = await session.run({ [names.final]: new Tensor('float32', directions, [strongest.length, dModel]) })
    const [topValues, topIds, lowValues, lowIds, sums] = outputs.map(name => given[name]?.data)
    for (const [row, one] of strongest.entries()) {
      const candidates = (values: unknown, ids: unknown, sign: 1 | -1): Candidate[] =>
        values instanceof Float32Array && ids instanceof BigInt64Array
          ? Array.from({ length: kept }, (_, at) => ({
              id: start + Number(ids[row * kept + at]),
              value: sign * (values[row * kept + at] ?? 0)
            }))
          : []
      one.add(candidates(topValues, topIds, 1), candidates(lowValues, lowIds, -1), sums instanceof Float32Array ? (sums[row] ?? 0) : 0)
    }
  })
}

/**
 * The strongest effects of each feature. Features whose decoder row holds a NaN or an infinity have none. Throws `sae/no-effects` where
 * the SAE does not write to the residual stream, `sae/no-such-feature`, and what is wrong with the files.
 */
export async function logitEffects(job: EffectsJob, { models, budget }: InferenceState, pause: Pause): Promise<FeatureEffects[]> {
  const model = await models.model(job.model, processed)
  const { path, ...options } = job.sae
  const { sae } = await models.sae(path, options, job.cacheFolder)
  const { target } = attach(sae, model.hookPoints, model.name)
  if (!residual.test(target) || sae.headIndex !== null) {
    throw new SpliceError('sae/no-effects', `${path} writes to ${target}, which is not the residual stream`, { file: path, field: 'hook' })
  }
  const outside = job.features.find(feature => feature >= sae.dSae)
  if (outside !== undefined) {
    throw new SpliceError('sae/no-such-feature', `${path} has no feature ${outside}: its width is ${sae.dSae}`, { file: path })
  }
  const { dModel, vocabulary } = model.transformer.shape
  const directions = await directionsOf(job.features, model, sae)
  const isBroken = job.features.map((_, row) => !directions.subarray(row * dModel, (row + 1) * dModel).every(Number.isFinite))
  for (const [row, broken] of isBroken.entries()) if (broken) directions.fill(0, row * dModel, (row + 1) * dModel)

  const strongest = job.features.map(() => new Strongest(job.count))
  const pieces = vocabularyPieces(model.transformer, budget)
  for (const [at, piece] of pieces.entries()) {
    await pause('logit effects', at / pieces.length)
    await addPiece(strongest, directions, model, piece, job.count)
  }
  return job.features.map((feature, row) => {
    const { top = [], bottom = [], sum = 0 } = isBroken[row] ? {} : (strongest[row] ?? {})
    const mean = model.transformer.unembedding.isCentred ? sum / vocabulary : 0
    const named = ({ id, value }: Candidate) => ({ id, text: model.vocabulary.token(id).text, value: value - mean })
    return { feature, top: top.map(named), bottom: bottom.map(named) }
  })
}
