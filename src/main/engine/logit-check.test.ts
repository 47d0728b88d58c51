/** The mirror's top logits held to those of an SAE: the demo's own, and rows that say something else. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EffectsCheck, EffectsCheckRequest } from '../../contract/logit-effects.ts'
import { createEngine, type Engine } from './engine.ts'
import { compareLists, verdictOf } from './logit-check.ts'

const demo = path.resolve('resources/demo')
const sae = { path: path.join(demo, 'saes/demo-scope-res/layer_2/width_1k/average_l0_15') }
const model = path.join(demo, 'model')
let home = ''
let engine: Engine

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-check-'))
  engine = await createEngine({ home, importDemo: true })
  await engine.demoImported
  const file = path.join(home, 'wrong.jsonl')
  const rows = Array.from({ length: 40 }, (_, index) => ({
    modelId: 'other',
    layer: '2-wrong',
    index: 3 * index,
    maxActApprox: 1,
    pos_str: index % 4 === 3 ? [] : Array.from({ length: 10 }, (_, at) => `nothing${at}`),
    pos_values: index % 4 === 3 ? [] : Array.from({ length: 10 }, (_, at) => 10 - at)
  }))
  await fs.writeFile(file, rows.map(row => JSON.stringify(row)).join('\n'))
  for await (const _ of await engine.client.explanations.importFiles({ paths: [file] }));
})
afterAll(async () => {
  await engine?.close()
  await fs.rm(home, { recursive: true, force: true })
})

async function checkOf(request: Omit<EffectsCheckRequest, 'features' | 'sample'> & Partial<EffectsCheckRequest>): Promise<EffectsCheck> {
  for await (const event of await engine.client.explanations.checkLogits(request)) if (event.type === 'result') return event.check
  throw new Error('there was no result')
}

describe('the check', () => {
  test("agrees where the rows were made from the SAE, and has each feature's own lists", async () => {
    const check = await checkOf({ source: 'demo-gemma2-tiny/2-demo-res-1k', sae, model, features: [656], sample: 12 })
    expect(check).toMatchObject({ verdict: 'agrees', sae: sae.path, model })
    expect(check.features).toHaveLength(12)
    const [first] = check.features
    expect(first?.feature).toBe(656)
    const page = await engine.client.explanations.feature({ source: 'demo-gemma2-tiny/2-demo-res-1k', index: 656 })
    const mirrored = page.statistics?.topLogits.map(({ token }) => token.trim()) ?? []
    expect(mirrored.length).toBeGreaterThan(5)
    expect(first?.top.slice(0, mirrored.length).map(({ text }) => text.trim())).toEqual(mirrored)
    // The demo's rows have the mean over the vocabulary taken out, as no Gemma-2 of TransformerLens has: it is the same for every token.
    const steps = (values: readonly number[]) => values.map(value => value - (values[0] ?? 0))
    const own = steps(first?.top.slice(0, mirrored.length).map(({ value }) => value) ?? [])
    const theirs = steps(page.statistics?.topLogits.map(({ value }) => value) ?? [])
    for (const [at, value] of own.entries()) expect(value).toBeCloseTo(theirs[at] ?? Number.NaN, 2)
  })

  test('disagrees where the rows are of something else, over a sample that spans the source and leaves out what has no logits', async () => {
    const check = await checkOf({ source: 'other/2-wrong', sae, model, sample: 8 })
    expect(check.verdict).toBe('disagrees')
    expect(check.reason).toMatch(/^0 of 8 features/)
    const indices = check.features.map(({ feature }) => feature)
    expect(Math.max(...indices) - Math.min(...indices)).toBeGreaterThan(80)
    expect(indices.filter(index => (index / 3) % 4 === 3)).toEqual([])
  })

  test('says why where there is nothing to compare', async () => {
    expect(await checkOf({ source: 'other/3-unknown', sae, model })).toMatchObject({
      verdict: 'none',
      reason: expect.stringMatching(/no logits/)
    })
    expect(await checkOf({ source: 'other/2-wrong' })).toMatchObject({ verdict: 'none', reason: expect.stringMatching(/on this disk/) })
  })
})

describe('the judgement', () => {
  const effects = (texts: string[]) => ({ feature: 1, top: texts.map((text, id) => ({ id, text, value: 1 })), bottom: [] })

  test('takes texts without the spaces that tokenizers mark in their own ways', () => {
    expect(compareLists({ feature: 1, top: ['▁time', 'Ġspace', 'way', 'x'] }, effects([' time', 'space', '▁way', 'y']))).toMatchObject({
      shared: 3,
      of: 4,
      agrees: true
    })
    expect(compareLists({ feature: 1, top: ['a', 'b', 'c'] }, effects(['a', 'y', 'z']))).toMatchObject({ shared: 1, agrees: false })
  })

  test('needs most features to agree, and half of them not to disagree', () => {
    const of = (agreeing: number, all: number) => verdictOf(Array.from({ length: all }, (_, at) => ({ agrees: at < agreeing })))
    expect([of(10, 10), of(8, 10), of(7, 10), of(5, 10), of(4, 10), of(0, 10)]).toEqual([
      'agrees',
      'agrees',
      'unsure',
      'unsure',
      'disagrees',
      'disagrees'
    ])
  })
})
