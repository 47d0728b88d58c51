/** The hook table and the values behind it equal what TransformerLens and SAELens cached. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { CachedHook, HookStatistics } from '../../../contract/hooks.ts'
import { fromMaybeNumber, type MaybeNumber } from '../../../contract/numbers.ts'
import { readSafetensors } from '../../checkpoint/safetensors.ts'
import { CompiledPlans } from '../compiled.ts'
import { activationOf, type HookState, listHooks, lookThrough } from '../hooks.ts'
import { KeptActivations } from '../kept-activations.ts'
import type { HookJob, InferenceJob } from '../messages.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget, type StageBudget } from '../plan.ts'
import { expectHook, expectValues, golden, goldenProvider, promptOf, readingOf, tensorsOf, type Values } from './golden-data.ts'
import { modelCases } from './model-cases.ts'
import { clean, isTranscoder, membersOf, saeCase, saeIndex, splicesOf } from './sae-cases.ts'

const nothing = async () => undefined
const cacheFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-hooks-'))
afterAll(() => fs.rm(cacheFolder, { recursive: true, force: true }))

function stateOf(budget: StageBudget = defaultBudget, keptBytes = 1e6): HookState {
  return { models: new OpenModels(), plans: new CompiledPlans(), budget, kept: new KeptActivations(keptBytes) }
}

function jobOf(
  job: Pick<InferenceJob, 'model' | 'prompt' | 'variants' | 'processing' | 'layerOrder'> & Partial<InferenceJob>
): InferenceJob {
  return {
    saes: [],
    topK: 10,
    topFeatures: 20,
    metricPositions: 'no-special',
    provider: goldenProvider,
    cacheFolder,
    hooks: 'all',
    ...job
  }
}

/** The statistics of a golden tensor, worked out the plain way. */
function plainStatistics({ data }: Values): HookStatistics {
  const finite = [...data].filter(Number.isFinite)
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length
  const variance = finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (finite.length - 1)
  return {
    mean,
    std: Math.sqrt(variance),
    min: Math.min(...finite),
    max: Math.max(...finite),
    finite: finite.length,
    nan: 0,
    positiveInfinity: 0,
    negativeInfinity: data.filter(value => value === Number.NEGATIVE_INFINITY).length
  }
}

function expectNear(what: string, actual: MaybeNumber, expected: MaybeNumber, tolerance: number): void {
  const difference = Math.abs((fromMaybeNumber(actual) ?? Number.NaN) - (fromMaybeNumber(expected) ?? Number.NaN))
  expect(difference, `${what}: ${actual} for ${expected}`).toBeLessThanOrEqual(tolerance)
}

/** Shape, size, counts and numbers of a row against a golden tensor, within the tolerance of hooks. */
function expectRow(row: CachedHook | undefined, name: string, expected: Values): void {
  const { mean, std, min, max, ...counts } = plainStatistics(expected)
  expect(row, name).toMatchObject({ name, shape: expected.shape, bytes: expected.data.byteLength, statistics: counts })
  expect(row?.axes, name).toHaveLength(expected.shape.length)
  const tolerance = 1e-4 + 1e-3 * Math.max(Math.abs(Number(min)), Math.abs(Number(max)))
  for (const [field, value] of Object.entries({ mean, std, min, max })) {
    expectNear(`${name} ${field}`, row?.statistics[field as 'mean'] ?? null, value, tolerance)
  }
}

/** All of an activation through windows: every plane, not pooled. */
async function valuesOf(hookJob: HookJob, hook: string, state: HookState, difference = false): Promise<Values> {
  const kept = await activationOf(hookJob, hook, state, nothing)
  const everything = { planes: [0, 8192], rows: [0, 8192], columns: [0, 8192] } as const
  const window = lookThrough(kept, {
    byHead: false,
    planes: [...everything.planes],
    rows: [...everything.rows],
    columns: [...everything.columns],
    mostRows: 8192,
    mostColumns: 8192,
    pooling: 'mean',
    difference
  })
  expect([window.rowsPerCell, window.columnsPerCell]).toEqual([1, 1])
  return { shape: kept.hook.shape, data: window.values }
}

describe('clean runs: every hook point of the cache, in its order', () => {
  // Some readings record outputs alone.
  for (const { model, reading, prompt, file, order } of modelCases.filter(each => each.order.length > 0)) {
    test(`${model} ${prompt} ${reading}`, async () => {
      const { ids } = await promptOf(model, prompt)
      const expected = await tensorsOf(golden(file))
      const job = jobOf({ model: golden('models', model), prompt: { ids }, variants: [clean], ...readingOf(reading) })
      const state = stateOf()
      const hookJob = { job, variant: 'clean', against: null }
      const table = await listHooks(hookJob, state, nothing)
      expect(table.hooks.map(({ name }) => name)).toEqual(order)
      expect(table.tokens.map(({ id }) => id)).toEqual(ids)
      const names = [...expected.keys()].filter(name => !name.startsWith('output.'))
      // Further readings record those hook points alone that differ.
      if (reading === 'no_processing' || reading === 'processed') expect(names.sort()).toEqual([...order].sort())
      for (const name of names) {
        const values = expectValues(name, expected.get(name))
        expectRow(
          table.hooks.find(row => row.name === name),
          name,
          values
        )
        if (reading === 'no_processing') expectHook(name, await valuesOf(hookJob, name, state), values)
      }
    })
  }
})

