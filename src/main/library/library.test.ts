import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openLibrary } from './library.ts'
import { releaseOf } from './releases.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const golden = path.join(root, 'fixtures/golden')
const demo = path.join(root, 'resources/demo')

let home = ''
beforeEach(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-home-'))
})
afterEach(() => fs.rm(home, { recursive: true, force: true }))

describe('a published SAE is recognised by repository and path', () => {
  const cached = (rest: string) => `/hub/models--google--gemma-scope-2b-pt-res/snapshots/0123/${rest}`
  test('the canonical twin gives its source to the SAE it names, folder or file', async () => {
    for (const file of ['', '/params.npz']) {
      const known = await releaseOf(cached(`layer_20/width_16k/average_l0_71${file}`))
      expect(known).toMatchObject({ release: 'gemma-scope-2b-pt-res', source: 'gemma-2-2b/20-gemmascope-res-16k', averageL0: 71 })
    }
  })
  test('another L0 of the same layer and width has no source', async () => {
    expect(await releaseOf(cached('layer_20/width_16k/average_l0_139'))).toMatchObject({ source: null, averageL0: 139 })
    expect(await releaseOf(path.join(demo, 'saes/demo-scope-res/layer_2/width_1k/average_l0_3'))).toMatchObject({ source: null })
  })
  test('a folder that carries the name of the repository counts as one', async () => {
    const known = await releaseOf('/data/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71')
    expect(known?.source).toBe('gemma-2-2b/20-gemmascope-res-16k')
    expect((await releaseOf(path.join(demo, 'saes/demo-scope-res/layer_1/width_1k/average_l0_15')))?.source).toBe(
      'demo-gemma2-tiny/1-demo-res-1k'
    )
  })
  test('gpt2-small-res-jb brings its processing', async () => {
    const known = await releaseOf('/data/GPT2-Small-SAEs-Reformatted/blocks.8.hook_resid_pre')
    expect(known?.modelFromPretrainedKwargs).toEqual({ center_writing_weights: true })
  })
  test('a path below no known repository is nothing known', async () => {
    expect(await releaseOf('/data/layer_20/width_16k/average_l0_71')).toBeNull()
  })
})

describe('the workspace', () => {
  test('is the demo at first, then what was saved, and the demo again when its model is gone', async () => {
    const library = await openLibrary({ home })
    const first = await library.workspace()
    expect(first).toMatchObject({
      isDemo: true,
      prompt: { text: 'Would you be able to travel through time using a wormhole?', prependBos: true }
    })
    expect(first.saes.map(({ path: sae }) => path.basename(sae))).toEqual(['average_l0_15', 'average_l0_3'])
    const model = path.join(home, 'model')
    await fs.mkdir(model)
    await library.saveWorkspace({ model, saes: [], edited: [], prompt: { ids: [2, 106] }, run: null })
    expect(await library.workspace()).toEqual({ model, saes: [], edited: [], prompt: { ids: [2, 106] }, run: null, isDemo: false })
    await fs.writeFile(path.join(home, 'workspace.json'), JSON.stringify({ model, saes: [], promptText: 'Hi' }))
    expect(await library.workspace()).toEqual({
      ...{ model, saes: [], edited: [], prompt: { text: 'Hi', prependBos: true }, run: null, isDemo: false }
    })
    await fs.rmdir(model)
    expect((await library.workspace()).isDemo).toBe(true)
  })
  test('a state file that is not JSON is set aside and nothing else is lost', async () => {
    await fs.writeFile(path.join(home, 'workspace.json'), '{"model":')
    const library = await openLibrary({ home })
    expect((await library.workspace()).isDemo).toBe(true)
    expect(await fs.readFile(path.join(home, 'workspace.json.corrupt'), 'utf8')).toBe('{"model":')
  })
})

