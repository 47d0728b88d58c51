/** Which published SAE a path is, what its names say, its traps, and reading SAELens's own table. */
import fs from 'node:fs/promises'
import { createServer } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { readCatalogue } from './catalogue.ts'
import { resetCatalogue, updateCatalogue } from './catalogue-update.ts'
import { findInstalledCatalogues } from './installed-sae-lens.ts'
import { familyOf, placeSae } from './placement.ts'
import { readPretrainedSaes } from './pretrained-saes.ts'
import { findPublished, listPublished, listReleases } from './published.ts'
import { releaseIndex, releaseOf, useCatalogue } from './releases.ts'
import { sourceTrapsOf, trapsAt } from './traps.ts'

const cached = (repo: string, within: string) => `/hub/models--${repo.replace('/', '--')}/snapshots/0123/${within}`
const nothingHere = { diskPaths: new Map(), explanations: new Map() }

let folder = ''
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-catalogue-'))
  useCatalogue(null)
})
afterEach(() => fs.rm(folder, { recursive: true, force: true }))

describe('what is known of an SAE by repository and path', () => {
  test('a transcoder, a single file, and a file inside its folder', async () => {
    expect(await releaseOf(cached('mwhanna/qwen3-4b-transcoders', 'layer_7.safetensors'))).toMatchObject({
      release: 'mwhanna-qwen3-4b-transcoders',
      saeId: 'layer_7',
      source: 'qwen3-4b/7-transcoder-hp'
    })
    expect(await releaseOf(cached('fnlp/Llama3_1-8B-Base-LXR-8x', 'Llama3_1-8B-Base-L3R-8x/checkpoints/final.safetensors'))).toMatchObject({
      saeId: 'l3r_8x',
      source: 'llama3.1-8b/3-llamascope-res-32k',
      normScalingFactor: expect.closeTo(20.4, 0)
    })
  })
  test('what the release puts into the config comes along', async () => {
    const known = await releaseOf(cached('JoshEngels/Mistral-7B-Residual-Stream-SAEs', 'mistral_7b_layer_8'))
    expect(known?.configOverrides).toEqual({ normalize_activations: 'constant_norm_rescale' })
    expect(known).toMatchObject({ averageL0: 92, varianceExplained: 0.94, format: 'sae_lens' })
  })
  test("one repository's folder inside another's: the inner one counts", async () => {
    const inner = await releaseOf('/gemma-scope-2b-pt-mlp/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71')
    expect(inner?.repo).toBe('google/gemma-scope-2b-pt-res')
  })
})

describe('names', () => {
  test('say site and layer of every published SAE', async () => {
    const { releases } = await readCatalogue(null)
    const unplaced = releases.flatMap(release =>
      release.saes
        .map(sae => ({ sae, placed: placeSae({ release: release.release, repo: release.repo, ...sae }) }))
        .filter(({ placed }) => placed.site === 'other' || placed.layer === null)
        .map(({ sae }) => `${release.release} ${sae.id}`)
    )
    expect(unplaced).toEqual([])
  })
  test.each([
    ['gemma-scope-2b-pt-res', 'layer_20/width_16k/average_l0_71', null, { site: 'res', layer: 20, width: '16k', variant: 'L0 71' }],
    ['gemma-scope-2b-pt-res', 'embedding/width_4k/average_l0_6', null, { site: 'res', layer: -1, width: '4k', variant: 'L0 6' }],
    ['gpt2-small-hook-z-kk', 'blocks.11.hook_z', 'gpt2-small/11-att-kk', { site: 'att', layer: 11, width: null }],
    ['llama_scope_lxm_32x', 'l31m_32x', 'llama3.1-8b/31-llamascope-mlp-131k', { site: 'mlp', layer: 31, width: '131k' }],
    ['gpt2-small-res-jb-feature-splitting', 'blocks.8.hook_resid_pre_98304', null, { site: 'res', layer: 8, width: '98304' }],
    [
      'sae_bench_x_topk_width-2pow14_date-1109',
      'blocks.5.hook_resid_post__trainer_5_step_46322',
      null,
      { width: '16k', variant: 'trainer 5 step 46322' }
    ],
    [
      'gemma-scope-2-4b-pt-transcoders-all',
      'layer_0_width_262k_l0_big_affine',
      null,
      { site: 'transcoder', layer: 0, width: '262k', variant: 'l0 big affine' }
    ]
  ])('%s %s', (release, id, source, expected) => {
    expect(placeSae({ release, repo: 'x/y', id, path: id, source, averageL0: null })).toMatchObject(expected)
  })
  test('releases of one family belong together', () => {
    for (const site of ['res', 'att-canonical', 'mlp', 'transcoders'])
      expect(familyOf(`gemma-scope-2b-pt-${site}`)).toBe('gemma-scope-2b-pt')
    expect(familyOf('gpt2-small-mlp-out-v5-32k')).toBe(familyOf('gpt2-small-resid-mid-v5-128k'))
    expect(familyOf('sae_bench_gemma-2-2b_topk_width-2pow12_date-1109')).not.toBe(
      familyOf('sae_bench_gemma-2-2b_vanilla_width-2pow12_date-1109')
    )
  })
})

