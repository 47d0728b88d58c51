/** `splice library` and `splice releases`: what is on this disk, and what is published. */
import { cpSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { diskContents, libraryFolder } from '../../src/contract/library.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { cachedCommit, cacheFile } from '../hub-cache.ts'

const home = temporaryFolder()
const folder = realpathSync(temporaryFolder())
const cache = join(folder, 'hub')
const env = { HF_HUB_CACHE: cache }
const canonical = 'layer_20/width_16k/average_l0_71'
const other = 'layer_20/width_16k/average_l0_139'

beforeAll(() => {
  for (const within of [canonical, other])
    cacheFile(cache, 'google/gemma-scope-2b-pt-res', `${within}/params.npz`, join(demo.sae, 'params.npz'))
  cacheFile(cache, 'google/gemma-2-2b', 'config.json', join(demo.model, 'config.json'))
})

const libraryOutput = z.strictObject({ ...diskContents.shape, lookedIn: z.array(libraryFolder) })
const released = z.looseObject({
  id: z.string(),
  path: z.string().nullable(),
  source: z.string().nullable(),
  onDisk: z.boolean(),
  diskPath: z.string().nullable()
})
const releasesOutput = z.looseObject({
  asOf: z.string(),
  releases: z.array(z.looseObject({ release: z.string(), model: z.string(), repo: z.string(), saes: z.array(released) }))
})

async function jsonOf<Schema extends z.ZodType>(
  args: string[],
  schema: Schema,
  own: Record<string, string> = {}
): Promise<z.infer<Schema>> {
  const { code, stdout, stderr } = await splice([...args, '--json'], { home, env: { ...env, ...own } })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return schema.parse(JSON.parse(stdout))
}

describe('splice library', () => {
  test('lists the demo and what the Hugging Face cache holds, with repository, ref and source', async () => {
    const { models, saes, lookedIn } = await jsonOf(['library'], libraryOutput)
    expect(models.map(model => model.path)).toEqual([demo.model])
    const cached = saes.filter(sae => sae.hub !== null)
    expect(cached.map(({ path, source, hub }) => [path.slice(path.indexOf('layer_')), source, hub])).toEqual([
      [canonical, 'gemma-2-2b/20-gemmascope-res-16k', { repo: 'google/gemma-scope-2b-pt-res', commit: cachedCommit, refs: ['main'] }],
      [other, null, { repo: 'google/gemma-scope-2b-pt-res', commit: cachedCommit, refs: ['main'] }]
    ])
    expect(lookedIn.map(({ path, origin }) => [path, origin])).toEqual([
      [join(root, 'resources/demo'), 'demo'],
      [cache, 'hub-cache']
    ])
  })

  test('as text: a line each, and counts', async () => {
    const { code, stdout, stderr } = await splice(['library'], { home, env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/gemma-2-2b\/20-gemmascope-res-16k +google\/gemma-scope-2b-pt-res@main/)
    expect(stdout).toMatch(/\n1 model, \d+ SAEs/)
  })

  test('says why something cannot be read', async () => {
    const hub = join(folder, 'broken-hub')
    const snapshot = join(hub, 'models--o--n', 'snapshots', cachedCommit)
    mkdirSync(snapshot, { recursive: true })
    cpSync(join(demo.model, 'config.json'), join(snapshot, 'config.json'))
    symlinkSync('../../blobs/gone', join(snapshot, 'model.safetensors'))
    const { unreadable } = await jsonOf(['library'], libraryOutput, { HF_HUB_CACHE: hub })
    expect(unreadable.find(item => item.path === snapshot)).toMatchObject({ what: 'model', hub: { repo: 'o/n' } })
    const { stdout } = await splice(['library'], { home, env: { HF_HUB_CACHE: hub } })
    expect(stdout).toContain(snapshot)
  })

  test('the cache is where Python would look for it', async () => {
    const places = async (own: Record<string, string>) =>
      (await jsonOf(['library'], libraryOutput, { HF_HUB_CACHE: '', HF_HOME: '', ...own })).lookedIn.map(place => place.path)
    expect(await places({ HF_HOME: '/hf' })).toContain('/hf/hub')
    expect(await places({ XDG_CACHE_HOME: '/xdg' })).toContain('/xdg/huggingface/hub')
    expect(await places({ HOME: '/somewhere', XDG_CACHE_HOME: '' })).toContain('/somewhere/.cache/huggingface/hub')
  })
})

describe('splice releases', () => {
  test('of a model: its SAEs, what is on this disk, and their sources', async () => {
    const { releases, asOf } = await jsonOf(['releases', '--model', 'gemma-2-2b'], releasesOutput)
    expect(asOf).toBe('2025-10')
    expect(new Set(releases.map(release => release.model))).toEqual(new Set(['gemma-2-2b']))
    const res = releases.find(release => release.release === 'gemma-scope-2b-pt-res')
    expect(res?.saes).toHaveLength(316)
    expect(res?.saes.filter(sae => sae.onDisk).map(sae => [sae.id, sae.source])).toEqual([
      [other, null],
      [canonical, 'gemma-2-2b/20-gemmascope-res-16k']
    ])
    const twins = releases.find(release => release.release === 'gemma-scope-2b-pt-res-canonical')?.saes.filter(sae => sae.onDisk)
    expect(twins).toMatchObject([{ id: 'layer_20/width_16k/canonical', path: canonical }])
    expect(twins?.[0]?.diskPath).toContain(join('snapshots', cachedCommit, canonical))
    expect((await jsonOf(['releases', '--model', 'google/gemma-2-2b'], releasesOutput)).releases).toEqual(releases)
  })

  test('of a mirror of its own', async () => {
    const db = join(folder, 'own.sqlite')
    const { releases } = await jsonOf(['releases', '--model', 'demo-gemma2-tiny', '--db', db], releasesOutput)
    expect(releases.flatMap(release => release.saes).every(sae => sae.explanations === 0)).toBe(true)
    const inHome = await jsonOf(['releases', '--model', 'demo-gemma2-tiny'], releasesOutput)
    expect(inHome.releases.flatMap(release => release.saes).some(sae => Number(sae.explanations) > 1000)).toBe(true)
  })

  test('reads a newer table and goes back to the old one', async () => {
    const yaml = join(folder, 'pretrained_saes.yaml')
    writeFileSync(yaml, 'new-release:\n  repo_id: o/new\n  model: gemma-2-2b\n  conversion_func: null\n  saes:\n  - {id: a, path: a}\n')
    const updated = await jsonOf(['releases', '--model', 'gemma-2-2b', '--update', yaml], releasesOutput)
    expect(updated.releases.map(release => release.release)).toContain('new-release')
    expect(updated.origin).toMatchObject({ kind: 'file', from: yaml })
    const kept = await jsonOf(['releases', '--model', 'gemma-2-2b'], releasesOutput)
    expect(kept.releases.map(release => release.release)).toContain('new-release')
    const back = await jsonOf(['releases', '--model', 'gemma-2-2b', '--reset'], releasesOutput)
    expect(back.releases.map(release => release.release)).not.toContain('new-release')
  })

  test('mistakes', async () => {
    for (const [args, named] of [
      [['--model', 'gpt-17'], 'gpt-17'],
      [['--update', '/gone.yaml'], '/gone.yaml'],
      [['--update', ''], '--update'],
      [['more'], 'more']
    ] as const) {
      const { code, stdout, stderr } = await splice(['releases', ...args], { home, env })
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(stderr).toContain(named)
    }
  })
})
