/** Downloads against a server that speaks the hub's API: the cache's layout, resuming, breaks, lies, refusals, two at once. */
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { etagOf, type HubServer, type ServedFile, startHubServer } from '../../../e2e/hub-server.ts'
import type { DownloadedFile } from '../../contract/downloads.ts'
import { partialName } from './blob.ts'
import { type DownloadOrder, downloadOrder } from './download.ts'
import { hubToken, hubTokenState, keepHubToken } from './token.ts'

const commit = '0123456789abcdef0123456789abcdef01234567'
const weights: ServedFile = { bytes: randomBytes(600_000), lfs: true }
const config: ServedFile = { bytes: Buffer.from('{"model_type": "tiny"}') }
const modelFiles = () => ({
  'config.json': { ...config },
  'model.safetensors': { ...weights },
  'tokenizer.json': { bytes: Buffer.from('{}') },
  'pytorch_model.bin': { bytes: randomBytes(1000), lfs: true },
  'onnx/model.onnx': { bytes: randomBytes(1000), lfs: true }
})

let folder = ''
let cache = ''
let hub: HubServer

beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-hub-'))
  cache = path.join(folder, 'hub')
  hub = await startHubServer({
    'acme/tiny': { commit, branches: ['v1'], files: modelFiles() },
    'acme/saes': {
      commit,
      files: {
        'README.md': { bytes: Buffer.from('# SAEs') },
        'layer_0/width_1k/average_l0_9/params.npz': { bytes: randomBytes(50_000), lfs: true },
        'layer_1/width_1k/average_l0_9/params.npz': { bytes: randomBytes(50_000), lfs: true },
        'a_L0_x.pt': { bytes: randomBytes(9000), lfs: true },
        'a_L0_x_cfg.json': { bytes: Buffer.from('{"layer": 0}') },
        'a_L1_x.pt': { bytes: randomBytes(9000), lfs: true },
        'a_L1_x_cfg.json': { bytes: Buffer.from('{"layer": 1}') },
        'config.yaml': { bytes: Buffer.from('a: 1') }
      }
    }
  })
  vi.stubEnv('HF_ENDPOINT', hub.url)
  vi.stubEnv('HF_HOME', path.join(folder, 'hf'))
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_TOKEN_PATH'])
    vi.stubEnv(name, undefined)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await hub.close()
  await fs.rm(folder, { recursive: true, force: true })
})

interface Told {
  plan: readonly DownloadedFile[]
  files: Map<string, DownloadedFile>
  fetched: number
}

function start(
  order: Partial<DownloadOrder> = {},
  how: { token?: string; signal?: AbortSignal; patience?: number; onFile?: (file: DownloadedFile) => void } = {}
) {
  const told: Told = { plan: [], files: new Map(), fetched: 0 }
  const work = downloadOrder(
    { repo: 'acme/tiny', revision: 'main', want: 'model', ...order },
    {
      cache,
      token: how.token ?? null,
      signal: how.signal ?? new AbortController().signal,
      ...(how.patience === undefined ? {} : { patience: how.patience }),
      onPlan: ({ files }) => {
        told.plan = files
      },
      onFile: (file, fetched) => {
        told.files.set(file.path, file)
        told.fetched += fetched
        how.onFile?.(file)
      }
    }
  )
  return { work, told }
}

const repository = () => path.join(cache, 'models--acme--tiny')
const blobOf = (file: ServedFile) => path.join(repository(), 'blobs', etagOf(file))
const pointer = (within: string) => path.join(repository(), 'snapshots', commit, within)
const misbehave = (within: string, misbehaves: ServedFile['misbehaves']) => {
  const file = hub.repositories['acme/tiny']?.files[within]
  if (file !== undefined) file.misbehaves = misbehaves
}

/** Every file below a folder that is not a lock. */
async function filesBelow(root: string): Promise<string[]> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter(entry => !entry.isDirectory())
    .map(entry => path.relative(root, path.join(entry.parentPath, entry.name)))
    .sort()
}

async function errorOf(work: Promise<unknown>): Promise<{ kind: string; message: string; hint: string; mistake: boolean }> {
  return work.then(
    () => {
      throw new Error('it went well')
    },
    thrown => thrown
  )
}

