/** An import that is killed at twenty random moments, each time a new one: no row is lost or doubled after it is taken up again. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImport } from '../../../../fixtures/import-process.ts'
import { randomNumbers, writeBulkFiles } from '../../../../fixtures/synthetic-explanations.ts'
import { openMirror } from '../mirror.ts'

const kills = 20
/** Some six transactions. */
const rows = 120_000
let folder = ''
const at = (name: string) => path.join(folder, name)
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-killed-'))
  await writeBulkFiles(at('bulk'), { rows, width: 8192, vocabulary: 20_000 })
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

/** All that a mirror holds of the rows, as text that can be compared with their embeddings. */
function contentOf(file: string): string[] {
  const database = new Sqlite(file, { readonly: true })
  try {
    return database
      .prepare(
        `SELECT s.model || '/' || s.layer || '/' || e.feature || ' ' || external_id || ' ' || ifnull(x.name, '') || ' ' || description || ' ' || hex(v.vector)
         FROM explanations e JOIN sources s ON s.id = e.source LEFT JOIN explainers x ON x.id = e.explainer
         LEFT JOIN embeddings v ON v.row = e.rowid`
      )
      .pluck()
      .all()
      .map(String)
      .sort()
  } finally {
    database.close()
  }
}

/** Counts what an import says it has written. */
function countWrites(child: ChildProcess) {
  let isReached = () => {}
  const writes = {
    count: 0,
    until: (count: number) =>
      new Promise<void>(resolve => {
        isReached = () => {
          if (writes.count >= count) resolve()
        }
        isReached()
      })
  }
  child.on('message', message => {
    if (message === 'written') writes.count += 1
    isReached()
  })
  return writes
}

test(`killed at ${kills} random moments, the mirror is whole each time, and loses and doubles nothing`, async () => {
  const undisturbed = startImport(at('undisturbed.sqlite'), at('bulk'), { embeddings: true })
  const writes = countWrites(undisturbed)
  const started = performance.now()
  expect((await once(undisturbed, 'exit'))[0]).toBe(0)
  const perWrite = (performance.now() - started) / writes.count
  const expected = contentOf(at('undisturbed.sqlite'))
  expect(expected).toHaveLength(rows)

  const seed = Date.now()
  const random = randomNumbers(seed)
  let cutShort = 0
  for (let round = 0; round < kills; round++) {
    const file = at(`killed-${round}.sqlite`)
    // By what was written, not by the clock: the machine may be quicker or slower by now.
    const [after, delay] = [Math.floor(random() * writes.count), random() * perWrite]
    const note = `round ${round} of seed ${seed}, killed ${delay.toFixed(0)} ms after write ${after} of ${writes.count}`
    const child = startImport(file, at('bulk'), { embeddings: true })
    const ended = once(child, 'exit')
    await Promise.race([countWrites(child).until(after), ended])
    await wait(delay)
    child.kill('SIGKILL')
    const [code] = await ended
    const mirror = await openMirror(file)
    try {
      expect((await mirror.check()).problems, note).toEqual([])
      const { explanations } = await mirror.counts()
      if (code !== 0 && explanations > 0 && explanations < rows) cutShort += 1
      const { result } = await mirror.importFiles([at('bulk')], { withEmbeddings: true })
      expect(result.imported, note).toBe(rows - explanations)
      expect(result.imported + result.skipped, note).toBe(rows)
      expect((await mirror.check()).problems, note).toEqual([])
    } finally {
      await mirror.close()
    }
    expect(contentOf(file), note).toEqual(expected)
    for (const name of [file, `${file}-wal`, `${file}-shm`]) await fs.rm(name, { force: true })
  }
  // Most moments are to be in the middle of it.
  expect(cutShort).toBeGreaterThan(kills / 4)
}, 3_600_000)