describe('traps', () => {
  const ids = async (file: string) => (await trapsAt(file)).map(trap => trap.id)
  test.each([
    ['jbloom/GPT2-Small-SAEs-Reformatted', 'blocks.8.hook_resid_pre', ['centred-writing-weights']],
    ['google/gemma-scope-2b-pt-att', 'layer_3/width_16k/average_l0_117', ['bos-left-out', 'attention-at-hook-z']],
    ['google/gemma-scope-2b-pt-res', 'layer_20/width_16k/average_l0_71', ['bos-left-out']],
    ['ckkissane/attn-saes-gpt2-small-all-layers', 'gpt2-small_L1_Hcat_z_x.pt', ['attention-at-hook-z']],
    ['google/gemma-scope-2b-pt-transcoders', 'layer_0/width_16k/average_l0_76', ['bos-left-out', 'transcoder-source-on-wrong-tensor']],
    // Not in the table, known by repository and path alone.
    ['google/gemma-scope-2-4b-pt', 'attn_out_all/layer_3_width_16k_l0_small', ['bos-left-out', 'gemma-scope-2-attention']],
    ['google/gemma-scope-2-4b-pt', 'transcoder_all/layer_3_width_16k_l0_small', ['bos-left-out', 'gemma-scope-2-transcoder']],
    ['google/gemma-scope-2-4b-pt', 'resid_post/layer_12_width_65k_l0_medium', ['bos-left-out']],
    ['fnlp/Llama3_1-8B-Base-LXA-8x', 'Llama3_1-8B-Base-L0A-8x', []]
  ])('%s %s', async (repo, within, expected) => {
    expect(await ids(cached(repo, within))).toEqual(expected)
  })
})

describe('sources that are known to be wrong', () => {
  test('are all 26 of the transcoders of Gemma Scope, each with its date, and no neighbour of theirs', async () => {
    const { catalogue } = await releaseIndex()
    const rules = sourceTrapsOf(catalogue.traps)
    const wrong = (source: string) => rules.filter(rule => new RegExp(rule.sources).test(source) && rule.level === 'warning')
    const sources = [...new Set(catalogue.releases.flatMap(release => release.saes.flatMap(sae => sae.source ?? [])))]
    const found = sources.filter(source => wrong(source).length > 0)
    expect(found.sort()).toEqual(Array.from({ length: 26 }, (_, layer) => `gemma-2-2b/${layer}-gemmascope-transcoder-16k`).sort())
    for (const rule of rules) expect(rule.known).toMatch(/^20\d\d-\d\d$/)
    expect(wrong('gemma-2-2b/3-gemmascope-transcoder-16k__l0-8')).toEqual([])
  })
})

