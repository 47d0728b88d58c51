/** Scanning: what is found below folders and in a Hugging Face cache, what is wrong with what cannot be read, and what is kept. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32, deflateRawSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DiskContents } from '../../contract/library.ts'
import { readNpz } from '../checkpoint/npz.ts'
import { openLibrary } from './library.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const demo = path.join(root, 'resources/demo')
const golden = path.join(root, 'fixtures/golden')
const scopeFolder = path.join(golden, 'saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13')

let folder = ''
let home = ''
beforeEach(async () => {
  folder = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'splice-disk-')))
  home = path.join(folder, 'home')
  vi.stubEnv('HF_HUB_CACHE', path.join(folder, 'hub'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await fs.chmod(path.join(folder, 'data', 'locked'), 0o700).catch(() => undefined)
  await fs.rm(folder, { recursive: true, force: true })
})

const quiet = { signal: undefined, onFolder: () => undefined, onFound: () => undefined }

/** A library of these folders, without the demo. */
async function libraryOf(...folders: string[]) {
  const library = await openLibrary({ home })
  await library.changeSettings({ library: { folders, demo: false, hubCache: true } })
  return library
}

/** Puts files into a cache as huggingface_hub does: blobs, and relative links in a snapshot. */
async function cacheFiles(repo: string, commit: string, files: Record<string, string>, ref?: string): Promise<string> {
  const repository = path.join(folder, 'hub', `models--${repo.replace('/', '--')}`)
  const snapshot = path.join(repository, 'snapshots', commit)
  for (const [within, source] of Object.entries(files)) {
    const name = Buffer.from(source).toString('hex').slice(-40)
    const blob = path.join(repository, 'blobs', name)
    const pointer = path.join(snapshot, within)
    await fs.mkdir(path.dirname(blob), { recursive: true })
    await fs.mkdir(path.dirname(pointer), { recursive: true })
    await fs.copyFile(source, blob)
    await fs.symlink(path.relative(path.dirname(pointer), blob), pointer)
  }
  if (ref !== undefined) {
    await fs.mkdir(path.join(repository, 'refs'), { recursive: true })
    await fs.writeFile(path.join(repository, 'refs', ref), commit)
  }
  return snapshot
}