describe('opening', () => {
  test('a model tells its sizes and hook points and is remembered', async () => {
    const library = await openLibrary({ home })
    const summary = await library.openModel(path.join(golden, 'models/gemma2-tiny'))
    expect(summary).toMatchObject({ family: 'gemma2', layers: 4, dModel: 32, vocabulary: 112, dtype: 'F32', hasTokenizer: false })
    expect(summary.hookPoints).toContain('blocks.3.attn.hook_pattern')
    expect((await library.recent()).map(({ kind, name, missing }) => [kind, name, missing])).toEqual([['model', 'gemma2-tiny', false]])
  })
  test('an SAE that fits no hook point names both sides', async () => {
    const library = await openLibrary({ home })
    const model = path.join(demo, 'model')
    const sae = path.join(golden, 'saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13')
    await expect(library.openSae(sae, { model })).rejects.toThrow(
      /average_l0_13.* reads 32 features, but no hook point of demo has as many/
    )
    const own = { model: path.join(golden, 'models/gemma2-tiny') }
    await expect(library.openSae(sae, { ...own, hook: 'blocks.9.hook_resid_post' })).rejects.toThrow(
      /no hook point blocks.9.hook_resid_post/
    )
    const far = path.join(golden, 'hostile/sae_mismatch/layer_99/width_16k/average_l0_10')
    await expect(library.openSae(far, own)).rejects.toThrow(/hook point/)
  })
  test('all SAEs below a folder are found, with their sources', async () => {
    const library = await openLibrary({ home })
    const found = await library.findSaes(path.join(demo, 'saes'), undefined)
    expect(found.map(({ name, source, dSae }) => [name, source, dSae])).toEqual([
      ['blocks.2.attn.hook_z', 'demo-gemma2-tiny/2-demo-att-1k', 1024],
      ['blocks.2.hook_mlp_out', 'demo-gemma2-tiny/2-demo-mlp-1k', 1024],
      ['layer_1/width_1k/average_l0_15', 'demo-gemma2-tiny/1-demo-res-1k', 1024],
      ['layer_2/width_1k/average_l0_3', null, 1024],
      ['layer_2/width_1k/average_l0_15', 'demo-gemma2-tiny/2-demo-res-1k', 1024]
    ])
  })
})

describe('SAEs of every format', () => {
  test('are found where the golden data has them', async () => {
    const { saes } = z
      .object({ saes: z.array(z.object({ path: z.string().optional() })) })
      .parse(JSON.parse(await fs.readFile(path.join(golden, 'index.json'), 'utf8')))
    const found = (await (await openLibrary({ home })).findSaes(path.join(golden, 'saes'), undefined)).map(sae => sae.path)
    for (const { path: named } of saes) {
      if (named === undefined) continue
      const at = path.join(golden, named)
      const places = [at, path.dirname(at), path.dirname(path.dirname(at))]
      expect(
        found.filter(place => places.includes(place)),
        named
      ).toHaveLength(1)
    }
  })

  /** A copy of a golden SAE under the name of a repository of the table. */
  async function published(from: string, repository: string): Promise<string> {
    const place = path.join(home, repository)
    await fs.cp(path.join(golden, 'saes', from), place, { recursive: true })
    return place
  }

  test('take from their release the factor that none of their files says', async () => {
    const within = '800M-Slimpajama-0-OpenR1-Math-220k/L1R'
    const library = await openLibrary({ home })
    const unknown = await library.openSae(path.join(golden, 'saes/fnlp/Llama-Scope-R1-Distill-tiny', within), {})
    expect(unknown.normFactor).toBeNull()
    const place = await published(`fnlp/Llama-Scope-R1-Distill-tiny/${within}`, `Llama-Scope-R1-Distill/${within}`)
    expect((await library.openSae(place, {})).normFactor).toEqual({ value: 37.07457226753229, from: 'release' })
    expect((await library.openSae(place, { normFactor: 2 })).normFactor).toEqual({ value: 2, from: 'chosen' })
  })
  test('take from their release the normalisation that it says', async () => {
    const known = await releaseOf('/data/Mistral-7B-Residual-Stream-SAEs/mistral_7b_layer_8')
    expect(known?.configOverrides).toEqual({ normalize_activations: 'constant_norm_rescale' })
    const place = await published('saelens_mid/mistral_standard', 'Mistral-7B-Residual-Stream-SAEs/mistral_7b_layer_8')
    expect((await (await openLibrary({ home })).openSae(place, {})).normalisation).toBe('constant_norm_rescale')
  })
})

describe('looking around', () => {
  test('folders say what they hold', async () => {
    const library = await openLibrary({ home })
    const listing = await library.browse(demo)
    expect(listing.entries.map(({ name, kind }) => [name, kind])).toEqual([
      ['explanations', 'folder'],
      ['features', 'folder'],
      ['model', 'model'],
      ['saes', 'folder'],
      ['README.md', 'unknown'],
      ['reference.json', 'explanations'],
      ['report.json', 'explanations']
    ])
    await expect(library.browse(path.join(home, 'nowhere'))).rejects.toThrow(/nowhere does not exist/)
    expect(await library.identify(path.join(demo, 'model'))).toMatchObject({ kind: 'model' })
    const bulk = path.join(home, 'bulk/v1/m/0-x/explanations')
    await fs.mkdir(bulk, { recursive: true })
    expect(await library.identify(path.join(home, 'bulk'))).toMatchObject({ kind: 'folder' })
    await fs.writeFile(path.join(bulk, 'batch-0.jsonl'), '')
    expect(await library.identify(path.join(home, 'bulk'))).toMatchObject({ kind: 'explanations' })
    await fs.writeFile(path.join(home, 'bulk/rows.csv.gz'), '')
    expect(await library.identify(path.join(home, 'bulk/rows.csv.gz'))).toMatchObject({ kind: 'explanations' })
    await expect(library.identify(path.join(home, 'nowhere'))).rejects.toThrow(/does not exist/)
  })
})
