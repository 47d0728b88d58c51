/** The history's file: what is kept comes back as it was, whatever happens to the process that writes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { attributionRequest, attributionResult } from '../../contract/attribution.ts'
import { type HistoryRequest, historyRequest } from '../../contract/history.ts'
import { patchingRequest, patchingResult } from '../../contract/patching.ts'
import { History } from './history.ts'
import { everything, someRun } from './history-fixture.ts'
import { unpackRun } from './stored-run.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-history-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))
let files = 0
let file: string
let history: History
const failures: string[] = []

function openHistory(): History {
  return new History(file, { version: '0.1.0', onFailure: error => failures.push(`${error.kind} ${error.message}`) })
}
beforeEach(() => {
  files += 1
  failures.length = 0
  file = path.join(folder, `runs-${files}.sqlite`)
  history = openHistory()
  return () => history.close()
})

function keep(prompt: string, tokens?: number): string {
  const { request, result } = someRun(prompt, tokens)
  return history.keep(request, result)
}
const listed = (request: Partial<HistoryRequest>) => history.list(historyRequest.parse(request))
const prompts = async (request: Partial<HistoryRequest>) => (await listed(request)).runs.map(run => run.prompt)

describe('a kept run', () => {
  test('comes back as it was, numbers that are not finite and all, from a file that was closed', async () => {
    const { request, result } = someRun('Would you be able to travel?')
    const id = history.keep(request, result)
    await history.close()
    history = openHistory()
    const opened = await history.open(id)
    expect(opened.result).toEqual(result)
    expect(opened.request).toEqual(request)
    expect(opened.kept).toMatchObject({
      id,
      prompt: 'Would you be able to travel?',
      tokens: 4,
      name: null,
      tags: [],
      pinned: false,
      model: { name: 'tiny', path: '/models/tiny' },
      saes: [{ name: 'l0_15', label: 'tiny/2-res', hook: 'blocks.2.hook_resid_post' }],
      variants: [
        { name: 'clean', loss: 2, meanKl: 0 },
        { name: 'spliced', loss: 2.25, meanKl: 0.2 }
      ],
      version: '0.1.0'
    })
  })

  test('writes no file again when it was asked for with one', async () => {
    const { request, result } = someRun('saved')
    const id = history.keep({ ...request, save: { file: '/tmp/over.safetensors' } }, result)
    expect((await history.open(id)).request.save).toBeUndefined()
  })

  test('is found by the beginning of its id, and only by one that is unique', async () => {
    const ids = Array.from({ length: 40 }, (_, i) => keep(`run ${i}`))
    const [first = ''] = ids
    expect((await history.open(first.slice(0, 8))).kept.id).toBe(first)
    await expect(history.open('')).rejects.toMatchObject({ kind: 'history/unknown' })
    await expect(history.open('*')).rejects.toMatchObject({ kind: 'history/unknown' })
    await expect(history.open('0123456789')).rejects.toMatchObject({ kind: 'history/unknown', message: /0123456789/ })
    const doubled = ids.map(id => id.charAt(0)).find((digit, at, digits) => digits.indexOf(digit) !== at) ?? ''
    await expect(history.open(doubled)).rejects.toMatchObject({ kind: 'history/ambiguous' })
  })
})

describe('the list', () => {
  test('is searched over prompt, name, notes, tags, model and SAEs, all words, whatever their case', async () => {
    const wormhole = keep('Through a Wormhole')
    keep('Über die Brücke')
    const other = keep('100% of it_all')
    await history.change({ id: wormhole, name: 'Time travel', notes: 'see figure 3', tags: ['paper'] })
    expect(await prompts({ text: 'wormhole' })).toEqual(['Through a Wormhole'])
    expect(await prompts({ text: 'WORM paper FIGURE' })).toEqual(['Through a Wormhole'])
    expect(await prompts({ text: 'worm bridge' })).toEqual([])
    expect(await prompts({ text: 'über' })).toEqual(['Über die Brücke'])
    expect(await prompts({ text: '100%' })).toEqual(['100% of it_all'])
    expect(await prompts({ text: '2-res TINY' })).toHaveLength(3)
    expect(await prompts({ text: other })).toEqual(['100% of it_all'])
  })

  test('is filtered by model, SAE, tag and pin, and the summary counts them', async () => {
    const one = keep('one')
    keep('two')
    await history.change({ id: one, tags: ['b', 'a', 'b'], pinned: true })
    expect((await history.open(one)).kept.tags).toEqual(['a', 'b'])
    expect(await prompts({ tag: 'a' })).toEqual(['one'])
    expect(await prompts({ pinned: false })).toEqual(['two'])
    expect(await prompts({ sae: 'tiny/2-res', model: 'tiny' })).toEqual(['one', 'two'])
    expect(await prompts({ model: 'other' })).toEqual([])
    expect(await history.summary()).toMatchObject({
      file,
      runs: 2,
      pinned: 1,
      models: [{ name: 'tiny', runs: 2 }],
      saes: [{ name: 'tiny/2-res', runs: 2 }],
      tags: [
        { name: 'a', runs: 1 },
        { name: 'b', runs: 1 }
      ]
    })
    await history.close()
    history = openHistory()
    expect((await history.summary()).bytes).toBe(fs.statSync(file).size)
  })

  test('comes in pages without gaps or doubles, pinned first, while others are kept', async () => {
    const ids = Array.from({ length: 23 }, (_, i) => keep(`run ${i}`))
    await history.change({ id: ids[3] ?? '', pinned: true })
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await listed({ limit: 5, after })
      seen.push(...page.runs.map(run => run.id))
      after = page.nextKey ?? undefined
      keep('kept meanwhile')
    } while (after !== undefined)
    expect(seen[0]).toBe(ids[3])
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.filter(id => ids.includes(id))).toHaveLength(23)
    await expect(listed({ after: 'nonsense' })).rejects.toMatchObject({ kind: 'history/key', field: 'after' })
  })
})

describe('removing', () => {
  test('takes runs from every list until they are restored as they were', async () => {
    const one = keep('one')
    keep('two')
    await history.change({ id: one, tags: ['kept'], notes: 'mine' })
    expect(await history.remove([one, one, '0000000000'])).toBe(1)
    expect(await prompts({})).toEqual(['two'])
    expect(await history.summary()).toMatchObject({ runs: 1, tags: [] })
    await expect(history.open(one)).rejects.toMatchObject({ kind: 'history/unknown' })
    await expect(history.change({ id: one, notes: 'x' })).rejects.toMatchObject({ kind: 'history/unknown' })
    expect(await history.restore([one])).toBe(1)
    expect((await history.open(one)).kept).toMatchObject({ tags: ['kept'], notes: 'mine' })
  })

  test('is for good after a week, and the room goes back to the disk', async () => {
    const ids = Array.from({ length: 60 }, (_, i) => keep(`run ${i}`, 400))
    await history.remove(ids.slice(1))
    await history.close()
    const raw = new Sqlite(file)
    raw.prepare('UPDATE runs SET deleted_at = deleted_at - ?').run(8 * 24 * 3600 * 1000)
    raw.pragma('wal_checkpoint(TRUNCATE)')
    raw.close()
    const before = fs.statSync(file).size
    history = openHistory()
    expect(await prompts({})).toEqual(['run 0'])
    expect(await history.restore(ids)).toBe(0)
    expect(rowsOf('run_contents')).toBe(1)
    expect(fs.statSync(file).size).toBeLessThan(before / 2)
  })

  test('all of them spares pinned runs unless they are meant too', async () => {
    const one = keep('one')
    keep('two')
    await history.change({ id: one, pinned: true })
    expect(await history.clear({ pinned: false })).toBe(1)
    expect(await prompts({})).toEqual(['one'])
    expect(await history.clear({ pinned: true })).toBe(1)
    expect(rowsOf('runs') + rowsOf('run_contents') + rowsOf('run_saes') + rowsOf('run_tags')).toBe(0)
  })
})

describe('what is not whole', () => {
  test('a run of a later form says so, and a damaged one what is damaged; the others open', async () => {
    const [later, damaged, missing, good] = ['later', 'damaged', 'missing', 'good'].map(prompt => keep(prompt))
    await history.flush()
    const raw = new Sqlite(file)
    raw.prepare("UPDATE runs SET format = 99, version = '9.1.0' WHERE id = ?").run(later)
    const put = raw.prepare('UPDATE run_contents SET contents = ? WHERE run = (SELECT run FROM runs WHERE id = ?)')
    put.run(Buffer.from('no zstd'), damaged)
    put.run(await promisify(zstdCompress)('{"request": {}, "result": {}}'), missing)
    raw.close()
    await expect(history.open(later ?? '')).rejects.toMatchObject({ kind: 'history/newer', message: /9\.1\.0/, hint: /Update/ })
    await expect(history.open(damaged ?? '')).rejects.toMatchObject({ kind: 'history/unreadable', message: /damaged/ })
    await expect(history.open(missing ?? '')).rejects.toMatchObject({ kind: 'history/unreadable', message: /request\.model/ })
    expect((await history.open(good ?? '')).kept.prompt).toBe('good')
    expect((await history.list(everything)).runs).toHaveLength(4)
  })

  test('a run of an earlier form is brought up to the present one', async () => {
    const { request, result } = someRun('old')
    const { layerOrder, ...older } = result
    const bytes = await promisify(zstdCompress)(JSON.stringify({ request, result: { ...older, order: layerOrder } }))
    const upgrade = (stored: unknown) => {
      const { request, result } = stored as { request: unknown; result: { order: string } }
      return { request, result: { ...result, layerOrder: result.order } }
    }
    const as = { id: '0123456789', format: 1, version: '0.1.0' }
    expect((await unpackRun(bytes, as, [upgrade])).result).toEqual(result)
    await expect(unpackRun(bytes, as, [])).rejects.toMatchObject({ kind: 'history/unreadable', message: /layerOrder/ })
  })

  test('a file that is no history stops no run: it is told, and listing names the file', async () => {
    fs.writeFileSync(file, 'this is no database at all, it is text '.repeat(40))
    expect(keep('one')).toMatch(/^[0-9a-f]{10}$/)
    await history.flush()
    expect(failures).toEqual([`history/corrupt ${file} is not a whole SQLite file`])
    await expect(history.list(everything)).rejects.toMatchObject({ kind: 'history/corrupt', file, hint: /Move it away/ })
    expect(fs.readFileSync(file, 'utf8')).toMatch(/^this is no database/)
  })

  test('a database of another program is left alone', async () => {
    const raw = new Sqlite(file)
    raw.exec('CREATE TABLE theirs (x)')
    raw.close()
    await expect(history.list(everything)).rejects.toMatchObject({ kind: 'history/foreign', file })
  })

  test('a home that is a file is named', async () => {
    const home = path.join(folder, `home-${files}`)
    fs.writeFileSync(home, '')
    const nowhere = new History(path.join(home, 'runs.sqlite'), { version: '0.1.0', onFailure: error => failures.push(error.kind) })
    const { request, result } = someRun('one')
    nowhere.keep(request, result)
    await nowhere.flush()
    expect(failures).toEqual(['history/disk'])
  })
})

describe('several processes', () => {
  test('one killed while it writes leaves whole runs, and each that it said was kept', { timeout: 120_000 }, async () => {
    const said: string[] = []
    for (const wait of [1, 4, 9]) said.push(...(await keepUntilKilled(wait)))
    const { runs } = await history.list(everything)
    const ids = runs.map(run => run.id)
    expect(said.length).toBeGreaterThan(10)
    expect(said.filter(id => !ids.includes(id))).toEqual([])
    for (const id of ids) {
      const { kept, result } = await history.open(id)
      expect(result.tokens).toHaveLength(kept.tokens)
    }
    expect(rowsOf('run_contents')).toBe(rowsOf('runs'))
    const raw = new Sqlite(file)
    expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
    raw.close()
  })

  test('two at once keep all of their runs', async () => {
    const other = openHistory()
    const { request, result } = someRun('both')
    for (let i = 0; i < 20; i++) {
      history.keep(request, result)
      other.keep(request, result)
    }
    await Promise.all([history.flush(), other.flush()])
    await other.close()
    expect((await history.list(everything)).total).toBe(40)
    expect(failures).toEqual([])
  })
})

/** Starts a process that keeps runs, kills it with SIGKILL some ms after a few were kept, and gives the ids that it said. */
async function keepUntilKilled(wait: number): Promise<string[]> {
  const script = fileURLToPath(new URL('history-fixture.ts', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [script, 'keep-runs', file], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  let killing = false
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (killing || text.split('\n').length < 6) return
    killing = true
    setTimeout(() => child.kill('SIGKILL'), wait)
  })
  await once(child, 'close')
  return text.split('\n').filter(line => line.length === 10)
}