describe('a model', () => {
  test('has its own files in the cache as huggingface_hub lays it out, with what others have there left out', async () => {
    const { work, told } = start()
    expect(await work).toBe(path.join(repository(), 'snapshots', commit))
    expect(await filesBelow(repository())).toEqual(
      [
        `blobs/${etagOf(config)}`,
        `blobs/${etagOf(weights)}`,
        `blobs/${etagOf({ bytes: Buffer.from('{}') })}`,
        'refs/main',
        `snapshots/${commit}/config.json`,
        `snapshots/${commit}/model.safetensors`,
        `snapshots/${commit}/tokenizer.json`
      ].sort()
    )
    expect(await fs.readFile(path.join(repository(), 'refs/main'), 'utf8')).toBe(commit)
    expect(await fs.readlink(pointer('model.safetensors'))).toBe(path.join('..', '..', 'blobs', etagOf(weights)))
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
    expect([...told.files.values()].map(file => file.state)).toEqual(['done', 'done', 'done'])
    expect(told.fetched).toBe(weights.bytes.length + config.bytes.length + 2)
  })

  test('comes with its weights first, so that no folder looks whole before it is', async () => {
    const order: string[] = []
    await start({}, { onFile: file => file.state === 'done' && order.push(file.path) }).work
    expect(order[0]).toBe('model.safetensors')
  })

  test('that is there already costs no content request, also under another revision', async () => {
    await start().work
    const before = hub.contentsOf('model.safetensors').length
    const { work, told } = start({ revision: 'v1' })
    await work
    expect(hub.contentsOf('model.safetensors')).toHaveLength(before)
    expect(told.plan.map(file => file.state)).toEqual(['cached', 'cached', 'cached'])
    expect(told.fetched).toBe(0)
    expect(await fs.readFile(path.join(repository(), 'refs/v1'), 'utf8')).toBe(commit)
  })

  test('by a commit needs no ref', async () => {
    await start({ revision: commit }).work
    expect(await filesBelow(path.join(repository(), 'refs'))).toEqual([])
  })
})

describe('what a request means', () => {
  const saes = (want: DownloadOrder['want']) => start({ repo: 'acme/saes', want })
  const planned = async (want: DownloadOrder['want']) => {
    const { work, told } = saes(want)
    await work
    return told.plan.map(file => file.path).sort()
  }
  test('an SAE by its folder, or by its file with its own config and the shared one', async () => {
    expect(await planned({ sae: 'layer_1/width_1k/average_l0_9' })).toEqual(['layer_1/width_1k/average_l0_9/params.npz'])
    expect(await planned({ sae: 'a_L1_x.pt' })).toEqual(['a_L1_x.pt', 'a_L1_x_cfg.json', 'config.yaml'])
  })
  test('patterns as in Python, and paths of folders', async () => {
    expect(await planned({ patterns: ['*.npz'] })).toHaveLength(2)
    expect(await planned({ patterns: ['layer_0', 'README.md'] })).toEqual(['README.md', 'layer_0/width_1k/average_l0_9/params.npz'])
    expect(await planned({ patterns: ['a_L[!1]_x.pt'] })).toEqual(['a_L0_x.pt'])
  })
  test('a pattern that means nothing, and no pattern for what is no model, are mistakes that say what there is', async () => {
    expect(await errorOf(saes({ patterns: ['*.npz', 'layer_9/*'] }).work)).toMatchObject({
      kind: 'download/nothing',
      message: expect.stringContaining('layer_9/*')
    })
    expect(await errorOf(saes('model').work)).toMatchObject({
      kind: 'download/all',
      message: expect.stringContaining('8 files'),
      mistake: true
    })
    expect(await errorOf(saes({ sae: 'layer_9' }).work)).toMatchObject({ kind: 'download/nothing' })
    expect(await filesBelow(cache)).toEqual([])
  })
})

