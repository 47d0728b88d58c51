/** Answers' ranks, logits and probabilities equal what TransformerLens gives for every recorded `test_prompt`. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromMaybeNumber, type MaybeNumber } from '../../../contract/numbers.ts'
import type { Variant } from '../../../contract/run.ts'
import { scoreAnswers } from '../answers.ts'
import { CompiledPlans } from '../compiled.ts'
import type { AnswersJob } from '../messages.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget } from '../plan.ts'
import { golden, goldenProvider, index, promptOf, readingOf, runAndSave } from './golden-data.ts'
import { membersOf, saeCase, splicesOf } from './sae-cases.ts'

const clean: Variant = { name: 'clean', splices: [] }
const cacheFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-answers-'))
afterAll(() => fs.rm(cacheFolder, { recursive: true, force: true }))

function scored(job: Pick<AnswersJob, 'model' | 'prompt' | 'answers' | 'processing' | 'layerOrder'> & Partial<AnswersJob>) {
  const whole: AnswersJob = { saes: [], variants: [clean], provider: goldenProvider, prependSpace: true, topK: 10, cacheFolder, ...job }
  return scoreAnswers(whole, { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }, async () => undefined)
}

const verdict = z.object({ token: z.int(), rank: z.int(), logit: z.number(), prob: z.number() })
const recorded = z.object({
  ids: z.array(z.int()),
  variants: z.record(
    z.string(),
    z.object({
      test_prompt: z
        .array(
          z.object({
            answers: z.array(z.array(z.int())),
            positions: z.array(
              z.object({ answers: z.array(verdict), top10: z.array(z.object({ token: z.int(), logit: z.number(), prob: z.number() })) })
            )
          })
        )
        .optional()
    })
  )
})

const cases = (
  await Promise.all(
    index.models.flatMap(({ id: model, prompts }) =>
      prompts.map(async ({ id: prompt }) => {
        const { ids, variants } = recorded.parse(JSON.parse(await fs.readFile(golden('runs', model, `${prompt}.json`), 'utf8')))
        return Object.entries(variants).flatMap(([reading, { test_prompt: entries = [] }]) =>
          entries.map((entry, which) => ({ model, prompt, ids, reading, which, entry }))
        )
      })
    )
  )
).flat()

test('every model has recorded answers, single ones, several ones and one of several tokens', () => {
  expect(new Set(cases.map(({ model }) => model))).toEqual(new Set(index.models.map(({ id }) => id)))
  expect(cases.some(({ entry }) => entry.answers.length > 1)).toBe(true)
  expect(cases.some(({ entry }) => entry.answers.some(answer => answer.length > 1))).toBe(true)
})

function expectNear(actual: MaybeNumber | undefined, expected: number, what: string): void {
  expect(Math.abs((fromMaybeNumber(actual ?? null) ?? Number.NaN) - expected), what).toBeLessThanOrEqual(5e-4)
}

describe.each(cases)('$model $prompt $reading, entry $which', ({ model, ids, reading, entry }) => {
  test('is what TransformerLens says', async () => {
    const job = { model: golden('models', model), prompt: { ids }, ...readingOf(reading) }
    const result = await scored({ ...job, answers: entry.answers.map(answer => ({ ids: answer })) })
    for (const [place, { answers, top10 }] of entry.positions.entries()) {
      // Several answers are compared at their first token; one answer goes on token by token.
      for (const [which, expected] of answers.entries()) {
        const token = result.answers[which]?.tokens[place]
        const ours = token?.variants[0]
        expect(token?.id).toBe(expected.token)
        expect(ours?.rank).toBe(expected.rank)
        expectNear(ours?.logit, expected.logit, 'logit')
        expectNear(ours?.probability, expected.prob, 'probability')
        for (const [rank, { token: id, logit, prob }] of top10.entries()) {
          expect(ours?.topK[rank]?.id).toBe(id)
          expectNear(ours?.topK[rank]?.logit, logit, 'top logit')
          expectNear(ours?.topK[rank]?.probability, prob, 'top probability')
        }
      }
    }
    expect(result.topK[0]?.tokens.map(({ id }) => id)).toEqual(entry.positions[0]?.top10.map(({ token }) => token))
  })
})

test('answers of different lengths are each judged after their own tokens, under every variant', async () => {
  const saes = membersOf(saeCase('gemma2-tiny.multi_att0_res1_mlp2'))
  const variants = [clean, splicesOf('spliced', saes, false)]
  const { ids } = await promptOf('gemma2-tiny', 'p0')
  const answers = [[9], [12, 40, 7], [33, 8]]
  const job = { model: golden('models', 'gemma2-tiny'), saes, variants, ...readingOf('no_processing') }
  const result = await scored({ ...job, prompt: { ids }, answers: answers.map(answer => ({ ids: answer })) })
  for (const [which, answer] of answers.entries()) {
    const { result: run } = await runAndSave({ ...job, prompt: { ids: [...ids, ...answer] }, hooks: 'none' })
    for (const [row, { name, logProbs, ranks }] of run.variants.entries()) {
      for (const [place, token] of (result.answers[which]?.tokens ?? []).entries()) {
        const ours = token.variants[row]
        expect(ours?.name).toBe(name)
        expect(ours?.rank).toBe(ranks[ids.length + place])
        expectNear(
          ours?.logProb,
          fromMaybeNumber(logProbs[ids.length + place] ?? null) ?? Number.NaN,
          `${name} answer ${which} token ${place}`
        )
      }
      const sum = logProbs.slice(ids.length).reduce<number>((total, value) => total + (fromMaybeNumber(value) ?? Number.NaN), 0)
      expectNear(result.answers[which]?.logProbs[row]?.logProb, sum, 'whole answer')
    }
  }
})