function rowsOf(table: string): number {
  const raw = new Sqlite(file, { readonly: true })
  const rows = Number(raw.prepare(`SELECT count(*) FROM ${table}`).pluck().get())
  raw.close()
  return rows
}

describe('an attribution', () => {
  const quantity = { kind: 'kl' as const }
  const asked = attributionRequest.parse({ model: '/models/tiny', sae: { name: 's', path: '/sae' }, prompt: { ids: [1, 2] }, quantity })
  const found = attributionResult.parse({
    model: { path: '/models/tiny', name: 'tiny' },
    tokens: [{ id: 1, text: 'a', special: false }],
    bosAdded: false,
    warnings: [],
    sae: { name: 's', path: '/sae', hook: 'blocks.0.hook_resid_post', hookOut: null, dSae: 4, source: null },
    quantity: { kind: 'kl', token: null, other: null, position: 0 },
    scope: 'all',
    errorTerm: true,
    splicePositions: 'all',
    countSpecial: false,
    base: 0,
    clean: 0,
    active: 1,
    effects: [{ index: 3, position: 0, activation: 1.5, maxActivation: null, explanations: [], effect: 'NaN' }],
    groups: [],
    pairs: [],
    processing: [],
    processingReason: 'chosen',
    layerOrder: 'checkpoint',
    provider: 'cpu',
    providerReason: 'the only one',
    rows: 3,
    batches: 1,
    milliseconds: { open: 1, prefix: 2, rows: 3 }
  })

  test('is kept with its run, newest first, and comes back as it was from a file that was closed', async () => {
    const [one, other] = [keep('one'), keep('other')]
    const first = await history.keepAttribution(one, asked, found)
    const second = await history.keepAttribution(one, { ...asked, top: 3 }, found)
    await history.close()
    history = openHistory()
    const kept = await history.attributions(one)
    expect(kept.map(({ number, request }) => [number, request.top])).toEqual([
      [second, 3],
      [first, 100]
    ])
    expect(kept[1]).toMatchObject({ request: asked, result: found })
    expect(await history.attributions(other)).toEqual([])
  })

  test('is removed, restored, and gone with its run', async () => {
    const id = keep('one')
    const number = (await history.keepAttribution(id, asked, found)) ?? Number.NaN
    expect(await history.markAttribution(number, true)).toBe(true)
    expect(await history.markAttribution(number, true)).toBe(false)
    expect(await history.attributions(id)).toEqual([])
    expect(await history.markAttribution(number, false)).toBe(true)
    expect(await history.attributions(id)).toHaveLength(1)
    await history.clear({ pinned: true })
    expect(rowsOf('run_attributions')).toBe(0)
  })

  test('of a run that is not there is not kept, and that is told', async () => {
    expect(await history.keepAttribution('0123456789', asked, found)).toBeNull()
    expect(failures).toEqual([expect.stringMatching(/^history\/unknown .*0123456789/)])
  })

  test('that is damaged or newer says so', async () => {
    const id = keep('one')
    await history.keepAttribution(id, asked, found)
    await history.flush()
    const raw = new Sqlite(file)
    raw.prepare('UPDATE run_attributions SET contents = ?').run(Buffer.from('no zstd'))
    await expect(history.attributions(id)).rejects.toMatchObject({ kind: 'history/unreadable', message: /damaged/ })
    raw.prepare('UPDATE run_attributions SET format = 99').run()
    await expect(history.attributions(id)).rejects.toMatchObject({ kind: 'history/newer', hint: /Update/ })
    raw.close()
  })
})