describe('what is published', () => {
  test('a path is listed once under all its names, with the source of its canonical one', async () => {
    const saes = await listPublished('gemma-2-2b', {
      diskPaths: new Map([['google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71', '/x']]),
      explanations: new Map([['gemma-2-2b/20-gemmascope-res-16k', 17008]])
    })
    const [sae, ...more] = saes.filter(one => one.site === 'res' && one.layer === 20 && one.width === '16k' && one.variant === 'L0 71')
    expect(more).toEqual([])
    expect(sae).toMatchObject({
      names: [
        { release: 'gemma-scope-2b-pt-res', saeId: 'layer_20/width_16k/average_l0_71' },
        { release: 'gemma-scope-2b-pt-res-canonical', saeId: 'layer_20/width_16k/canonical' }
      ],
      source: 'gemma-2-2b/20-gemmascope-res-16k',
      diskPath: '/x',
      explanations: 17008
    })
    expect(saes.find(one => one.path === 'layer_20/width_16k/average_l0_139')).toMatchObject({
      source: null,
      diskPath: null,
      explanations: 0
    })
    const keys = saes.map(one => `${one.repo}/${one.path ?? one.names[0]?.saeId}`)
    expect(new Set(keys).size).toBe(keys.length)
  })
  test('a model goes by its id on Neuronpedia, its repository, or the name that the release gives', async () => {
    const lengths = await Promise.all(
      ['gpt2-small', 'openai-community/gpt2', 'GPT2'].map(async name => (await listPublished(name, nothingHere)).length)
    )
    expect(lengths[0]).toBeGreaterThan(100)
    expect(new Set(lengths).size).toBe(1)
    await expect(listPublished('gpt-17', nothingHere)).rejects.toMatchObject({
      kind: 'catalogue/unknown-model',
      hint: expect.stringContaining('gemma-2-2b')
    })
  })
  test('every release of the facts is there, with its counts', async () => {
    const { releases, catalogue } = await listReleases(nothingHere)
    expect(catalogue).toMatchObject({ asOf: '2025-10', origin: { kind: 'shipped' }, readAt: null })
    expect(releases.length).toBe(75)
    expect(releases.reduce((sum, release) => sum + release.saes, 0)).toBe(4505)
    const published = releases.filter(release => !release.release.startsWith('demo'))
    expect(published.reduce((sum, release) => sum + release.withSource, 0)).toBe(2190)
    expect(releases.find(release => release.release === 'gemma-scope-2b-pt-res')).toMatchObject({
      modelRepo: 'google/gemma-2-2b',
      saes: 316
    })
  })
  test('names that mean nothing say what there is', async () => {
    expect(await findPublished('gemma-scope-2b-pt-res-canonical', 'layer_20/width_16k/canonical')).toEqual({
      repo: 'google/gemma-scope-2b-pt-res',
      path: 'layer_20/width_16k/average_l0_71'
    })
    await expect(findPublished('gemma-scope-3b', 'x')).rejects.toMatchObject({ kind: 'download/unknown-sae', field: 'release' })
    await expect(findPublished('gpt2-small-res-jb', 'blocks.99.hook_resid_pre')).rejects.toMatchObject({
      field: 'saeId',
      hint: expect.stringContaining('blocks.0.hook_resid_pre')
    })
    await expect(findPublished('mntss-gemma-2-2b-2.5m-clt-as-per-layer', 'layer_0')).rejects.toThrow(/layer of files that hold many/)
  })
})

