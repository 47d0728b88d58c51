/** Greedy continuations equal TransformerLens's, and with SAEs spliced in what whole runs predict, token by token. */
import fs from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import type { Variant } from '../../../contract/run.ts'
import { defaultBudget, type StageBudget } from '../plan.ts'
import { generated, greedy } from './generate-greedily.ts'
import { golden, index, promptOf, readingOf, runAndSave } from './golden-data.ts'
import { membersOf, saeCase, saeIndex, splicesOf } from './sae-cases.ts'

const clean: Variant = { name: 'clean', splices: [] }
const recorded = z.object({
  ids: z.array(z.int()),
  variants: z.record(
    z.string(),
    z.object({ greedy_new_tokens: z.array(z.int()).optional(), greedy_new_tokens_no_kv_cache: z.array(z.int()).optional() })
  )
})

const cases = (
  await Promise.all(
    index.models.flatMap(({ id: model, prompts }) =>
      prompts.map(async ({ id: prompt }) => {
        const { ids, variants } = recorded.parse(JSON.parse(await fs.readFile(golden('runs', model, `${prompt}.json`), 'utf8')))
        return Object.entries(variants).map(([reading, { greedy_new_tokens: expected }]) => ({ model, prompt, ids, reading, expected }))
      })
    )
  )
).flat()

const withGreedy = cases.filter(({ expected }) => expected !== undefined)

test('every model has recorded continuations', () => {
  expect(new Set(withGreedy.map(({ model }) => model))).toEqual(new Set(index.models.map(({ id }) => id)))
})

describe.each(withGreedy)('$model $prompt $reading', ({ model, ids, reading, expected = [] }) => {
  test('continues as TransformerLens does', async () => {
    const job = { model: golden('models', model), prompt: { ids }, ...readingOf(reading), maxNewTokens: expected.length }
    const { result } = await generated(job)
    expect(result.continuations[0]?.tokens.map(token => token.id)).toEqual(expected)
  })
})

/** SAEs of several kinds and places: where they stand decides which rows a cache has. */
const spliced = [
  'gemma2-tiny.multi_att0_res1_mlp2',
  'gemma2-tiny.gemma_scope_transcoder_l1',
  ...[
    ...new Map(
      saeIndex.saes.filter(entry => entry.runs !== undefined).map(entry => [`${entry.model} ${entry.hooks[0]}`, entry.id])
    ).values()
  ]
]

/** A transcoder that reads before it writes, and SAEs that part the variants in three places. */
const inStages = spliced.slice(0, 3)

describe.each([...new Set(spliced)])('with %s', id => {
  const entry = saeCase(id)
  const saes = membersOf(entry)
  const variants = [clean, splicesOf('spliced', saes, false), splicesOf('with-error', saes, true), splicesOf('late', saes, false, [[2, 5]])]

  const budgets: [string, StageBudget][] = [['whole', defaultBudget]]
  if (inStages.includes(id)) budgets.push(['in many stages', { parameters: 1000, rows: 9 }])

  test.each(budgets)('%s, each token is what a run of all tokens before it predicts', async (_, budget) => {
    const { ids } = await promptOf(entry.model, 'p0')
    const job = { model: golden('models', entry.model), saes, variants, ...readingOf('no_processing') }
    const sampling = { temperature: 1.3, topK: null, topP: 0.95, frequencyPenalty: 0.3 }
    const asked = { ...job, prompt: { ids }, sampling, maxNewTokens: 3, seed: 11 }
    const { result, steps } = await generated(asked, budget)
    expect(result.continuations).toHaveLength(4)
    for (const { variant: name, tokens, features } of result.continuations) {
      const whole = [...ids, ...tokens.map(token => token.id)]
      const variant = variants.filter(candidate => candidate.name === name || candidate.name === 'clean')
      const { result: run } = await runAndSave({ ...job, prompt: { ids: whole }, variants: variant, hooks: 'none' })
      const numbers = run.variants.find(candidate => candidate.name === name)
      for (const [place, token] of tokens.entries()) {
        const at = ids.length + place
        const expected = fromMaybeNumber(numbers?.logProbs[at] ?? null) ?? Number.NaN
        expect(Math.abs((fromMaybeNumber(token.logProb) ?? Number.NaN) - expected), `${name} token ${place}`).toBeLessThanOrEqual(2e-4)
        for (const { name: sae } of saes) {
          const active = run.saes.find(candidate => candidate.name === sae)?.byVariant[name]?.features[at] ?? []
          const ours = features[place]?.[sae] ?? []
          expect(ours.length).toBe(Math.min(5, active.length))
          for (const [rank, feature] of ours.entries()) {
            const other = fromMaybeNumber(active[rank]?.activation ?? null) ?? Number.NaN
            expect(Math.abs((fromMaybeNumber(feature.activation) ?? Number.NaN) - other)).toBeLessThanOrEqual(1e-3 * (1 + other))
          }
        }
      }
    }
    const streamed = steps.flatMap(step => (step.type === 'tokens' ? step.tokens : []))
    for (const { variant: name, sample, tokens } of result.continuations) {
      const ours = streamed.filter(entry => entry.variant === name && entry.sample === sample).map(({ token }) => token)
      expect(ours).toEqual(tokens)
    }
  })
})

test('the same seed gives the same continuations, another seed others; a sample draws the same numbers in every variant', async () => {
  const { ids } = await promptOf('gpt2-tiny', 'p0')
  const other = { name: 'twin', splices: [] }
  const job = { model: golden('models', 'gpt2-tiny'), prompt: { ids }, ...readingOf('no_processing'), variants: [clean, other], samples: 2 }
  const hot = { ...greedy, temperature: 2 }
  const idsOf = async (seed: number) =>
    (await generated({ ...job, sampling: hot, seed })).result.continuations.map(({ tokens }) => tokens.map(token => token.id))
  const first = await idsOf(5)
  expect(await idsOf(5)).toEqual(first)
  expect(await idsOf(6)).not.toEqual(first)
  expect(first[2]).toEqual(first[0])
  expect(first[3]).toEqual(first[1])
  expect(first[1]).not.toEqual(first[0])
})

test('a continuation ends at an end-of-text token, the others go on; it ends where the context is full', async () => {
  const { ids } = await promptOf('gpt2-tiny', 'p0')
  const job = { model: golden('models', 'gpt2-tiny'), prompt: { ids }, ...readingOf('no_processing'), samples: 6 }
  const hot = { ...greedy, temperature: 3 }
  const config = z.object({ eos_token_id: z.int(), n_positions: z.int() })
  const { eos_token_id: eos, n_positions: context } = config.parse(
    JSON.parse(await fs.readFile(golden('models', 'gpt2-tiny', 'config.json'), 'utf8'))
  )
  const { result } = await generated({ ...job, sampling: hot, stopAtEos: true, maxNewTokens: 1000 })
  const endings = new Set(result.continuations.map(({ ending }) => ending))
  for (const { tokens, ending } of result.continuations) {
    const at = tokens.findIndex(token => token.id === eos)
    expect(ending === 'eos' ? at : ids.length + tokens.length).toBe(ending === 'eos' ? tokens.length - 1 : context)
  }
  expect(endings.has('eos')).toBe(true)
  const on = await generated({ ...job, sampling: hot, stopAtEos: false, maxNewTokens: 1000 })
  expect(on.result.continuations.every(({ ending }) => ending === 'context')).toBe(true)
})
