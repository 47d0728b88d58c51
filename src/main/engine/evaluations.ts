/** Evaluations as clients ask for them: opens and checks what is named, decides the reading, runs it, makes the result of its sums. */
import { SpliceError } from '../../contract/errors.ts'
import type { EvaluationEvent, EvaluationProgress, EvaluationRequest, EvaluationResult } from '../../contract/evaluation.ts'
import { runRequest } from '../../contract/run.ts'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import { fileFacts } from '../corpus/file-bytes.ts'
import { type EvaluationPlan, evaluate } from '../evaluation/evaluation.ts'
import type { EvaluationSums } from '../evaluation/evaluation-state.ts'
import { type Fingerprint, StateFile } from '../evaluation/state-file.ts'
import type { EvaluatedPass, EvaluationJob } from '../inference/evaluation-messages.ts'
import { stampOf } from '../inference/models.ts'
import { Vocabulary } from '../inference/tokenizer.ts'
import { attach } from '../sae/fit.ts'
import { openSae } from '../sae/open.ts'
import type { Sae } from '../sae/sae.ts'
import { listHookPoints, modelName } from '../transformer/model.ts'
import { readTransformer } from '../transformer/registry.ts'
import { trainedContext, usualContext } from './corpus-context.ts'
import { streamWork } from './progress.ts'
import { jobOf } from './runs.ts'

export interface EvaluationServices {
  readonly inference: { evaluate(job: EvaluationJob, signal: AbortSignal | undefined): Promise<EvaluatedPass> }
  readonly home: string
}

/** Tokens of a pass where nobody says how many: on two cores more are no faster. Of a wide SAE fewer, so that 16 million activations are not passed. */
const usualBatch = 512
const mostActivations = 2 ** 24

function usualBatchTokens({ dSae }: Sae): number {
  return Math.max(1, Math.min(usualBatch, Math.floor(mostActivations / dSae)))
}

/** A request with everything opened and decided. */
interface Prepared {
  readonly plan: EvaluationPlan
  readonly fingerprint: Fingerprint
  readonly specialIds: readonly number[]
  readonly about: Pick<EvaluationResult, 'model' | 'sae' | 'processing' | 'processingReason' | 'warnings'>
}

function contextOf({ context, corpus }: EvaluationRequest, most: number, model: string, sae: Sae): number {
  if (context === undefined) return corpus.kind === 'ids' ? most : Math.min(most, trainedContext(sae) ?? usualContext)
  if (context <= most) return context
  throw new SpliceError('evaluation/context', `sequences of ${context} tokens are asked for, but ${model} has a context of ${most}`, {
    field: 'context',
    hint: `Ask for at most ${most}.`
  })
}

/** Throws `evaluation/token-id` naming the sequence and an id of it that is not in the vocabulary. */
function checkerOf(file: string, vocabulary: number, model: string): EvaluationPlan['checkIds'] {
  return (ids, sequence) => {
    const outside = ids.find(id => id < 0 || id >= vocabulary)
    if (outside === undefined) return
    const message = `token id ${outside} in sequence ${sequence + 1} of ${file} is not in the vocabulary of ${model}`
    throw new SpliceError('evaluation/token-id', message, { file, hint: `Its ids are 0 to ${vocabulary - 1}.` })
  }
}

