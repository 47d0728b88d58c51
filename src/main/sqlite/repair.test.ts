import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { historyRequest } from '../../contract/history.ts'
import { Notebook } from '../notebook/notebook.ts'
import { History } from '../runs/history.ts'
import { someRun } from '../runs/history-fixture.ts'
import { backupOf } from './backup.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-repair-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** A history with so many runs in its file, and what it said. */
async function historyOf(file: string, runs: number) {
  const said: string[] = []
  const open = () =>
    new History(file, { version: '0.1.0', onRepair: message => said.push(message), onFailure: error => said.push(error.message) })
  const history = open()
  const ids: string[] = []
  for (let at = 0; at < runs; at += 1) {
    const { request, result } = someRun(`run ${at}`, 40)
    ids.push(history.keep(request, result))
  }
  await history.flush()
  return { history, ids, said, open }
}

function overwrite(file: string, start: number, bytes: number): void {
  const handle = fs.openSync(file, 'r+')
  fs.writeSync(handle, Buffer.alloc(bytes, 0xa5), 0, bytes, start)
  fs.closeSync(handle)
}

const idsOf = async (history: History) => (await history.list(historyRequest.parse({ limit: 200 }))).runs.map(({ id }) => id).sort()

test('a history whose beginning is gone comes back from its backup; the broken file is kept', async () => {
  const file = path.join(folder, 'head.sqlite')
  const { history, ids, said, open } = await historyOf(file, 5)
  const kept = Date.now()
  // The first is made at once, the next one when it has become old.
  await expect.poll(() => fs.statSync(backupOf(file)).mtimeMs, { timeout: 20_000 }).toBeGreaterThan(kept)
  await history.close()
  overwrite(file, 0, 4096)
  const again = open()
  expect(await idsOf(again)).toEqual([...ids].sort())
  expect(said).toEqual([expect.stringMatching(/head\.sqlite was broken: it was made again from its backup\. .*head\.sqlite\.broken-1\.$/)])
  expect(fs.readFileSync(`${file}.broken-1`).subarray(0, 4)).toEqual(Buffer.alloc(4, 0xa5))
  await again.close()
})

test('without a backup, runs that the broken file still has whole are taken over, the others counted', async () => {
  const file = path.join(folder, 'middle.sqlite')
  const { history, ids, said, open } = await historyOf(file, 60)
  await history.close()
  fs.rmSync(backupOf(file), { force: true })
  const pages = fs.statSync(file).size / 4096
  overwrite(file, Math.floor(pages / 2) * 4096, 4096)
  const again = open()
  const found: string[] = []
  for (const id of await idsOf(again)) {
    await again.open(id).then(
      () => found.push(id),
      () => undefined
    )
  }
  await again.close()
  // One page of many: most runs are there, and what is there is whole.
  expect(found.length).toBeGreaterThan(30)
  expect(ids).toEqual(expect.arrayContaining(found))
  expect(said.every(message => /middle\.sqlite/.test(message))).toBe(true)
})

test('a history that is not open for good repairs nothing', async () => {
  const file = path.join(folder, 'command.sqlite')
  fs.writeFileSync(file, 'this is no database at all, it is text '.repeat(400))
  const history = new History(file, { version: '0.1.0' })
  await expect(idsOf(history)).rejects.toMatchObject({ kind: 'history/corrupt' })
  expect(fs.readdirSync(folder).filter(name => name.startsWith('command.sqlite'))).toEqual(['command.sqlite'])
  await history.close()
})

test('a notebook comes back from its backup', async () => {
  const file = path.join(folder, 'notebook.sqlite')
  const said: string[] = []
  const notebook = new Notebook(file, Date.now, message => said.push(message))
  notebook.writeNote({ source: 'a/b', index: 1 }, 'a note')
  await expect.poll(() => fs.existsSync(backupOf(file))).toBe(true)
  await notebook.close()
  for (const end of ['-wal', '-shm']) fs.rmSync(`${file}${end}`, { force: true })
  overwrite(file, 0, 4096)
  const again = new Notebook(file, Date.now, message => said.push(message))
  expect(again.marks([{ source: 'a/b', index: 1 }])[0]?.note?.text).toBe('a note')
  expect(said).toEqual([expect.stringContaining('notebook.sqlite was broken: it was made again from its backup')])
  await again.close()
})