describe("spliced runs: the SAE's own hook points stand in for the one that is replaced", () => {
  for (const entry of saeIndex.saes.filter(candidate => !isTranscoder(candidate))) {
    for (const run of entry.runs ?? []) {
      test(`${entry.id} ${run.prompt} ${run.model_variant}`, async () => {
        const { ids } = await promptOf(entry.model, run.prompt)
        const saes = membersOf(entry)
        const variants = [clean, splicesOf('spliced', saes, false), splicesOf('with-error', saes, true)]
        const job = jobOf({ model: golden('models', entry.model), prompt: { ids }, saes, variants, ...readingOf(run.model_variant) })
        // Small stages, so that hook points of one run come from several.
        const state = stateOf({ parameters: 1000, rows: 9 })
        const hookJob = { job, variant: 'spliced', against: null }
        const table = await listHooks(hookJob, state, nothing)
        expect(table.replaced.map(({ name }) => name)).toEqual(entry.hooks)
        const names = table.hooks.map(({ name }) => name)
        for (const hook of entry.hooks) expect(names).not.toContain(hook)
        expect(names.filter(name => name.endsWith('.hook_sae_error'))).toEqual([])
        const rows = new Map(table.hooks.map(row => [row.name, row]))
        for (const [name, values] of await tensorsOf(golden(run.file))) {
          if (name.startsWith('output.')) continue
          expectRow(rows.get(name), name, values)
          expect(rows.get(name)?.sae).not.toBeNull()
          expectHook(name, await valuesOf(hookJob, name, state), values)
        }

        const withError = await listHooks({ job, variant: 'with-error', against: 'clean' }, state, nothing)
        for (const [name, values] of await tensorsOf(golden(run.file_error_term ?? ''))) {
          if (!name.startsWith('output.'))
            expectRow(
              withError.hooks.find(row => row.name === name),
              name,
              values
            )
        }
        // With the error term nothing downstream changes, and clean has no SAE to compare with.
        for (const { name, sae: of, difference, statistics } of withError.hooks) {
          const largest = Math.max(Math.abs(Number(statistics.min)), Math.abs(Number(statistics.max)))
          if (of !== null) expect(difference, name).toBeNull()
          else expect(fromMaybeNumber(difference?.maxAbsolute ?? null), name).toBeLessThan(1e-4 + 1e-3 * largest)
        }
      })
    }
  }

  for (const { sae, model, model_variant: reading, prompt, error_term: errorTerm, file } of saeIndex.spliced_transcoders) {
    test(`${sae} ${prompt} ${reading}${errorTerm ? ' with the error term' : ''}`, async () => {
      const { ids } = await promptOf(model, prompt)
      const transcoder = saeCase(sae)
      const saes = membersOf(transcoder)
      const variants = [clean, splicesOf('spliced', saes, errorTerm)]
      const job = jobOf({ model: golden('models', model), prompt: { ids }, saes, variants, ...readingOf(reading) })
      const table = await listHooks({ job, variant: 'spliced', against: null }, stateOf(), nothing)
      const [hook = '', hookOut = transcoder.hook_out] = transcoder.hooks
      expect(table.replaced.map(({ name }) => name)).toEqual([hookOut])
      const names = table.hooks.map(({ name }) => name)
      expect([names.includes(hook), names.includes(hookOut ?? '')]).toEqual([true, false])
      for (const [name, values] of await tensorsOf(golden(file))) {
        if (!name.startsWith('output.'))
          expectRow(
            table.hooks.find(row => row.name === name),
            name,
            values
          )
      }
    })
  }
})