test('patches are kept with a run of their prompt, apart from attributions', async () => {
  const id = keep('one')
  const asked = patchingRequest.parse({
    model: '/models/tiny',
    prompt: { ids: [1, 2] },
    source: { ids: [1, 3] },
    quantity: { kind: 'kl' },
    sites: [{ site: 'z' }]
  })
  const token = { id: 1, text: 'a', special: false }
  const found = patchingResult.parse({
    model: { path: '/models/tiny', name: 'tiny' },
    tokens: [token, token],
    bosAdded: false,
    warnings: [],
    sourceTokens: [token, token],
    quantity: { kind: 'kl', token: null, other: null, position: 1 },
    base: 0,
    source: 'NaN',
    layers: 1,
    heads: 2,
    sites: [{ site: 'z', head: null, axis: 'head', effects: [[0.5, 'NaN']], normalised: null }],
    processing: [],
    processingReason: 'chosen',
    layerOrder: 'checkpoint',
    provider: 'cpu',
    providerReason: 'the only one',
    rows: 2,
    batches: 1,
    milliseconds: { open: 1, rows: 2 }
  })
  const number = (await history.keepPatching(id, asked, found)) ?? Number.NaN
  await history.close()
  history = openHistory()
  expect(await history.patchings(id)).toMatchObject([{ number, request: asked, result: found }])
  expect(await history.attributions(id)).toEqual([])
  expect(await history.markPatching(number, true)).toBe(true)
  expect(await history.patchings(id)).toEqual([])
  expect(await history.markPatching(number, false)).toBe(true)
  await history.clear({ pinned: true })
  expect(rowsOf('run_patchings')).toBe(0)
})
