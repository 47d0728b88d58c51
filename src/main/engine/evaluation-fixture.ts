/** Evaluations for tests, their passes run in this process. */
import os from 'node:os'
import path from 'node:path'
import { type EvaluationProgress, type EvaluationResult, evaluationRequest } from '../../contract/evaluation.ts'
import { CompiledPlans } from '../inference/compiled.ts'
import { evaluatePass } from '../inference/evaluation.ts'
import type { EvaluatedPass, EvaluationJob } from '../inference/evaluation-messages.ts'
import { OpenModels } from '../inference/models.ts'
import { defaultBudget, type StageBudget } from '../inference/plan.ts'
import { evaluateRequest } from './evaluations.ts'

/** What a test may do in an evaluation. */
export interface EvaluationHooks {
  /** Sees each pass before it runs; what it throws is what the pass throws. */
  readonly beforePass?: (job: EvaluationJob) => void
  readonly onProgress?: (progress: EvaluationProgress) => void
  readonly budget?: StageBudget
}

/** Models and sessions that evaluations of one test file share. */
const shared = { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }

/** Runs an evaluation; `request` is parsed first, so defaults need not be there. */
export function evaluateHere(request: Readonly<Record<string, unknown>>, hooks: EvaluationHooks = {}): Promise<EvaluationResult> {
  const { budget } = hooks
  const state = budget === undefined ? shared : { models: shared.models, plans: new CompiledPlans(), budget }
  const inference = {
    async evaluate(job: EvaluationJob): Promise<EvaluatedPass> {
      hooks.beforePass?.(job)
      return evaluatePass(job, state, async () => undefined)
    }
  }
  const services = { inference, home: path.join(os.tmpdir(), 'splice-evaluation-test') }
  return evaluateRequest(evaluationRequest.parse(request), services, new AbortController().signal, hooks.onProgress ?? (() => undefined))
}
