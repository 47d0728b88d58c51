/** What features do to the logits, for every case of `logit_effects[]` in fixtures/golden/index.json. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { CompiledPlans } from '../compiled.ts'
import { logitEffects } from '../logit-effects.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget, type StageBudget } from '../plan.ts'
import { golden } from './golden-data.ts'
import { membersOf, saeCase } from './sae-cases.ts'

const extremes = z.object({ tokens: z.array(z.int()), values: z.array(z.number()) })
const { logit_effects: cases } = z
  .object({
    logit_effects: z.array(
      z.object({
        sae: z.string(),
        model: z.string(),
        model_variant: z.literal('processed'),
        features: z.array(z.object({ feature: z.int(), top: extremes, bottom: extremes }))
      })
    )
  })
  .parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))

let cacheFolder = ''
beforeAll(async () => {
  cacheFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-effects-'))
})
afterAll(() => fs.rm(cacheFolder, { recursive: true, force: true }))

async function effectsOf(model: string, sae: string, features: number[], budget: StageBudget = defaultBudget) {
  const [member] = membersOf(saeCase(sae))
  if (member === undefined) throw new Error(`${sae} is no single SAE`)
  const { name: _, ...own } = member
  const state = { models: new OpenModels(), plans: new CompiledPlans(), budget }
  const pieces: number[] = []
  const effects = await logitEffects(
    { model: golden('models', model), sae: own, features, count: 10, cacheFolder },
    state,
    async (_stage, at) => {
      pieces.push(at)
    }
  )
  return { effects, pieces: pieces.length }
}

type Extremes = z.infer<typeof extremes>
const valuesClose = (values: readonly number[], expected: readonly number[]) =>
  Math.max(...values.map((value, at) => Math.abs(value - (expected[at] ?? Number.NaN))))

describe('the ten highest and lowest logits of W_dec[feature] @ W_U equal the golden ones, whole or in pieces of the vocabulary', () => {
  test.each(cases)('$sae', async ({ sae, model, features }) => {
    const wanted = features.map(({ feature }) => feature)
    for (const budget of [defaultBudget, { ...defaultBudget, parameters: 2048 }]) {
      const { effects, pieces } = await effectsOf(model, sae, wanted, budget)
      expect(pieces).toBeGreaterThan(budget === defaultBudget ? 0 : 1)
      expect(effects.map(({ feature }) => feature)).toEqual(wanted)
      for (const [at, { top, bottom }] of effects.entries()) {
        const expected = features[at]
        const compare = (ours: typeof top, theirs: Extremes) => {
          expect(ours.map(({ id }) => id)).toEqual(theirs.tokens)
          expect(
            valuesClose(
              ours.map(({ value }) => value),
              theirs.values
            )
          ).toBeLessThan(1e-5)
        }
        compare(top, expected?.top ?? { tokens: [], values: [] })
        compare(bottom, expected?.bottom ?? { tokens: [], values: [] })
      }
    }
  })
})

describe('what has no such effects', () => {
  test('is refused by its hook point: an SAE that does not write to the residual stream', async () => {
    await expect(effectsOf('gemma2-tiny', 'gemma2-tiny.gemma_scope_att_l0', [1])).rejects.toMatchObject({ kind: 'sae/no-effects' })
  })
  test('is refused by its width: a feature that the SAE does not have', async () => {
    await expect(effectsOf('gemma2-tiny', 'gemma2-tiny.gemma_scope_res_l1', [128])).rejects.toMatchObject({ kind: 'sae/no-such-feature' })
  })
})