const current = `
gemma-scope-2-1b-pt-res:
  conversion_func: gemma_3
  model: google/gemma-3-1b-pt
  repo_id: google/gemma-scope-2-1b-pt
  links: {model: https://example.org}
  saes:
  - id: layer_13_width_16k_l0_medium
    path: resid_post/layer_13_width_16k_l0_medium
    l0: 60
    neuronpedia: gemma-3-1b/13-gemmascope-2-res-16k
  - id: plain
    path: plain
    l0: null
clt:
  model: gemma-2-2b
  repo_id: mntss/clt
  conversion_func: null
  saes:
  - {id: layer_0, path: 0}
odd:
  model: x
  saes: []
gpt2-small-res-jb:
  repo_id: jbloom/GPT2-Small-SAEs-Reformatted
  model: gpt2-small
  conversion_func: null
  config_overrides: {model_from_pretrained_kwargs: {center_writing_weights: true}}
  saes:
  - {id: blocks.0.hook_resid_pre, path: blocks.0.hook_resid_pre, variance_explained: 0.9, norm_scaling_factor: 2, unknown_field: [1]}
`

describe("SAELens's pretrained_saes.yaml", () => {
  test('is read, and what cannot be read is named', () => {
    const { releases, skipped } = readPretrainedSaes(current, 'x.yaml')
    expect(releases).toEqual([
      {
        release: 'gemma-scope-2-1b-pt-res',
        repo: 'google/gemma-scope-2-1b-pt',
        model: 'google/gemma-3-1b-pt',
        format: 'gemma_3',
        saes: [
          ['layer_13_width_16k_l0_medium', 'resid_post/layer_13_width_16k_l0_medium', 'gemma-3-1b/13-gemmascope-2-res-16k', 60],
          ['plain']
        ]
      },
      { release: 'clt', repo: 'mntss/clt', model: 'gemma-2-2b', format: 'sae_lens', saes: [['layer_0', false]] },
      {
        release: 'gpt2-small-res-jb',
        repo: 'jbloom/GPT2-Small-SAEs-Reformatted',
        model: 'gpt2-small',
        format: 'sae_lens',
        configOverrides: { model_from_pretrained_kwargs: { center_writing_weights: true } },
        saes: [['blocks.0.hook_resid_pre', null, null, null, 0.9, 2]]
      }
    ])
    expect(skipped).toEqual([{ release: 'odd', why: expect.stringContaining('repo_id') }])
  })
  test('the form before 3.12 is read as well', () => {
    const old =
      'SAE_LOOKUP:\n  a:\n    repo_id: "o/n"\n    model: "m"\n    conversion_func: null\n    saes:\n      - id: "i"\n        path: "p"\n'
    expect(readPretrainedSaes(old, 'x').releases).toEqual([
      { release: 'a', repo: 'o/n', model: 'm', format: 'sae_lens', saes: [['i', 'p']] }
    ])
  })
  test.each([
    ['not yaml', 'a: [1', /is not YAML/],
    ['a list', '- 1', /holds no releases/],
    ['something else', 'name: x\non: push', /holds no release that can be read \(name/],
    ['an alias bomb', `a: &a [1]\n${'b'.repeat(3)}: [${Array.from({ length: 200 }, () => '*a').join(',')}]`, /alias/]
  ])('%s is refused by the name of the file', (_, yaml, message) => {
    expect(() => readPretrainedSaes(yaml, '/tmp/x.yaml')).toThrow(message)
    expect(() => readPretrainedSaes(yaml, '/tmp/x.yaml')).toThrow('/tmp/x.yaml')
  })

  async function installed(root: string): Promise<string> {
    const site = path.join(root, 'lib', 'python3.12', 'site-packages')
    await fs.mkdir(path.join(site, 'sae_lens'), { recursive: true })
    await fs.mkdir(path.join(site, 'sae_lens-6.30.1.dist-info'))
    await fs.writeFile(path.join(site, 'sae_lens', 'pretrained_saes.yaml'), current)
    return path.join(site, 'sae_lens', 'pretrained_saes.yaml')
  }

  test('is found in an environment, in site-packages, in the package, or as the file itself', async () => {
    const yaml = await installed(folder)
    for (const named of [folder, path.join(folder, 'lib/python3.12/site-packages'), path.dirname(yaml), yaml]) {
      expect(await findInstalledCatalogues(named)).toEqual([
        { path: await fs.realpath(yaml), version: '6.30.1', modifiedAt: expect.any(Number) }
      ])
    }
    const project = path.join(folder, 'project')
    await installed(path.join(project, '.venv'))
    expect(await findInstalledCatalogues(project)).toHaveLength(1)
    expect(await findInstalledCatalogues(path.join(folder, 'nowhere'))).toEqual([])
  })

  test('takes the place of releases of its names, is kept in the home with its origin, and is dropped again', async () => {
    const home = path.join(folder, 'home')
    const yaml = await installed(folder)
    const state = await updateCatalogue(home, { kind: 'path', path: folder })
    expect(state).toMatchObject({
      origin: { kind: 'installed', from: await fs.realpath(yaml), version: '6.30.1' },
      releases: 77,
      skipped: [{ release: 'odd' }]
    })
    expect(state.asOf).toMatch(/^\d{4}-\d\d-\d\d$/)
    const known = () => releaseOf(cached('google/gemma-scope-2-1b-pt', 'resid_post/layer_13_width_16k_l0_medium'))
    expect(await known()).toMatchObject({ source: 'gemma-3-1b/13-gemmascope-2-res-16k' })
    // Replaced: one SAE instead of thirteen. Not in it, so as before: Gemma Scope.
    expect(
      (await listPublished('gpt2-small', nothingHere)).filter(sae => sae.names.some(name => name.release === 'gpt2-small-res-jb'))
    ).toHaveLength(1)
    expect(await releaseOf(cached('google/gemma-scope-2b-pt-res', 'layer_20/width_16k/average_l0_71'))).not.toBeNull()
    useCatalogue(home)
    expect(await known()).not.toBeNull()
    expect(await resetCatalogue(home)).toMatchObject({ origin: { kind: 'shipped' }, releases: 75 })
    expect(await known()).toBeNull()
  })

  test('one that cannot be read leaves the table in force', async () => {
    const home = path.join(folder, 'home')
    await updateCatalogue(home, { kind: 'path', path: await installed(folder) })
    const bad = path.join(folder, 'bad.yaml')
    await fs.writeFile(bad, '{')
    await expect(updateCatalogue(home, { kind: 'path', path: bad })).rejects.toMatchObject({
      kind: 'catalogue/unreadable',
      file: await fs.realpath(bad)
    })
    await expect(updateCatalogue(home, { kind: 'path', path: path.join(folder, 'none') })).rejects.toThrow(/none does not exist/)
    useCatalogue(home)
    expect((await releaseIndex()).catalogue.state.releases).toBe(77)
  })

  test('comes from online only when it is asked for, and says so where it cannot', async () => {
    const home = path.join(folder, 'home')
    const paths: string[] = []
    const server = createServer((request, response) => {
      paths.push(request.url ?? '')
      response.writeHead(request.url === '/table.yaml' ? 200 : 404).end(current)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = z.object({ port: z.int() }).parse(server.address())
    vi.stubEnv('HF_HUB_OFFLINE', '')
    vi.stubEnv('SPLICE_CATALOGUE_URL', `http://127.0.0.1:${port}/table.yaml`)
    try {
      useCatalogue(home)
      await listReleases(nothingHere)
      expect(paths).toEqual([])
      const state = await updateCatalogue(home, { kind: 'online' })
      expect(state).toMatchObject({ origin: { kind: 'online', from: `http://127.0.0.1:${port}/table.yaml` }, releases: 77 })
      expect(state.asOf).toBe(new Date().toISOString().slice(0, 10))
      vi.stubEnv('SPLICE_CATALOGUE_URL', `http://127.0.0.1:${port}/other.yaml`)
      await expect(updateCatalogue(home, { kind: 'online' })).rejects.toMatchObject({ kind: 'hub/no-file' })
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await expect(updateCatalogue(home, { kind: 'online' })).rejects.toMatchObject({ kind: 'hub/offline', mistake: false })
      expect((await releaseIndex()).catalogue.state.origin.kind).toBe('online')
    } finally {
      vi.unstubAllEnvs()
      server.close()
    }
  })
})
