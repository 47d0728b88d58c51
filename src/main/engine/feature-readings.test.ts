/** Every active feature of an SAE, as a window asks for them: compared with what SAELens cached, and with what runs list. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createRouterClient } from '@orpc/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FeatureReading, mostEntries } from '../../contract/feature-readings.ts'
import { type RunRequest, type RunResult, runRequest } from '../../contract/run.ts'
import { golden, promptOf, tensorsOf } from '../inference/golden/golden-data.ts'
import { saeCase } from '../inference/golden/sae-cases.ts'
import { createEngine, type Engine } from './engine.ts'

const hook = 'blocks.1.hook_resid_post.hook_sae_acts_post'
const sae = { name: 'res', path: golden('saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13') }
let home: string
let engine: Engine
let run: RunRequest

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-features-'))
  engine = await createEngine({ home })
  const { ids } = await promptOf('gemma2-tiny', 'p0')
  run = runRequest.parse({
    model: golden('models/gemma2-tiny'),
    saes: [sae, { ...sae, name: 'other' }],
    prompt: { ids },
    variants: [
      { name: 'clean', splices: [] },
      { name: 'spliced', splices: [{ sae: 'res' }] },
      { name: 'other spliced', splices: [{ sae: 'other', errorTerm: true }] }
    ],
    processing: 'none',
    layerOrder: 'transformer-lens'
  })
})
afterAll(async () => {
  await engine?.close()
  await fs.rm(home, { recursive: true, force: true })
})

const client = () => createRouterClient(engine.router)

type Sparse = { starts: number[]; features: number[]; activations: number[] }

/** A reading with its values, which are fetched while it is held. */
async function read(request: RunRequest, name: string): Promise<{ reading: FeatureReading; values: Map<string, Sparse> }> {
  for await (const event of await client().runs.readFeatures({ run: request, sae: name })) {
    if (event.type === 'progress') continue
    const { reading } = event
    const values = new Map<string, Sparse>()
    for (const { variant } of reading.variants) {
      const { starts, features, activations } = await client().runs.activeFeatures({ id: reading.id, variant })
      values.set(variant, {
        starts: [...new Int32Array(await starts.arrayBuffer())],
        features: [...new Int32Array(await features.arrayBuffer())],
        activations: [...new Float32Array(await activations.arrayBuffer())]
      })
    }
    return { reading, values }
  }
  throw new Error('no reading')
}

/** [position, feature] to activation, of a dense matrix. */
function activeOf(data: ArrayLike<number>, width: number): Map<string, number> {
  return new Map(
    [...Array.from(data).entries()]
      .filter(([, value]) => value > 0)
      .map(([at, value]) => [`${Math.floor(at / width)} ${at % width}`, value])
  )
}

function entriesOf({ starts, features, activations }: Sparse): Map<string, number> {
  return new Map(
    starts
      .slice(1)
      .flatMap((end, position) =>
        features
          .slice(starts[position], end)
          .map((feature, entry) => [`${position} ${feature}`, activations[(starts[position] ?? 0) + entry] ?? Number.NaN] as const)
      )
  )
}

test('all active features at every position are those that SAELens cached', async () => {
  const file =
    saeCase('gemma2-tiny.gemma_scope_res_l1').runs?.find(each => each.prompt === 'p0' && each.model_variant === 'no_processing')?.file ?? ''
  const expected = activeOf((await tensorsOf(golden(file))).get(hook)?.data ?? [], 128)
  expect(expected.size).toBeGreaterThan(50)
  const { reading, values } = await read(run, 'res')
  expect(reading).toMatchObject({ sae: 'res', dSae: 128, perPosition: 128 })
  for (const variant of ['clean', 'spliced']) {
    const found = entriesOf(values.get(variant) as Sparse)
    expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [key, value] of expected) expect(Math.abs((found.get(key) ?? Number.NaN) - value), key).toBeLessThan(1e-3)
    const summary = reading.variants.find(each => each.variant === variant)
    expect(summary).toMatchObject({ held: expected.size, leftOut: 0 })
    expect(summary?.active.reduce((sum, count) => sum + count, 0)).toBe(expected.size)
  }
})

test('the strongest ones are those that the run lists, in its order, and the run counts the same', async () => {
  const { reading, values } = await read(run, 'res')
  let result: RunResult | null = null
  for await (const event of await client().runs.run({ ...run, topFeatures: 3 })) if (event.type === 'result') result = event.result
  for (const { variant, active } of reading.variants) {
    const listed = result?.saes[0]?.byVariant[variant]
    const { starts, features } = values.get(variant) as Sparse
    expect(listed?.active).toEqual(active)
    expect(listed?.features.map(list => list.map(({ index }) => index))).toEqual(
      active.map((count, at) => features.slice(starts[at], (starts[at] ?? 0) + Math.min(3, count)))
    )
  }
})

test('a long prompt holds the strongest ones and says how many are left out', async () => {
  const rows = 4096
  const many = Array.from({ length: rows }, (_, at) => ({ name: `v${at}`, splices: [] }))
  const { reading } = await read({ ...run, saes: [sae], variants: many }, 'res')
  expect(reading.perPosition).toBeLessThanOrEqual(mostEntries / rows / 17)
  expect(reading.perPosition).toBeLessThan(128)
  const first = reading.variants[0]
  const total = first?.active.reduce((sum, count) => sum + count, 0) ?? 0
  const held = first?.active.reduce((sum, count) => sum + Math.min(count, reading.perPosition), 0)
  expect(first?.held).toBe(held)
  expect(first?.leftOut).toBe(total - (held ?? 0))
})

test('what is not there is refused by its name, and values go when the stream ends', async () => {
  await expect(read(run, 'nobody')).rejects.toMatchObject({ data: { kind: 'features/no-such-sae', field: 'sae' } })
  const { reading } = await read(run, 'res')
  await expect(client().runs.activeFeatures({ id: reading.id, variant: 'clean' })).rejects.toMatchObject({
    data: { kind: 'features/not-held' }
  })
})