describe('a broken connection', () => {
  test('is taken up where it broke, by itself, as often as something comes', async () => {
    misbehave('model.safetensors', { cutAfter: 150_000, times: 3 })
    const { work, told } = start()
    await work
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
    const ranges = hub.contentsOf('model.safetensors').filter(request => request.host === 'content')
    const starts = ranges.map(request => Number(/^bytes=(\d+)-$/.exec(request.range ?? 'bytes=0-')?.[1]))
    expect(starts).toHaveLength(4)
    // What came last may be lost with the connection, and is asked for again.
    for (const [at, start] of starts.entries()) {
      expect(start).toBeGreaterThan((starts[at - 1] ?? -1) + (at === 0 ? 0 : 50_000))
      expect(start).toBeLessThanOrEqual(150_000 * at)
    }
    expect(told.fetched).toBe(weights.bytes.length + config.bytes.length + 2)
  })

  test('that stays broken fails, shows nothing as whole, and the next download goes on there', async () => {
    misbehave('model.safetensors', { cutAfter: 0 })
    const partial = partialName(blobOf(weights))
    await fs.mkdir(path.dirname(partial), { recursive: true })
    await fs.writeFile(partial, weights.bytes.subarray(0, 400_000))
    expect(await errorOf(start().work)).toMatchObject({ kind: 'hub/offline', mistake: false, message: expect.stringContaining('broke') })
    expect(await filesBelow(path.join(repository(), 'snapshots'))).toEqual([])
    expect((await fs.stat(partial)).size).toBe(400_000)
    misbehave('model.safetensors', undefined)
    const { work, told } = start()
    await work
    expect(told.plan.find(file => file.path === 'model.safetensors')).toMatchObject({ doneBytes: 400_000, state: 'waiting' })
    expect(hub.contentsOf('model.safetensors').at(-1)?.range).toBe('bytes=400000-')
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
    expect(await filesBelow(path.join(repository(), 'blobs'))).not.toContain(path.basename(partial))
  })

  test('busy and failing servers are asked again', async () => {
    misbehave('model.safetensors', { status: 503, times: 1 })
    await start().work
    misbehave('config.json', { status: 429, times: 1 })
    await fs.rm(repository(), { recursive: true })
    await start().work
    expect(await fs.readFile(pointer('config.json'))).toEqual(config.bytes)
  })

  test('a server that sends nothing any more is asked again', async () => {
    misbehave('model.safetensors', { pause: 30_000, times: 1 })
    await start({}, { patience: 300 }).work
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
    expect(hub.contentsOf('model.safetensors').at(-1)?.range).toMatch(/^bytes=\d+-$/)
  })

  test('a server that knows no ranges sends all of it again', async () => {
    misbehave('model.safetensors', { cutAfter: 150_000, ignoresRanges: true, times: 1 })
    const cut = hub.repositories['acme/tiny']?.files['model.safetensors']
    const work = start().work
    await vi.waitFor(() => expect(cut?.misbehaves?.times).toBe(0))
    misbehave('model.safetensors', { ignoresRanges: true })
    await work
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
  })
})

describe('what is not what the hub states', () => {
  test.each([
    ['too many bytes', { tooLong: 10 }, 'hub/size'],
    ['other bytes', { otherBytes: true }, 'hub/corrupt']
  ])('%s are refused, and nothing of them is kept', async (_, misbehaves, kind) => {
    misbehave('model.safetensors', misbehaves)
    expect(await errorOf(start().work)).toMatchObject({ kind })
    expect(await filesBelow(path.join(repository(), 'snapshots'))).toEqual([])
    expect(await filesBelow(path.join(repository(), 'blobs'))).toEqual([])
  })

  test('a git file is compared as well', async () => {
    misbehave('config.json', { otherBytes: true })
    expect(await errorOf(start().work)).toMatchObject({ kind: 'hub/corrupt', message: expect.stringContaining('config.json') })
  })

  test('bytes that an earlier try left wrong are fetched anew', async () => {
    const partial = partialName(blobOf(weights))
    await fs.mkdir(path.dirname(partial), { recursive: true })
    await fs.writeFile(partial, Buffer.alloc(100_000, 1))
    await start().work
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
    await fs.rm(repository(), { recursive: true })
    await fs.mkdir(path.dirname(partial), { recursive: true })
    await fs.writeFile(partial, Buffer.alloc(700_000, 1))
    await start().work
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
  })

  test('a path that leads out of its folder', async () => {
    Object.assign(hub.repositories['acme/tiny']?.files ?? {}, { '../../evil.json': { bytes: Buffer.from('{}') } })
    expect(await errorOf(start({ want: { patterns: ['*'] } }).work)).toMatchObject({
      kind: 'hub/answer',
      message: expect.stringContaining('evil')
    })
    expect(await filesBelow(folder)).toEqual([])
  })

  test('an answer that is no hub', async () => {
    vi.stubEnv('HF_ENDPOINT', `${hub.url}/acme/tiny/resolve/main/tokenizer.json?`)
    const { kind } = await errorOf(start().work)
    expect(['hub/answer', 'hub/not-found', 'hub/no-file']).toContain(kind)
  })
})