/** Opens what a request names, from headers. Throws what is wrong with the model, the SAE, the corpus file or the request. */
async function prepare(request: EvaluationRequest, { home }: Pick<EvaluationServices, 'home'>): Promise<Prepared> {
  const { corpus, layerOrder, provider, precision, saelensBatch, countSpecial, positions } = request
  const run = { model: request.model, saes: [request.sae], processing: request.processing, layerOrder, provider }
  const asked = runRequest.parse({ ...run, prompt: { ids: [] }, variants: [{ name: 'clean', splices: [] }] })
  const { job, flags, reason } = await jobOf(asked, { home })
  const checkpoint = await openCheckpoint(request.model)
  const name = modelName(checkpoint.folder)
  const transformer = readTransformer(checkpoint, { processing: new Set(flags), layerOrder, hookMlpIn: true })
  const vocabulary = await Vocabulary.open(checkpoint, transformer.specialIds, transformer.bosId)
  const { path: saePath, name: saeName, ...choices } = request.sae
  const release = job.saes[0]?.release
  const sae = await openSae(saePath, { ...choices, release })
  const { hook, target } = attach(sae, listHookPoints(transformer, checkpoint.folder), name)
  const { size, stamp } = await fileFacts(corpus.file)

  const context = contextOf(request, transformer.shape.context, name, sae)
  const batchTokens = request.batchTokens ?? usualBatchTokens(sae)
  const specialIds = request.specialIds ?? vocabulary.specialIds
  const special = new Set(specialIds)
  const plan: EvaluationPlan = {
    corpus,
    corpusBytes: size,
    context,
    tokenizer: {
      encode: text => vocabulary.encode(text, false).ids,
      bos: corpus.kind === 'text' && corpus.prependBos ? vocabulary.bosId : null
    },
    size: { batchTokens, saelensBatch },
    choice: { isSpecial: id => special.has(id), positions, target },
    countSpecial,
    checkIds: checkerOf(corpus.file, transformer.shape.vocabulary, name),
    sae: { width: sae.dOut, dSae: sae.dSae },
    job: {
      model: request.model,
      sae: { ...request.sae, release },
      processing: job.processing,
      layerOrder,
      provider,
      precision,
      cacheFolder: job.cacheFolder
    }
  }
  const [modelStamp, saeStamp] = await Promise.all([stampOf(checkpoint.files.map(file => file.path)), stampOf(sae.files)])
  return {
    plan,
    specialIds,
    fingerprint: {
      'the model': checkpoint.folder,
      "the model's files": modelStamp,
      'the SAE': sae.path,
      "the SAE's files": saeStamp,
      'the hook point': hook === target ? hook : `${hook}:${target}`,
      'the normalisation factor': JSON.stringify(sae.normFactor),
      'the corpus': corpus.file,
      "the corpus's file": stamp,
      'the reading of the corpus': JSON.stringify({ ...corpus, file: undefined }),
      'the context': String(context),
      'the batch in tokens': String(batchTokens),
      "SAELens's batch": String(saelensBatch),
      'the special ids': specialIds.join(','),
      'the counting of special tokens': String(countSpecial),
      'the splice positions': JSON.stringify(positions),
      'the processing': flags.join(',') || 'none',
      'the layer order': layerOrder,
      'the provider': provider,
      ...(precision === undefined ? {} : { 'the precision': precision })
    },
    about: {
      model: { path: checkpoint.folder, name },
      sae: {
        name: saeName,
        path: sae.path,
        hook,
        hookOut: sae.isTranscoder ? target : null,
        normFactor: sae.normFactor,
        notes: [...sae.notes]
      },
      processing: [...flags],
      processingReason: reason,
      warnings: []
    }
  }
}

function resultOf(request: EvaluationRequest, { plan, specialIds, about }: Prepared, sums: EvaluationSums): EvaluationResult {
  const { corpus, layerOrder, saelensBatch, countSpecial } = request
  const { width, dSae } = plan.sae
  const [all, excluding] = [sums.featureCounts.subarray(0, dSae), sums.featureCounts.subarray(dSae)]
  const density = (counts: Float64Array, tokens: number) => [...counts].map(count => (tokens === 0 ? 0 : count / tokens))
  const { idsLeftOut } = sums
  const cut = idsLeftOut === 0 ? [] : [`${idsLeftOut} ids of sequences over ${plan.context} tokens were left out`]
  return {
    ...sums.textbook.result(),
    sequences: sums.sequences,
    features: { total: dSae, fired: (countSpecial ? all : excluding).filter(count => count > 0).length },
    saelens: {
      all_tokens: sums.all.result(width),
      exclude_special_tokens: sums.excluding.result(width),
      batch_size_prompts: saelensBatch
    },
    featureDensity: request.featureDensity
      ? { all_tokens: density(all, sums.all.state.tokens), exclude_special_tokens: density(excluding, sums.excluding.state.tokens) }
      : null,
    ...about,
    corpus,
    splicePositions: request.positions,
    context: plan.context,
    idsLeftOut,
    specialIds: [...specialIds],
    layerOrder,
    provider: sums.provider?.name ?? 'cpu',
    providerReason: sums.provider?.reason ?? '',
    warnings: [...sums.warnings, ...cut],
    seconds: sums.seconds
  }
}

/** Runs an evaluation to its result. Throws what is wrong with its files or its request, `run/cancelled`, or `inference/died`. */
export async function evaluateRequest(
  request: EvaluationRequest,
  services: EvaluationServices,
  signal: AbortSignal,
  onProgress: (progress: EvaluationProgress) => void
): Promise<EvaluationResult> {
  const prepared = await prepare(request, services)
  const kept = request.resume === undefined ? null : await StateFile.open(request.resume.file, prepared.fingerprint)
  try {
    const sums = await evaluate(prepared.plan, {
      run: job => services.inference.evaluate(job, signal),
      onProgress,
      stateFile: kept?.stateFile ?? null,
      resumed: kept?.resumed ?? null
    })
    return resultOf(request, prepared, sums)
  } finally {
    await kept?.stateFile.close()
  }
}

/** An evaluation's events: its progress, then its result. Ending the iteration early cancels it. */
export function evaluation(
  request: EvaluationRequest,
  services: EvaluationServices,
  signal?: AbortSignal
): AsyncGenerator<EvaluationEvent, void> {
  return streamWork<EvaluationProgress, EvaluationEvent>(signal, async (working, tell) => ({
    type: 'result',
    result: await evaluateRequest(request, services, working, tell)
  }))
}