describe('differences between variants', () => {
  test.each(['p0', 'p1'])('what an SAE reads after other splices, less what it reads alone: %s', async prompt => {
    const { ids } = await promptOf('gemma2-tiny', prompt)
    const all = membersOf(saeCase('gemma2-tiny.multi_att0_res1_mlp2'))
    const alone = membersOf(saeCase('gemma2-tiny.gemma_scope_mlp_l2'))
    const variants = [splicesOf('all', all, false), splicesOf('alone', alone, false)]
    const job = jobOf({ model: golden('models/gemma2-tiny'), prompt: { ids }, saes: all, variants, ...readingOf('no_processing') })
    const state = stateOf()
    const hookJob = { job, variant: 'all', against: 'alone' }
    const table = await listHooks(hookJob, state, nothing)
    const folder = (id: string) => golden('sae_runs', id, 'no_processing', `${prompt}.safetensors`)
    const ofAll = await tensorsOf(folder('gemma2-tiny.multi_att0_res1_mlp2'))
    const ofAlone = await tensorsOf(folder('gemma2-tiny.gemma_scope_mlp_l2'))
    const compared = [...ofAlone.keys()].filter(name => !name.startsWith('output.'))
    expect(compared.length).toBeGreaterThan(0)
    for (const name of compared) {
      const [x, y] = [ofAll.get(name), ofAlone.get(name)]
      if (x === undefined || y === undefined) throw new Error(`no ${name}`)
      const differences = x.data.map((value, place) => value - (y.data[place] ?? Number.NaN))
      const magnitudes = [...differences].map(Math.abs)
      const row = table.hooks.find(candidate => candidate.name === name)
      const largest = Math.max(...x.data.map(Math.abs))
      const tolerance = 2 * (1e-4 + 1e-3 * largest)
      expectNear(`${name} max`, row?.difference?.maxAbsolute ?? null, Math.max(...magnitudes), tolerance)
      const mean = magnitudes.reduce((sum, value) => sum + value, 0) / magnitudes.length
      expectNear(`${name} mean`, row?.difference?.meanAbsolute ?? null, mean, tolerance)
      expect(mean).toBeGreaterThan(tolerance)
      expect(row?.difference).toMatchObject({ compared: x.data.length, unlike: 0 })
      const shown = await valuesOf(hookJob, name, state, true)
      for (const [place, value] of differences.entries()) expectNear(`${name} ${place}`, shown.data[place] ?? null, value, tolerance)
    }
    expect(table.hooks.find(row => row.name === 'blocks.0.attn.hook_z.hook_sae_input')?.difference).toBeNull()
  })

  test('masked scores are no difference', async () => {
    const { ids } = await promptOf('gemma2-tiny', 'p0')
    const saes = membersOf(saeCase('gemma2-tiny.gemma_scope_res_l1'))
    const variants = [clean, splicesOf('spliced', saes, false)]
    const job = jobOf({ model: golden('models/gemma2-tiny'), prompt: { ids }, saes, variants, ...readingOf('no_processing') })
    const table = await listHooks({ job, variant: 'spliced', against: 'clean' }, stateOf(), nothing)
    const scores = table.hooks.find(row => row.name === 'blocks.3.attn.hook_attn_scores')
    expect(scores?.difference?.unlike).toBe(0)
    expect(scores?.difference?.compared).toBe(scores?.statistics.finite)
    expect(scores?.statistics.negativeInfinity).toBeGreaterThan(0)
    expect(fromMaybeNumber(scores?.difference?.maxAbsolute ?? null)).toBeGreaterThan(0)
    const before = table.hooks.find(row => row.name === 'blocks.1.attn.hook_attn_scores')
    expect(before?.difference).toMatchObject({ meanAbsolute: 0, maxAbsolute: 0 })
  })
})

describe('mistakes', () => {
  const model = golden('models/gemma2-tiny')
  const job = jobOf({ model, prompt: { ids: [2, 5, 7] }, variants: [clean], ...readingOf('no_processing') })

  test('a variant that the run does not have', async () => {
    await expect(listHooks({ job, variant: 'dirty', against: null }, stateOf(), nothing)).rejects.toMatchObject({
      kind: 'hooks/no-such-variant'
    })
    await expect(listHooks({ job, variant: 'clean', against: 'dirty' }, stateOf(), nothing)).rejects.toMatchObject({
      kind: 'hooks/no-such-variant'
    })
  })
  test('a hook point that the variant does not have', async () => {
    await expect(activationOf({ job, variant: 'clean', against: null }, 'blocks.9.hook_z', stateOf(), nothing)).rejects.toMatchObject({
      kind: 'run/no-such-hook',
      field: 'hook'
    })
  })
  test('a difference without another variant', async () => {
    await expect(valuesOf({ job, variant: 'clean', against: null }, 'hook_embed', stateOf(), true)).rejects.toMatchObject({
      kind: 'hooks/no-difference'
    })
  })
  test('weights that hold NaN are counted from where they are on, not averaged away', async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-nan-'))
    try {
      await fs.cp(model, folder, { recursive: true })
      await spoil(folder, 'model.layers.2.mlp.down_proj.weight')
      const table = await listHooks({ job: { ...job, model: folder }, variant: 'clean', against: null }, stateOf(), nothing)
      const spoiled = table.hooks.filter(row => row.statistics.nan > 0).map(row => row.name)
      expect(spoiled[0]).toBe('blocks.2.ln2_post.hook_scale')
      for (const { statistics, bytes } of table.hooks) {
        const { finite, nan, positiveInfinity, negativeInfinity } = statistics
        expect(finite + nan + positiveInfinity + negativeInfinity).toBe(bytes / 4)
        if (finite === 0) expect(statistics).toMatchObject({ mean: null, std: null, min: null, max: null })
      }
    } finally {
      await fs.rm(folder, { recursive: true, force: true })
    }
  })
})

/** Writes a NaN into the first element of a weight. */
async function spoil(folder: string, weight: string): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    if (!name.endsWith('.safetensors')) continue
    const tensor = (await readSafetensors(path.join(folder, name))).tensors.get(weight)
    if (tensor === undefined) continue
    const handle = await fs.open(tensor.file, 'r+')
    await handle.write(new Uint8Array(Float32Array.of(Number.NaN).buffer), 0, 4, tensor.offset)
    await handle.close()
  }
}