describe("what huggingface_hub's own partial files hold", () => {
  async function leaveBehind(minutesAgo: number): Promise<string> {
    const theirs = `${blobOf(weights)}.incomplete`
    await fs.mkdir(path.dirname(theirs), { recursive: true })
    await fs.writeFile(theirs, weights.bytes.subarray(0, 300_000))
    const then = Date.now() / 1000 - minutesAgo * 60
    await fs.utimes(theirs, then, then)
    return theirs
  }
  test('is taken over when nobody writes it any more', async () => {
    const theirs = await leaveBehind(60)
    await start().work
    expect(hub.contentsOf('model.safetensors').at(-1)?.range).toBe('bytes=300000-')
    await expect(fs.stat(theirs)).rejects.toThrow('ENOENT')
  })
  test('is left alone while somebody may be writing it', async () => {
    const theirs = await leaveBehind(0)
    await start().work
    expect((await fs.stat(theirs)).size).toBe(300_000)
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
  })
})

describe('cancelling', () => {
  test('stops at once, keeps what came, and shows nothing as whole', async () => {
    misbehave('model.safetensors', { pause: 50 })
    const abort = new AbortController()
    const { work } = start(
      {},
      { signal: abort.signal, onFile: file => file.doneBytes > 100_000 && file.state === 'running' && abort.abort() }
    )
    expect(await errorOf(work)).toMatchObject({ kind: 'hub/cancelled' })
    const kept = (await fs.stat(partialName(blobOf(weights)))).size
    expect(kept).toBeGreaterThan(100_000)
    expect(kept).toBeLessThan(weights.bytes.length)
    expect(await filesBelow(path.join(repository(), 'snapshots'))).toEqual([])
    expect(await filesBelow(path.join(cache, '.locks'))).toEqual([])
    misbehave('model.safetensors', undefined)
    await start().work
    expect(hub.contentsOf('model.safetensors').at(-1)?.range).toBe(`bytes=${kept}-`)
  })
})

describe('two at once', () => {
  test('fetch a file once', async () => {
    misbehave('model.safetensors', { pause: 20 })
    const [one, other] = [start(), start()]
    await Promise.all([one.work, other.work])
    expect(hub.contentsOf('model.safetensors').filter(request => request.host === 'content')).toHaveLength(1)
    expect(await fs.readFile(pointer('model.safetensors'))).toEqual(weights.bytes)
  })

  test('a lock whose holder is gone does not hold', async () => {
    const lock = path.join(cache, '.locks', 'models--acme--tiny', `${etagOf(weights)}.splice.lock`)
    await fs.mkdir(path.dirname(lock), { recursive: true })
    await fs.writeFile(lock, JSON.stringify({ process: 2 ** 22 + 1, host: os.hostname(), key: 'gone' }))
    await start().work
    await expect(fs.stat(lock)).rejects.toThrow('ENOENT')
  })

  test('a lock that is held is waited for, and the wait can be cancelled', async () => {
    const lock = path.join(cache, '.locks', 'models--acme--tiny', `${etagOf(weights)}.splice.lock`)
    await fs.mkdir(path.dirname(lock), { recursive: true })
    // Process 1 is always there.
    await fs.writeFile(lock, JSON.stringify({ process: 1, host: os.hostname(), key: 'held' }))
    const abort = new AbortController()
    const { work, told } = start({}, { signal: abort.signal })
    await vi.waitFor(() => expect(told.files.get('model.safetensors')?.state).toBe('waiting'))
    await wait(300)
    expect(hub.contentsOf('model.safetensors')).toEqual([])
    abort.abort()
    expect(await errorOf(work)).toMatchObject({ kind: 'hub/cancelled' })
    expect(await fs.readFile(lock, 'utf8')).toContain('held')
  })
})

describe('room on the disk', () => {
  test('is looked at before anything is fetched', async () => {
    vi.spyOn(fs, 'statfs').mockResolvedValue({ bavail: 10, bsize: 4096 } as Awaited<ReturnType<typeof fs.statfs>>)
    expect(await errorOf(start().work)).toMatchObject({
      kind: 'download/no-room',
      message: expect.stringMatching(/0\.6 MB .* 0\.0 MB free/)
    })
    vi.restoreAllMocks()
    expect(hub.contentsOf('model.safetensors')).toEqual([])
    expect(await filesBelow(cache)).toEqual([])
  })
})

