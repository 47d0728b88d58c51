/** Runs generations in this process, greedy unless told otherwise. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'
import { CompiledPlans } from '../compiled.ts'
import { generate } from '../generate.ts'
import type { GenerationJob, GenerationStep } from '../messages.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget, type StageBudget } from '../plan.ts'
import { goldenProvider, requireGoldenProvider } from './golden-files.ts'
import { clean } from './sae-cases.ts'

const cacheFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-generation-'))
afterAll(() => fs.rm(cacheFolder, { recursive: true, force: true }))

export const greedy: GenerationJob['sampling'] = { temperature: 0, topK: null, topP: null, frequencyPenalty: 0 }

/** A generation's result and its steps. */
export async function generated(
  job: Pick<GenerationJob, 'model' | 'prompt' | 'processing' | 'layerOrder'> & Partial<GenerationJob>,
  budget: StageBudget = defaultBudget
) {
  const whole: GenerationJob = {
    saes: [],
    variants: [clean],
    provider: goldenProvider,
    sampling: greedy,
    maxNewTokens: 10,
    samples: 1,
    stopAtEos: false,
    seed: 0,
    topK: 5,
    topFeatures: 5,
    cacheFolder,
    ...job
  }
  const steps: GenerationStep[] = []
  const state = { models: new OpenModels(), plans: new CompiledPlans(), budget }
  const result = await generate(
    whole,
    state,
    async () => undefined,
    step => steps.push(step)
  )
  requireGoldenProvider(whole.provider, result)
  return { result, steps }
}