/** The arrays of an npz as one whose members are compressed, as np.savez_compressed writes them. */
async function writeDeflated(source: string, file: string): Promise<void> {
  const bytes = await fs.readFile(source)
  const local: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const { name, dataOffset, headerBytes, byteLength } of (await readNpz(source)).arrays.values()) {
    const start = (dataOffset ?? 0) - headerBytes
    const member = bytes.subarray(start, start + headerBytes + byteLength)
    const packed = deflateRawSync(member)
    const fileName = Buffer.from(`${name}.npy`)
    const head = Buffer.alloc(26)
    head.writeUInt16LE(20, 0)
    head.writeUInt16LE(8, 4)
    head.writeUInt32LE(crc32(member), 10)
    head.writeUInt32LE(packed.length, 14)
    head.writeUInt32LE(member.length, 18)
    head.writeUInt16LE(fileName.length, 22)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(20, 4)
    head.copy(entry, 6)
    entry.writeUInt32LE(offset, 42)
    const record = Buffer.concat([Buffer.from('PK\x03\x04'), head, fileName, packed])
    local.push(record)
    central.push(entry, fileName)
    offset += record.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(central.length / 2, 8)
  end.writeUInt16LE(central.length / 2, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  await fs.writeFile(file, Buffer.concat([...local, directory, end]))
}

const a = 'a'.repeat(40)
const b = 'b'.repeat(40)
const modelFiles = { 'config.json': path.join(demo, 'model/config.json'), 'model.safetensors': path.join(demo, 'model/model.safetensors') }

const brief = ({ models, saes, unreadable }: Pick<DiskContents, 'models' | 'saes' | 'unreadable'>) => ({
  models: models.map(model => model.path),
  saes: saes.map(sae => sae.path),
  unreadable: unreadable.map(item => item.path)
})

describe('a scan', () => {
  test('finds the demo by default, models and SAEs with what is known of them', async () => {
    const library = await openLibrary({ home })
    const { models, saes, scannedAt } = await library.scan(undefined, quiet)
    expect(models).toMatchObject([
      { path: path.join(demo, 'model'), family: 'gemma2', dtype: 'BF16', layers: 4, parameters: 1_247_360, hub: null }
    ])
    const weights = await fs.readFile(path.join(demo, 'model/model.safetensors'))
    expect(models[0]?.sizeBytes).toBe(weights.length)
    expect(models[0]?.parameters).toBe((weights.length - 8 - Number(weights.readBigUInt64LE())) / 2)
    const sae = saes.find(one => one.path.endsWith('layer_2/width_1k/average_l0_15'))
    expect(sae).toMatchObject({
      format: 'gemma-scope',
      hook: 'blocks.2.hook_resid_post',
      dIn: 128,
      dSae: 1024,
      dtype: 'F32',
      release: 'demo-scope-res',
      saeId: 'layer_2/width_1k/average_l0_15',
      source: 'demo-gemma2-tiny/2-demo-res-1k'
    })
    expect(sae?.traps.map(trap => trap.id)).toEqual(['bos-left-out'])
    expect(saes.find(one => one.path.endsWith('average_l0_3'))?.source).toBeNull()
    expect(scannedAt).toBeGreaterThan(Date.now() - 60_000)
  })

  test('enters a Hugging Face cache at its snapshots, lists what two revisions share once, and names the refs', async () => {
    const npz = path.join(scopeFolder, 'params.npz')
    const within = 'layer_20/width_16k/average_l0_71/params.npz'
    await cacheFiles('google/gemma-scope-2b-pt-res', a, { [within]: npz })
    await cacheFiles('google/gemma-scope-2b-pt-res', b, { [within]: npz }, 'main').catch(() => undefined)
    const model = await cacheFiles('google/gemma-2-2b', b, modelFiles, 'main')
    const { models, saes, unreadable } = await (await libraryOf()).scan(undefined, quiet)
    expect(unreadable).toEqual([])
    expect(models).toMatchObject([{ name: 'gemma-2-2b', path: model, hub: { repo: 'google/gemma-2-2b', commit: b, refs: ['main'] } }])
    expect(saes).toMatchObject([
      { name: 'layer_20/width_16k/average_l0_71', source: 'gemma-2-2b/20-gemmascope-res-16k', hub: { commit: b, refs: ['main'] } }
    ])
  })

  test('goes round loops of links once, and follows links to folders', async () => {
    const data = path.join(folder, 'data')
    await fs.mkdir(path.join(data, 'inner'), { recursive: true })
    await fs.symlink(data, path.join(data, 'inner', 'back'))
    await fs.symlink('itself', path.join(data, 'itself'))
    await fs.symlink(path.join(demo, 'model'), path.join(data, 'linked'))
    await fs.symlink(path.join(demo, 'model'), path.join(data, 'linked-again'))
    const found = await (await libraryOf(data)).scan(undefined, quiet)
    expect(found.models).toHaveLength(1)
    expect(found.models[0]?.path).toMatch(/linked/)
    expect(found.folders).toBe(3)
  })

  test('says what is wrong with what cannot be read, by file and reason', async () => {
    const data = path.join(folder, 'data')
    const at = (...parts: string[]) => path.join(data, ...parts)
    await fs.mkdir(at('half'), { recursive: true })
    await fs.copyFile(modelFiles['config.json'], at('half', 'config.json'))
    await fs.writeFile(at('half', 'model.safetensors'), (await fs.readFile(modelFiles['model.safetensors'])).subarray(0, 1000))
    await fs.mkdir(at('other'))
    await fs.writeFile(at('other', 'config.json'), '{"model_type": "mamba"}')
    await fs.copyFile(modelFiles['model.safetensors'], at('other', 'model.safetensors'))
    await fs.mkdir(at('gone', 'layer_1'), { recursive: true })
    await fs.symlink('../../nowhere', at('gone', 'layer_1', 'params.npz'))
    await fs.mkdir(at('bad'))
    await fs.writeFile(at('bad', 'params.npz'), 'not an archive')
    const { models, saes, unreadable } = await (await libraryOf(data)).scan(undefined, quiet)
    expect({ models, saes }).toEqual({ models: [], saes: [] })
    expect(unreadable.map(({ what, path: file, error }) => [what, path.relative(data, file), error.kind.split('/')[0]])).toEqual([
      ['sae', 'bad', 'weights'],
      ['model', 'half', 'safetensors'],
      ['sae', 'gone/layer_1', 'file'],
      ['model', 'other', 'checkpoint']
    ])
    expect(unreadable.find(item => item.name === 'other')?.error.message).toContain('mamba')
    expect(unreadable.find(item => item.path.includes('gone'))?.error.message).toContain('does not exist')
  })

  test.skipIf(process.getuid?.() === 0)('names a folder that may not be read', async () => {
    await fs.mkdir(path.join(folder, 'data', 'locked'), { recursive: true })
    await fs.chmod(path.join(folder, 'data', 'locked'), 0)
    const { unreadable } = await (await libraryOf(path.join(folder, 'data'))).scan(undefined, quiet)
    expect(unreadable).toMatchObject([{ what: 'folder', error: { kind: 'library/unreadable' } }])
  })

  test('leaves compressed weights packed', async () => {
    const data = path.join(folder, 'data', 'gemma-scope-2b-pt-res', 'layer_1')
    await fs.mkdir(data, { recursive: true })
    await writeDeflated(path.join(scopeFolder, 'params.npz'), path.join(data, 'params.npz'))
    const { saes, unreadable } = await (await libraryOf(path.join(folder, 'data'))).scan(undefined, quiet)
    expect({ saes: saes.length, unreadable }).toEqual({ saes: 1, unreadable: [] })
    await expect(fs.readdir(path.join(home, 'cache'))).rejects.toThrow('ENOENT')
  })

  test('neither looks into hidden folders nor takes every file with weights for an SAE', async () => {
    const data = path.join(folder, 'data')
    await fs.mkdir(path.join(data, '.git'), { recursive: true })
    await fs.cp(path.join(demo, 'model'), path.join(data, '.git', 'model'), { recursive: true })
    await fs.copyFile(modelFiles['model.safetensors'], path.join(data, 'adapter.safetensors'))
    expect(brief(await (await libraryOf(data)).scan(undefined, quiet))).toEqual({ models: [], saes: [], unreadable: [] })
  })
})

describe('what was found', () => {
  test('is there at once the next time, and a file that changed is read again', async () => {
    const data = path.join(folder, 'data')
    await fs.cp(path.join(demo, 'model'), path.join(data, 'model'), { recursive: true })
    await fs.cp(scopeFolder, path.join(data, 'gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13'), { recursive: true })
    const first = await (await libraryOf(data)).scan(undefined, quiet)
    const again = await openLibrary({ home })
    expect(await again.onDisk()).toEqual(first)
    await fs.writeFile(path.join(data, 'model', 'config.json'), '{"model_type": "mamba"}')
    // Until somebody looks, it is as it was.
    expect((await again.onDisk()).models).toHaveLength(1)
    const second = await again.scan(undefined, quiet)
    expect(second.models).toEqual([])
    expect(second.unreadable).toMatchObject([{ what: 'model', error: { kind: 'checkpoint/unknown-family' } }])
    expect(second.saes).toEqual(first.saes)
    await fs.rm(path.join(data, 'model'), { recursive: true })
    expect((await again.scan(undefined, quiet)).unreadable).toEqual([])
  })

  test('is not read again where nothing changed', async () => {
    const data = path.join(folder, 'data')
    const file = path.join(data, 'model', 'config.json')
    await fs.cp(path.join(demo, 'model'), path.join(data, 'model'), { recursive: true })
    await fs.utimes(file, 1_700_000_000, 1_700_000_000)
    const library = await libraryOf(data)
    await library.scan(undefined, quiet)
    // The same size and time with other content: only somebody who reads it again can tell.
    const { size, atime, mtime } = await fs.stat(file)
    await fs.writeFile(file, 'x'.repeat(size))
    await fs.utimes(file, atime, mtime)
    expect((await library.scan(undefined, quiet)).models).toHaveLength(1)
  })

  test('is told as it is found, and a cancelled scan keeps what was known', async () => {
    const data = path.join(folder, 'data')
    for (let at = 0; at < 30; at++) await fs.mkdir(path.join(data, `${at}`), { recursive: true })
    await fs.cp(path.join(demo, 'model'), path.join(data, 'model'), { recursive: true })
    const library = await libraryOf(data)
    const told: string[] = []
    const before = await library.scan(undefined, { ...quiet, onFound: found => told.push(...found.models.map(model => model.path)) })
    expect(told).toEqual(before.models.map(model => model.path))
    const abort = new AbortController()
    const scan = library.scan(undefined, { ...quiet, signal: abort.signal, onFolder: (_, folders) => folders === 3 && abort.abort() })
    await expect(scan).rejects.toMatchObject({ kind: 'library/cancelled' })
    expect(await library.onDisk()).toEqual(before)
  })

  test('changing one setting leaves the others as they were chosen', async () => {
    const library = await libraryOf('/data')
    await library.changeSettings({ theme: 'dark' })
    expect(await library.changeSettings({ logProbScale: 'certainty' })).toMatchObject({
      theme: 'dark',
      library: { folders: ['/data'], demo: false }
    })
  })
})
