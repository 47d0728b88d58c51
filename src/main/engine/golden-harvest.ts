/** Harvests of golden prompts for tests, held to the peers' activations of every feature. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { expect } from 'vitest'
import { golden, promptOf, readingOf, tensorsOf } from '../inference/golden/golden-files.ts'
import { membersOf, saeCase, saeIndex } from '../inference/golden/sae-cases.ts'
import { harvestHere, rowOf } from './harvest-fixture.ts'

/** The SAEs and transcoders of the golden data with activations of their own. */
export const goldenHarvests = saeIndex.saes.filter(({ runs, members }) => (runs?.length ?? 0) > 0 && members === undefined)

/** Harvests the first prompt of a case, and compares density, maximum, histogram and examples of every feature. */
export async function expectGoldenHarvest(id: string, folder: string): Promise<void> {
  const entry = saeCase(id)
  const [sae] = membersOf(entry)
  const run = entry.runs?.[0]
  if (sae === undefined || run === undefined) throw new Error(`${id} has no run`)
  const { ids } = await promptOf(entry.model, run.prompt)
  const tensors = await tensorsOf(golden(run.file))
  const [, acts] = [...tensors].find(([name]) => name.endsWith('hook_sae_acts_post')) ?? []
  if (acts === undefined) throw new Error(`${run.file} has no activations`)
  const features = acts.shape.at(-1) ?? 0
  const file = path.join(folder, `${id}.json`)
  await fs.writeFile(file, JSON.stringify([ids]))
  const request = {
    model: golden('models', entry.model),
    saes: [sae],
    texts: [file],
    tokens: 1000,
    countSpecial: true,
    before: 3,
    after: 2,
    ...readingOf(run.model_variant)
  }
  const { result, written } = await harvestHere(path.join(folder, `home-${id}`), request)
  expect([result.tokens, result.counted, result.sequences, result.textEnded]).toEqual([ids.length, ids.length, 1, true])
  const source = result.saes[0]?.source ?? ''
  expect(written.get(source)?.length).toBe(features)
  for (let feature = 0; feature < features; feature++) {
    const expected = ids.map((_, position) => acts.data[position * features + feature] ?? 0)
    const row = rowOf(written, source, feature)
    const fired = expected.filter(value => value > 0)
    const tolerance = 1e-4 + 1e-3 * Math.max(0, ...acts.data)
    expect(row.frac_nonzero, `density of ${feature}`).toBe(fired.length / ids.length)
    expect(Math.abs(row.maxActApprox - Math.max(0, ...fired)), `maximum of ${feature}`).toBeLessThanOrEqual(tolerance)
    expect(row.freq_hist_data_bar_heights.reduce((sum, count) => sum + count, 0)).toBe(fired.length)
    if (fired.length === 0) expect(row.activations).toEqual([])
    else expect(row.activations[0]?.maxValue).toBe(row.maxActApprox)
    for (const example of row.activations) {
      // Where its tokens stand in the prompt, the golden activations stand too.
      const tokens = (at: number) => ids.slice(at, at + example.tokens.length).map(token => `[${token}]`)
      const start = ids.findIndex((_, at) => {
        const values = expected.slice(at, at + example.values.length)
        const isSame = tokens(at).join() === example.tokens.join()
        return isSame && values.every((value, place) => Math.abs(value - (example.values[place] ?? 0)) <= tolerance)
      })
      expect(start, `an example of ${feature}`).not.toBe(-1)
      expect(example.values[example.maxValueTokenIndex]).toBe(example.maxValue)
    }
  }
}
