/** The logit lens and what weights say, as clients ask for them: by the contract, with progress, cancelled, over broken weights. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LensRequest, lensRequest } from '../../contract/logit-lens.ts'
import { fromMaybeNumber } from '../../contract/numbers.ts'
import { readSafetensors } from '../checkpoint/safetensors.ts'
import { expectValues, golden, logSoftmax, promptOf, tensorsOf } from '../inference/golden/golden-data.ts'
import { createEngine, type Engine } from './engine.ts'

let home: string
let engine: Engine

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-lens-'))
  engine = await createEngine({ home })
})
afterAll(async () => {
  await engine?.close()
  await fs.rm(home, { recursive: true, force: true })
})

async function requestOf(model: string, prompt: string): Promise<LensRequest> {
  const { ids } = await promptOf(model, prompt)
  const run = { model: golden('models', model), prompt: { ids }, variants: [{ name: 'clean', splices: [] }] }
  return lensRequest.parse({ run: { ...run, processing: 'all' } })
}

/** The result of a stream, and how many events of progress came before it. */
async function lensOf(request: LensRequest) {
  let heard = 0
  for await (const event of await engine.client.runs.logitLens(request)) {
    if (event.type === 'result') return { lens: event.result, heard }
    heard += 1
  }
  throw new Error('no result')
}

describe('the lens', () => {
  test('has the golden log-probs of every layer, after progress, whatever else is kept', async () => {
    const { lens, heard } = await lensOf(await requestOf('llama-tiny', 'p1'))
    expect(heard).toBeGreaterThan(2)
    expect(lens).toMatchObject({ processing: expect.arrayContaining(['fold_ln']), processingFrom: 'chosen', softCap: null })
    const expected = expectValues(
      'logits',
      (await tensorsOf(golden('logit_lens/llama-tiny__processed__p1.safetensors'))).get('logit_lens.logits')
    )
    const logProbs = logSoftmax(expected).data
    const [layers = 0, positions = 0, vocabulary = 0] = expected.shape
    expect(lens.variants[0]?.layers.length).toBe(layers)
    for (const [layer, { topK }] of (lens.variants[0]?.layers ?? []).entries()) {
      for (const [position, top] of topK.entries()) {
        for (const { id, logProb } of top) {
          const theirs = logProbs[(layer * positions + position) * vocabulary + id] ?? Number.NaN
          expect(Math.abs((fromMaybeNumber(logProb) ?? Number.NaN) - theirs)).toBeLessThanOrEqual(5e-4)
        }
      }
    }
    expect((await engine.client.history.list({})).runs).toEqual([])
  })

  test('that is cancelled ends as cancelled, and the next one comes', async () => {
    const request = await requestOf('gemma2-tiny', 'p0')
    const abort = new AbortController()
    const cancelled = (async () => {
      for await (const event of await engine.client.runs.logitLens(request, { signal: abort.signal })) {
        if (event.type === 'progress') abort.abort()
      }
    })()
    await expect(cancelled).rejects.toBeDefined()
    expect((await lensOf(request)).lens.variants[0]?.layers.length).toBe(5)
  })

  test('tells layers behind weights that are no numbers from those before', async () => {
    const request = await requestOf('llama-tiny', 'p1')
    const model = path.join(home, 'broken')
    await fs.cp(request.run.model, model, { recursive: true })
    const file = path.join(model, 'model.safetensors')
    const tensor = (await readSafetensors(file)).tensors.get('model.layers.1.mlp.down_proj.weight')
    if (tensor === undefined) throw new Error('there is no such tensor')
    const handle = await fs.open(file, 'r+')
    await handle.write(new Uint8Array(Float32Array.of(Number.NaN).buffer), 0, 4, tensor.offset)
    await handle.close()
    const [variant] = (await lensOf({ ...request, run: { ...request.run, model } })).lens.variants
    const [first, second, final] = variant?.layers ?? []
    expect(first?.topK.every(top => top.length === 10)).toBe(true)
    expect(second?.actual.ranks[0]).not.toBeNull()
    expect(final?.topK.every(top => top.length === 0)).toBe(true)
    expect(final?.actual.ranks.every(rank => rank === null)).toBe(true)
    expect(variant?.final.every(token => token === null)).toBe(true)
    expect(second?.klToFinal.every(value => value === 'NaN')).toBe(true)
  })
})

test('what a feature fired on comes from the runs that are kept, once a prompt, the strongest first', async () => {
  const { ids } = await promptOf('gemma2-tiny', 'p0')
  const sae = { name: 'res', path: golden('saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13') }
  const run = {
    model: golden('models/gemma2-tiny'),
    saes: [sae],
    prompt: { ids },
    variants: [{ name: 'clean', splices: [] }],
    topFeatures: 128
  }
  let feature = -1
  let strongest: number[] = []
  for (const _ of [1, 2]) {
    for await (const event of await engine.client.runs.run(run)) {
      if (event.type !== 'result') continue
      const lists = event.result.saes[0]?.byVariant.clean?.features ?? []
      feature = lists.at(-1)?.[0]?.index ?? -1
      strongest = lists.flatMap(list => list.filter(({ index }) => index === feature).map(({ activation }) => Number(activation)))
    }
  }
  const { firings, runs } = await engine.client.features.firings({ path: sae.path, source: null, feature, limit: 100 })
  expect(runs).toBe(2)
  expect(firings.map(({ activation }) => activation)).toEqual(strongest.sort((a, b) => b - a))
  for (const { tokens, at, position } of firings) expect(tokens[at]?.id).toBe(ids[position])
  expect((await engine.client.features.firings({ path: '/elsewhere', source: null, feature })).firings).toEqual([])
})