describe('refusals', () => {
  test('a repository that is not there, a revision, an address where nothing listens', async () => {
    expect(await errorOf(start({ repo: 'acme/none' }).work)).toMatchObject({
      kind: 'hub/not-found',
      mistake: true,
      message: expect.stringContaining('acme/none')
    })
    expect(await errorOf(start({ revision: 'v9' }).work)).toMatchObject({
      kind: 'hub/no-revision',
      message: expect.stringContaining('acme/tiny@v9')
    })
    const { url } = hub
    await hub.close()
    expect(await errorOf(start().work)).toMatchObject({
      kind: 'hub/offline',
      mistake: false,
      message: expect.stringContaining(new URL(url).host)
    })
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect(await errorOf(start().work)).toMatchObject({ kind: 'hub/offline', message: expect.stringContaining('HF_HUB_OFFLINE') })
    hub = await startHubServer({})
  })

  test('a gated repository: without a token, with one that has no access, with one that has', async () => {
    hub.repositories['acme/tiny'] = { commit, files: modelFiles(), token: 'hf_right_token', gated: true }
    const without = await errorOf(start().work)
    expect(without).toMatchObject({ kind: 'hub/gated', hint: expect.stringContaining('HF_TOKEN') })
    const wrong = await errorOf(start({}, { token: 'hf_wrong_token' }).work)
    expect(wrong).toMatchObject({ kind: 'hub/gated', message: expect.stringContaining('no access') })
    expect(JSON.stringify({ ...wrong, message: wrong.message })).not.toContain('hf_wrong_token')
    expect(await filesBelow(path.join(repository(), 'snapshots'))).toEqual([])
    hub.requests.length = 0
    await start({}, { token: 'hf_right_token' }).work
    expect(hub.requests.filter(request => request.host === 'hub').every(request => request.authorization === 'Bearer hf_right_token')).toBe(
      true
    )
    // The host that the hub sends us to for the content must not see it.
    const elsewhere = hub.requests.filter(request => request.host === 'content')
    expect(elsewhere.length).toBeGreaterThan(0)
    expect(elsewhere.every(request => request.authorization === undefined)).toBe(true)
  })
})

describe('the token', () => {
  const home = () => path.join(folder, 'home')
  test('is that of the environment, else the one kept, else that of hf auth login', async () => {
    expect(await hubToken(home())).toBeNull()
    await fs.mkdir(path.join(folder, 'hf'), { recursive: true })
    await fs.writeFile(path.join(folder, 'hf', 'token'), 'hf_of_python\n')
    expect(await hubToken(home())).toBe('hf_of_python')
    expect(await hubTokenState(home())).toEqual({ origin: 'file', name: path.join(folder, 'hf', 'token') })
    await keepHubToken(home(), ' hf_of_ours ')
    expect(await hubToken(home())).toBe('hf_of_ours')
    vi.stubEnv('HF_TOKEN', 'hf_of_environment')
    expect(await hubToken(home())).toBe('hf_of_environment')
    expect(await hubTokenState(home())).toEqual({ origin: 'environment', name: 'HF_TOKEN' })
  })
  test('is kept for its owner alone, and gone when it is taken away', async () => {
    await keepHubToken(home(), 'hf_of_ours')
    const [name = ''] = await fs.readdir(home())
    expect((await fs.stat(path.join(home(), name))).mode & 0o777).toBe(0o600)
    await expect(keepHubToken(home(), 'two words')).rejects.toMatchObject({ kind: 'hub/token' })
    expect(await hubToken(home())).toBe('hf_of_ours')
    expect(await keepHubToken(home(), null)).toEqual({ origin: null, name: null })
    expect(await fs.readdir(home())).toEqual([])
  })
})

test('the fixture names content as git and LFS do', () => {
  // `printf hello | git hash-object --stdin`
  expect(etagOf({ bytes: Buffer.from('hello') })).toBe('b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0')
  expect(etagOf({ bytes: Buffer.from('hello'), lfs: true })).toBe(createHash('sha256').update('hello').digest('hex'))
})
