/** A run that is cut into stages gives the numbers of one that is not, whatever SAEs it has. */
import { describe, expect, test } from 'vitest'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import { CompiledPlans } from '../compiled.ts'
import { harvestPass } from '../harvest.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget } from '../plan.ts'
import {
  expectClose,
  expectHook,
  expectOutputs,
  expectValues,
  golden,
  goldenProvider,
  promptOf,
  readingOf,
  runAndSave,
  tensorsOf,
  variantOf
} from './golden-data.ts'
import { clean, membersOf, saeCase, splicesOf } from './sae-cases.ts'

/** One block a stage, seven pieces of the vocabulary, three positions at a time. */
const manyStages = { parameters: 1000, rows: 9 }

describe('a run cut into many stages gives the same numbers', () => {
  test('with three SAEs', async () => {
    const { ids, variants } = await promptOf('gemma2-tiny', 'p0')
    const saes = membersOf(saeCase('gemma2-tiny.multi_att0_res1_mlp2'))
    const job = {
      model: golden('models', 'gemma2-tiny'),
      prompt: { ids },
      saes,
      variants: [clean, splicesOf('spliced', saes, false), splicesOf('with-error', saes, true)],
      ...readingOf('no_processing')
    }
    const { result, saved } = await runAndSave(job, manyStages)
    const expected = await tensorsOf(golden('runs', 'gemma2-tiny', 'p0', variants.no_processing?.file ?? ''))
    const ours = variantOf(saved, 'clean')
    for (const [name, values] of expected) if (!name.startsWith('output.')) expectHook(name, ours.get(name), values)
    expectOutputs(result, 'clean', ours.get('logits'), expected, ids)

    const spliced = await tensorsOf(golden('sae_runs/gemma2-tiny.multi_att0_res1_mlp2/no_processing/p0.safetensors'))
    expectOutputs(result, 'spliced', variantOf(saved, 'spliced').get('logits'), spliced, ids)

    const whole = await runAndSave(job)
    for (const [variant, reading] of Object.entries(whole.result.saes[0]?.byVariant ?? {})) {
      const cut = result.saes[0]?.byVariant[variant]
      expect(cut?.features.map(features => features.map(({ index }) => index))).toEqual(
        reading.features.map(features => features.map(({ index }) => index))
      )
    }
    const divergences = (from: typeof result) => from.comparison.flatMap(({ klDivergence }) => klDivergence.map(fromMaybeNumber))
    for (const [place, value] of divergences(whole.result).entries()) {
      expect(Math.abs((divergences(result)[place] ?? Number.NaN) - (value ?? 0))).toBeLessThanOrEqual(1e-5)
    }
  })

  test('of which a harvest runs those that its SAEs are in', async () => {
    const { ids } = await promptOf('gemma2-tiny', 'p0')
    const saes = membersOf(saeCase('gemma2-tiny.gemma_scope_att_l0'))
    const job = {
      model: golden('models', 'gemma2-tiny'),
      saes,
      ...readingOf('no_processing'),
      provider: goldenProvider,
      cacheFolder: '/nonexistent',
      ids: Int32Array.from(ids),
      length: ids.length,
      counted: new Uint8Array(ids.length).fill(1)
    }
    const passes = [manyStages, defaultBudget].map(async budget => {
      const stages = new Set<string>()
      const pass = await harvestPass(job, { models: new OpenModels(), plans: new CompiledPlans(), budget }, async label => {
        stages.add(label)
      })
      return { stages: [...stages], ...pass }
    })
    const [cut, whole] = await Promise.all(passes)
    expect(cut?.stages).toEqual(['opening embed', 'embed'])
    expect(cut?.saes[0]?.places.length).toBeGreaterThan(0)
    expect(cut?.saes[0]?.places).toEqual(whole?.saes[0]?.places)
    expectClose(
      'activations',
      { shape: [], data: cut?.saes[0]?.values ?? new Float32Array() },
      { shape: [], data: whole?.saes[0]?.values ?? new Float32Array() },
      1e-5,
      1e-5
    )
  })

  test('with a transcoder', async () => {
    const { ids } = await promptOf('gemma2-tiny', 'p0')
    const saes = membersOf(saeCase('gemma2-tiny.gemma_scope_transcoder_l1'))
    const variants = [clean, splicesOf('spliced', saes, false)]
    const job = { model: golden('models', 'gemma2-tiny'), prompt: { ids }, saes, variants, ...readingOf('no_processing') }
    const { result, saved } = await runAndSave(job, manyStages)
    const expected = await tensorsOf(golden('sae_runs/gemma2-tiny.gemma_scope_transcoder_l1/no_processing/p0.safetensors'))
    expectOutputs(result, 'spliced', variantOf(saved, 'spliced').get('logits'), expected, ids)
  })

  test('with a transcoder that writes two blocks behind the one it reads', async () => {
    const { ids } = await promptOf('gemma2-tiny', 'p0')
    const saes = membersOf(saeCase('gemma2-tiny.gemma_scope_transcoder_l1')).map(sae => ({ ...sae, hookOut: 'blocks.3.hook_mlp_out' }))
    const variants = [clean, splicesOf('spliced', saes, false)]
    const job = { model: golden('models', 'gemma2-tiny'), prompt: { ids }, saes, variants, ...readingOf('no_processing') }
    const cut = variantOf((await runAndSave(job, manyStages)).saved, 'spliced')
    const whole = variantOf((await runAndSave(job)).saved, 'spliced')
    expect([...cut.keys()]).toEqual([...whole.keys()])
    for (const [name, values] of whole) expectClose(name, cut.get(name), values, 1e-5, 1e-5)
    // What it gives is what it gives at its own place: only the place differs.
    const expected = await tensorsOf(golden('sae_runs/gemma2-tiny.gemma_scope_transcoder_l1/no_processing/p0.safetensors'))
    expectHook('output', cut.get('transcoder.output'), expectValues('output', expected.get('transcoder.output')))
  })
})
