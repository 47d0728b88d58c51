import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { searchRequest } from '../../contract/explanations.ts'
import { openDatabase } from './database.ts'
import { mostSearches, ReaderPool } from './reader-pool.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-readers-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))
const file = path.join(folder, 'mirror.sqlite')
openDatabase(file).close()

const request = searchRequest.parse({ query: 'time' })

test('where too many searches wait the oldest is dropped by name, and the newest is answered', async () => {
  const pool = new ReaderPool(file, 1)
  const ends = await Promise.allSettled(Array.from({ length: mostSearches + 11 }, () => pool.ask({ kind: 'search', request })))
  await pool.close()
  // One was with the reader already.
  const dropped = ends.map(end => end.status === 'rejected')
  expect(dropped).toEqual([false, ...Array(10).fill(true), ...Array(mostSearches).fill(false)])
  expect(ends[1]).toMatchObject({ reason: { kind: 'search/dropped', mistake: false } })
})

test('what a run asks does not wait behind all the searches', async () => {
  const pool = new ReaderPool(file, 1)
  const ended: string[] = []
  const searches = Array.from({ length: 20 }, () => pool.ask({ kind: 'search', request }).then(() => ended.push('search')))
  const explained = pool.ask({ kind: 'explanationsOf', source: 'a/b', indices: [1] }).then(() => ended.push('run'))
  await Promise.all([...searches, explained])
  await pool.close()
  expect(ended.indexOf('run')).toBeLessThanOrEqual(2)
})
