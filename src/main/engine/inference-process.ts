/** What the engine asks of the inference process: a method for each kind of work. Its life is process-life.ts. */
import type { FeatureWeights } from '../../contract/feature-weights.ts'
import type { ActivationWindow, HookTable } from '../../contract/hooks.ts'
import type { FeatureEffects } from '../../contract/logit-effects.ts'
import type { Prompt, PromptTokens } from '../../contract/run.ts'
import type { EvaluatedPass, EvaluationJob } from '../inference/evaluation-messages.ts'
import type { HarvestedPass, HarvestJob } from '../inference/harvest-messages.ts'
import type {
  AnswersJob,
  AttributionJob,
  EffectsJob,
  FromInference,
  GenerationJob,
  GenerationStep,
  HookJob,
  InferenceJob,
  InferenceResult,
  InferredAnswers,
  InferredAttribution,
  InferredGeneration,
  InferredLens,
  InferredPatch,
  InferredPatching,
  LensJob,
  MeasureResult,
  PatchingJob,
  PatchingStep,
  PatchJob,
  ReadFeatures,
  WeightsJob
} from '../inference/messages.ts'
import { type OnProgress, ProcessLife } from './process-life.ts'

export class InferenceProcess extends ProcessLife {
  /** Runs a job after those before it. Throws what the job throws, `run/cancelled`, or `inference/died`. */
  async run(job: InferenceJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferenceResult> {
    const answer = await this.inTurn('run', id => ({ kind: 'run', id, job }), signal, onProgress)
    this.note(job.provider, answer.result)
    return answer.result
  }

  /** Statistics of every hook point of a variant; waits and throws as `run` does. */
  async hooks(hookJob: HookJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<HookTable> {
    const answer = await this.inTurn('hooks', id => ({ kind: 'hooks', id, hookJob }), signal, onProgress)
    return answer.table
  }

  /** What a job's SAEs measure on the model as it is; waits and throws as `run` does. */
  async measure(job: InferenceJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<MeasureResult> {
    const answer = await this.inTurn('measure', id => ({ kind: 'measure', id, job }), signal, onProgress)
    return answer.result
  }

  /** All active features of one of a job's SAEs, in every variant; waits and throws as `run` does. */
  async readFeatures(job: InferenceJob, sae: string, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<ReadFeatures> {
    const answer = await this.inTurn('features', id => ({ kind: 'features', id, job, sae }), signal, onProgress)
    return answer.features
  }

  /** One activation and, with a window, its values; waits and throws as `run` does. */
  async activation(
    hookJob: HookJob,
    { hook, window }: { hook: string; window: ActivationWindow | null },
    signal: AbortSignal | undefined,
    onProgress: OnProgress
  ): Promise<Extract<FromInference, { kind: 'activation' }>> {
    const answer = await this.inTurn('activation', id => ({ kind: 'activation', id, hookJob, hook, window }), signal, onProgress)
    return answer
  }

  /** What an SAE's weights say of a feature; waits and throws as `run` does. */
  async featureWeights(weightsJob: WeightsJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<FeatureWeights> {
    const answer = await this.inTurn('weights', id => ({ kind: 'weights', id, weightsJob }), signal, onProgress)
    return answer.weights
  }

  /** A run through the logit lens; waits and throws as `run` does. */
  async lens(lensJob: LensJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredLens> {
    const answer = await this.inTurn('lens', id => ({ kind: 'lens', id, lensJob }), signal, onProgress)
    this.note(lensJob.job.provider, answer.lens)
    return answer.lens
  }

  /** What features do to the logits; waits and throws as `run` does. */
  async effects(effectsJob: EffectsJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<FeatureEffects[]> {
    const answer = await this.inTurn('effects', id => ({ kind: 'effects', id, effectsJob }), signal, onProgress)
    return answer.effects
  }

  /** Continues a prompt, step by step; waits and throws as `run` does. */
  async generate(
    generationJob: GenerationJob,
    signal: AbortSignal | undefined,
    onProgress: OnProgress,
    onStep: (step: GenerationStep) => void
  ): Promise<InferredGeneration> {
    const answer = await this.inTurn('generate', id => ({ kind: 'generate', id, generationJob }), signal, onProgress, {
      onStep: message => {
        if (message.kind === 'step') onStep(message.step)
      }
    })
    this.note(generationJob.provider, answer.result)
    return answer.result
  }

  /** Scores answers to a prompt; waits and throws as `run` does. */
  async answers(answersJob: AnswersJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredAnswers> {
    const answer = await this.inTurn('answers', id => ({ kind: 'answers', id, answersJob }), signal, onProgress)
    this.mappedBytes = answer.result.mappedBytes
    return answer.result
  }

  /** Ablates features and reads a quantity; waits and throws as `run` does. */
  async attribute(attributionJob: AttributionJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredAttribution> {
    const answer = await this.inTurn('attribute', id => ({ kind: 'attribute', id, attributionJob }), signal, onProgress)
    this.note(attributionJob.provider, answer.result)
    return answer.result
  }

  /** Patches grids of cells, layer by layer; waits and throws as `run` does. */
  async patchGrids(
    patchingJob: PatchingJob,
    signal: AbortSignal | undefined,
    onProgress: OnProgress,
    onStep: (step: PatchingStep) => void
  ): Promise<InferredPatching> {
    const answer = await this.inTurn('patch-grids', id => ({ kind: 'patch-grids', id, patchingJob }), signal, onProgress, {
      onStep: message => {
        if (message.kind === 'patching') onStep(message.step)
      }
    })
    this.note(patchingJob.provider, answer.result)
    return answer.result
  }

  /** Patches one cell; waits and throws as `run` does. */
  async patchOne(patchJob: PatchJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredPatch> {
    const answer = await this.inTurn('patch-one', id => ({ kind: 'patch-one', id, patchJob }), signal, onProgress)
    this.note(patchJob.provider, answer.result)
    return answer.result
  }

  /** Runs one pass of an evaluation after those before it, and while no run is under way. Throws as `run` does. */
  async evaluate(job: EvaluationJob, signal: AbortSignal | undefined): Promise<EvaluatedPass> {
    const answer = await this.inTurn(
      'evaluate',
      id => ({ kind: 'evaluate', id, job }),
      signal,
      () => undefined,
      { queue: 'evaluations' }
    )
    this.note(job.provider, answer.pass)
    return answer.pass
  }

  /**
   * Runs one pass of a harvest while no run is under way. The next may be asked for before it has its answer, so that nothing waits between
   * them; they run in the order in which they were asked for. Throws as `run` does.
   */
  async harvest(job: HarvestJob, signal: AbortSignal | undefined): Promise<HarvestedPass> {
    // A process that is to end anew takes over what was asked for; what is asked for behind that waits for it.
    await this.evaluationsEnded
    const answer = await this.atWorkWith(() => this.request('harvest', id => ({ kind: 'harvest', id, job }), signal))
    this.note(job.provider, answer.pass)
    return answer.pass
  }

  /** Tokens of a prompt. Throws what the model's folder or tokenizer throws. */
  async tokenize(model: string, prompt: Prompt, signal?: AbortSignal): Promise<PromptTokens> {
    const answer = await this.request('tokenize', id => ({ kind: 'tokenize', id, model, prompt }), signal)
    return answer.result
  }
}
