/** Prompts under names, as a home keeps them. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPromptLibrary } from './prompt-library.ts'

let home: string
beforeEach(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-prompts-'))
})
afterEach(() => fs.rm(home, { recursive: true, force: true }))

const names = (prompts: readonly { name: string }[]) => prompts.map(({ name }) => name)
const ids = { ids: [2, 106, 108] }

test('a fresh home has some to begin with, and keeps what is changed for the next one to open it', async () => {
  const library = openPromptLibrary(home)
  const before = await library.list()
  expect(names(before)).toContain('Wormhole')
  const kept = await library.save({ name: 'Mine', prompt: ids })
  expect(names(kept)).toEqual([...names(before), 'Mine'])
  await library.remove('start-0')

  const opened = await openPromptLibrary(home).list()
  expect(names(opened)).toEqual([...names(before).slice(1), 'Mine'])
  expect(opened.at(-1)?.prompt).toEqual(ids)
})

test('one is renamed in its place, and comes back under its id after it was removed', async () => {
  const library = openPromptLibrary(home)
  const [first, ...others] = await library.list()
  if (first === undefined) throw new Error('no prompt to begin with')
  expect(names(await library.save({ ...first, name: 'Tunnel' }))).toEqual(['Tunnel', ...names(others)])
  await library.remove(first.id)
  const again = await library.save({ ...first, name: 'Tunnel' })
  expect(again.at(-1)).toMatchObject({ id: first.id, name: 'Tunnel', prompt: first.prompt })
})

test('a name is given once, also to those who ask at the same time', async () => {
  const library = openPromptLibrary(home)
  const [one, other] = await Promise.allSettled([
    library.save({ name: 'Mine', prompt: ids }),
    library.save({ name: 'Mine', prompt: { ids: [1] } })
  ])
  expect(one.status).toBe('fulfilled')
  expect(other).toMatchObject({ status: 'rejected', reason: { kind: 'prompts/name-taken', field: 'name' } })
  expect((await library.list()).filter(({ name }) => name === 'Mine').map(({ prompt }) => prompt)).toEqual([ids])
})

test('a file that is not a library is set aside', async () => {
  await fs.writeFile(path.join(home, 'prompts.json'), '[{"name": 3}]')
  expect(names(await openPromptLibrary(home).list())).toContain('Wormhole')
  expect(await fs.readFile(path.join(home, 'prompts.json.corrupt'), 'utf8')).toBe('[{"name": 3}]')
})
