/** Sources of one's own in the mirror: whole or not at all, in place of themselves and of nothing else. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { HarvestAbout } from '../../../contract/harvest.ts'
import { type Mirror, openMirror } from '../mirror.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-own-'))
let mirror: Mirror
let mirrors = 0
beforeEach(async () => {
  await mirror?.close()
  mirrors += 1
  mirror = await openMirror(path.join(folder, `mirror-${mirrors}.sqlite`))
})
afterAll(async () => {
  await mirror.close()
  await fs.rm(folder, { recursive: true, force: true })
})

const about: HarvestAbout = {
  model: { name: 'demo', path: '/models/demo' },
  sae: { name: 'sae1', path: '/saes/one', hook: 'blocks.2.hook_resid_post', hookOut: null, features: 3 },
  texts: [{ path: '/texts/a.txt', bytes: 12 }],
  files: 1,
  tokens: 100,
  counted: 98,
  sequences: 2,
  context: 64,
  documents: 'joined',
  countSpecial: false,
  processing: [],
  before: 1,
  after: 0,
  at: '2026-01-02T03:04:05.000Z'
}

/** Writes a source whose features have a maximum each; null for one with a row that is none. */
async function write(maxima: readonly (number | null)[], more: { layer?: string; about?: HarvestAbout; signal?: AbortSignal } = {}) {
  const { layer = '2-own-one', signal, about: made = about } = more
  const file = path.join(folder, 'rows.jsonl')
  const rows = maxima.map((maxActApprox, index) => {
    if (maxActApprox === null) return '{"no": "row"}'
    const activations = [{ tokens: ['a', 'b'], values: [0, maxActApprox], maxValue: maxActApprox, maxValueTokenIndex: 1 }]
    const histogram = { freq_hist_data_bar_heights: [0, 2], freq_hist_data_bar_values: [0.5, 1.5] }
    return JSON.stringify({ modelId: 'demo', layer, index: String(index), maxActApprox, frac_nonzero: 2 / 98, ...histogram, activations })
  })
  await fs.writeFile(file, `${rows.join('\n')}\n`)
  const { size: bytes } = await fs.stat(file)
  return mirror.writeOwnSource({ file, bytes, model: 'demo', layer, about: made }, signal === undefined ? {} : { signal })
}

const known = async () =>
  (await mirror.sources()).map(({ source, statistics, explanations, harvest }) => [source, statistics, explanations, harvest?.tokens])

describe("a source of one's own", () => {
  test('is a source as others, with what it was made of', async () => {
    expect(await write([1, 2, 3])).toEqual({ features: 3 })
    expect(await known()).toEqual([['demo/2-own-one', 3, 0, 100]])
    expect(await mirror.feature('demo/2-own-one', 1)).toMatchObject({
      known: true,
      statistics: {
        maxActivation: 2,
        density: 2 / 98,
        activationHistogram: [
          { value: 0.5, count: 0 },
          { value: 1.5, count: 2 }
        ]
      },
      examples: [{ tokens: ['a', 'b'], values: [0, 2], maxValue: 2, maxValueTokenIndex: 1 }],
      previousIndex: 0,
      nextIndex: 2,
      harvest: about,
      neuronpediaUrl: null
    })
    expect((await mirror.check()).problems).toEqual([])
    expect(await mirror.explanationsOf('demo/2-own-one', [2])).toEqual(
      new Map([[2, { explanations: [], maxActivation: 3, density: 2 / 98 }]])
    )
  })

  test('takes the place of all that it had, and keeps explanations that were imported into it, which densities then narrow', async () => {
    await write([1, 2, 3])
    const file = path.join(folder, 'mine.jsonl')
    await fs.writeFile(file, `${JSON.stringify({ modelId: 'demo', layer: '2-own-one', index: 1, description: 'words about foxes' })}\n`)
    await mirror.importFiles([file])
    await write([5, 6], { about: { ...about, tokens: 200 } })
    expect(await known()).toEqual([['demo/2-own-one', 2, 1, 200]])
    expect((await mirror.feature('demo/2-own-one', 2)).known).toBe(false)
    const search = (from: number) => mirror.search({ query: 'foxes', mode: 'substring', limit: 5, countFor: 100, density: { from } })
    expect((await search(0.02)).hits.map(({ index, density }) => [index, density])).toEqual([[1, 2 / 98]])
    expect((await search(0.03)).hits).toEqual([])
  })

  test('is as it was where its rows are broken, or it is cancelled', async () => {
    await write([1, 2, 3])
    await expect(write([7, 8, null])).rejects.toThrow('rows.jsonl, line 3')
    await expect(write([7, 8], { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'mirror/cancelled' })
    await expect(write([7, null], { layer: '2-own-new' })).rejects.toThrow('line 2')
    expect(await known()).toEqual([['demo/2-own-one', 3, 0, 100]])
    expect((await mirror.feature('demo/2-own-one', 0)).statistics?.maxActivation).toBe(1)
  })

  test('never takes the place of a source that was not harvested', async () => {
    const file = path.join(folder, 'theirs.jsonl')
    await fs.writeFile(file, `${JSON.stringify({ modelId: 'demo', layer: '2-theirs', index: 1, description: 'theirs' })}\n`)
    await mirror.importFiles([file])
    await expect(write([1], { layer: '2-theirs' })).rejects.toMatchObject({ kind: 'harvest/name-taken' })
    expect(await known()).toEqual([['demo/2-theirs', 0, 1, undefined]])
  })

  test('goes with all that it has when it is removed, and its name is free again', async () => {
    await write([1, 2, 3])
    expect(await mirror.remove({ sources: ['demo/2-own-one'], what: 'everything' })).toMatchObject({ statistics: 3 })
    expect(await known()).toEqual([])
    await write([4])
    expect(await known()).toEqual([['demo/2-own-one', 1, 0, 100]])
    expect((await mirror.check()).problems).toEqual([])
  })
})
