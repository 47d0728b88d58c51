/** `splice download` against a server that speaks the hub's API: to the end, stopped, killed, refused. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { demo, splice, startSplice, temporaryFolder } from '../command-line.ts'
import { etagOf, type HubServer, startHubServer } from '../hub-server.ts'

const home = temporaryFolder()
const commit = 'd'.repeat(40)
const canonical = 'layer_20/width_16k/average_l0_71'
const large = { bytes: randomBytes(4_000_000), lfs: true }
let hub: HubServer
let cache = ''
let env: Record<string, string> = {}

beforeAll(async () => {
  hub = await startHubServer({
    'google/gemma-scope-2b-pt-res': {
      commit,
      files: Object.fromEntries(
        [canonical, 'layer_0/width_16k/average_l0_13'].map(folder => [
          `${folder}/params.npz`,
          { bytes: readFileSync(join(demo.sae, 'params.npz')), lfs: true }
        ])
      )
    },
    'acme/tiny': {
      commit,
      branches: ['v1'],
      files: { 'config.json': { bytes: readFileSync(join(demo.model, 'config.json')) }, 'model.safetensors': { ...large } }
    },
    'acme/gated': { commit, files: { 'a.txt': { bytes: Buffer.from('a') } }, token: 'hf_right_token', gated: true }
  })
})
afterAll(() => hub.close())
beforeEach(() => {
  cache = join(temporaryFolder(), 'hub')
  env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cache, HF_HOME: home, HF_TOKEN: '', HF_HUB_OFFLINE: '' }
})

const output = z.strictObject({
  repo: z.string(),
  revision: z.string(),
  commit: z.string(),
  path: z.string(),
  files: z.int(),
  totalBytes: z.number(),
  fetchedBytes: z.number(),
  seconds: z.number()
})

async function download(...args: string[]): Promise<z.infer<typeof output>> {
  const { code, stdout, stderr } = await splice(['download', ...args, '--json'], { home, env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return output.parse(JSON.parse(stdout))
}

const tiny = (...parts: string[]) => join(cache, 'models--acme--tiny', ...parts)

describe('a download', () => {
  test("of an SAE by its names in SAELens can be opened, and finds its canonical twin's source", async () => {
    const done = await download('--release', 'gemma-scope-2b-pt-res-canonical', '--sae-id', 'layer_20/width_16k/canonical')
    expect(done).toMatchObject({ repo: 'google/gemma-scope-2b-pt-res', revision: 'main', commit, files: 1 })
    expect(done.path).toBe(join(cache, 'models--google--gemma-scope-2b-pt-res', 'snapshots', commit, canonical))
    expect(readlinkSync(join(done.path, 'params.npz'))).toMatch(/^(\.\.\/){5}blobs\/[0-9a-f]{64}$/)
    const { stdout } = await splice(['library', '--json'], { home, env })
    const { saes } = z.object({ saes: z.array(z.object({ path: z.string(), source: z.string().nullable() })) }).parse(JSON.parse(stdout))
    expect(saes.find(sae => sae.path === done.path)?.source).toBe('gemma-2-2b/20-gemmascope-res-16k')
  })

  test('of a model at a branch, with words and progress for people', async () => {
    const { code, stdout, stderr } = await splice(['download', 'acme/tiny@v1'], { home, env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(tiny('snapshots', commit))
    expect(stdout).toMatch(/2 files, 4\.0 MB, 4\.0 MB fetched in/)
    expect(readFileSync(tiny('refs/v1'), 'utf8')).toBe(commit)
    expect((await splice(['download', 'acme/tiny@v1'], { home, env })).stdout).toContain('all there already')
  })

  test('of some files of a repository', async () => {
    expect(await download('acme/tiny', 'config.*')).toMatchObject({ files: 1 })
    expect(readdirSync(tiny('snapshots', commit))).toEqual(['config.json'])
  })
})

describe('a download that ends early', () => {
  const partial = () => tiny('blobs', `${etagOf(large)}.splice.incomplete`)
  const weights = () => hub.repositories['acme/tiny']?.files['model.safetensors']

  async function startAndWait(): Promise<ReturnType<typeof startSplice>> {
    const file = weights()
    if (file !== undefined) file.misbehaves = { pause: 30 }
    const running = startSplice(['download', 'acme/tiny', '--json'], { home, env })
    while (!existsSync(partial()) || statSync(partial()).size < 300_000) await wait(5)
    return running
  }

  async function goesOn(): Promise<void> {
    const file = weights()
    if (file !== undefined) delete file.misbehaves
    const kept = statSync(partial()).size
    expect(kept).toBeLessThan(large.bytes.length)
    expect(existsSync(tiny('snapshots', commit))).toBe(false)
    const done = await download('acme/tiny')
    expect(done.fetchedBytes).toBe(done.totalBytes - kept)
    expect(readFileSync(join(done.path, 'model.safetensors'))).toEqual(large.bytes)
    expect(readdirSync(tiny('blobs')).sort()).toEqual(
      [etagOf(large), etagOf(hub.repositories['acme/tiny']?.files['config.json'] ?? large)].sort()
    )
  }

  test('by Ctrl-C ends with 130 and goes on the next time', async () => {
    const running = await startAndWait()
    running.child.kill('SIGINT')
    expect(await running.ended).toEqual({ code: 130, stdout: '', stderr: '' })
    await goesOn()
  })

  test('because it was killed goes on the next time', async () => {
    const running = await startAndWait()
    // The command's own process, not the shell script's: that one has handed over to it.
    running.child.kill('SIGKILL')
    await running.ended
    await goesOn()
  })
})

describe('what is refused', () => {
  async function refused(args: string[], own: Record<string, string> = {}): Promise<{ code: number | null; line: string }> {
    const { code, stdout, stderr } = await splice(['download', ...args, '--json'], { home, env: { ...env, ...own } })
    expect(stdout).toBe('')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    return { code, line: stderr.trimEnd() }
  }
  test.each([
    [[], 'REPO'],
    [['https://huggingface.co/google/gemma-2-2b'], 'owner/name'],
    [['acme/tiny@../..'], 'no branch'],
    [['acme/none'], 'acme/none'],
    [['acme/tiny@v9'], 'acme/tiny@v9'],
    [['acme/tiny', '*.bin'], '*.bin'],
    [['google/gemma-scope-2b-pt-res'], 'no model folder'],
    [['--release', 'gemma-scope-2b-pt-res'], '--sae-id'],
    [['--release', 'nothing', '--sae-id', 'a'], 'nothing'],
    [['--release', 'gemma-scope-2b-pt-res', '--sae-id', 'layer_99'], 'layer_99'],
    [['acme/tiny', '--release', 'a', '--sae-id', 'b'], '--release'],
    [['acme/gated', '*'], 'HF_TOKEN']
  ])('%j', async (args, named) => {
    const { code, line } = await refused(args)
    expect({ code, line }).toMatchObject({ code: 2, line: expect.stringContaining(named) })
    expect(existsSync(join(cache, 'models--acme--tiny', 'snapshots'))).toBe(false)
  })
  test('a token without access is not told to anybody', async () => {
    const { code, line } = await refused(['acme/gated', '*'], { HF_TOKEN: 'hf_wrong_token', SPLICE_DEBUG: '' })
    expect(code).toBe(2)
    expect(line).not.toContain('hf_wrong')
  })
  test('no network is said at once', async () => {
    const started = performance.now()
    const { code, line } = await refused(['acme/tiny'], { HF_ENDPOINT: 'http://127.0.0.1:9' })
    expect({ code, line }).toMatchObject({ code: 1, line: expect.stringContaining('127.0.0.1:9 cannot be reached') })
    expect((await refused(['acme/tiny'], { HF_HUB_OFFLINE: '1' })).line).toContain('HF_HUB_OFFLINE')
    // Not a measurement: a wait for something that never comes would take minutes.
    expect(performance.now() - started).toBeLessThan(60_000)
  })
  test('nothing but downloads asks the hub', async () => {
    hub.requests.length = 0
    await splice(['library', '--json'], { home, env })
    await splice(['releases', '--json'], { home, env })
    expect(hub.requests).toEqual([])
  })
})
