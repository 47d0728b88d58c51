/** The likeliest next tokens of rows of the final norm, from whole logits of one position. */
import type { Tensor } from 'onnxruntime-node'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { PredictedToken } from '../../contract/run.ts'
import { RowTensor } from './activation.ts'
import type { CompiledStage } from './compiled.ts'
import { pick } from './feeds.ts'
import type { OpenModel } from './models.ts'
import { predictionInputs } from './prediction-graph.ts'
import { onnxRuntime } from './sessions.ts'

/** The `count` best of each row of `final` [row, 1, dModel], best first; none where logits are no numbers. `stages` give whole logits. */
export async function bestTokens(
  final: Tensor,
  stages: readonly CompiledStage[],
  { transformer, vocabulary }: OpenModel,
  count: number
): Promise<PredictedToken[][]> {
  const { Tensor } = await onnxRuntime()
  const rows = final.dims[0] ?? 0
  const logits = Array.from({ length: rows }, () => new Float32Array(transformer.shape.vocabulary))
  const feeds = new Map([
    ['final', final],
    [predictionInputs.baseline, new Tensor('int64', BigInt64Array.of(0n), [1])]
  ])
  for (const { stage, session } of stages) {
    for (const { start, logits: output } of stage.pieces) {
      if (output === null) throw new Error('the stage gives no whole logits')
      const tensor = (await session.run(pick(feeds, stage.inputs), [output]))[output]
      if (tensor === undefined) throw new Error(`the session gave no ${output}`)
      const piece = RowTensor.of(tensor)
      for (const [row, whole] of logits.entries()) whole.set(piece.row(row), start)
    }
  }
  const { isCentred } = transformer.unembedding
  return logits.map(row => {
    if (row.some(Number.isNaN)) return []
    const descending = row.toSorted().reverse()
    const highest = descending[0] ?? Number.NaN
    const logSumExp = highest + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - highest), 0))
    const mean = isCentred ? row.reduce((sum, logit) => sum + logit, 0) / row.length : 0
    const least = descending[Math.min(count, row.length) - 1] ?? Number.NaN
    return [...row.entries()]
      .filter(([, logit]) => logit >= least)
      .sort(([a, one], [b, other]) => other - one || a - b)
      .slice(0, count)
      .map(([id, logit]) => ({
        id,
        text: vocabulary.token(id).text,
        logit: toMaybeNumber(logit - mean),
        logProb: toMaybeNumber(logit - logSumExp)
      }))
  })
}
