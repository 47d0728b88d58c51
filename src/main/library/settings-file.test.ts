import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { settings } from '../../contract/settings.ts'
import { SettingsFile } from './settings-file.ts'

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-settings-'))
let home: string
let file: SettingsFile

beforeEach(() => {
  home = fs.mkdtempSync(path.join(root, 'home-'))
  file = new SettingsFile(home)
})
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

const written = () => JSON.parse(fs.readFileSync(file.path, 'utf8'))
const write = (value: unknown) => fs.writeFileSync(file.path, typeof value === 'string' ? value : JSON.stringify(value))

describe('settings', () => {
  test('have their defaults where there is no file, and none is made by reading', async () => {
    const { settings: read, problems } = await file.read()
    expect({ read, problems }).toEqual({ read: settings.parse({}), problems: [] })
    expect(fs.existsSync(file.path)).toBe(false)
  })

  test('keep what was chosen and nothing else', async () => {
    await file.change({ theme: 'dark' })
    expect((await file.change({ topK: 20 })).theme).toBe('dark')
    expect(written()).toEqual({ theme: 'dark', topK: 20 })
  })

  test('changed at the same time are all kept', async () => {
    const sizes = [200, 300, 400]
    await Promise.all(sizes.map((size, at) => file.change({ panes: { [`pane-${'abc'[at]}`]: { size, collapsed: false } } })))
    expect(Object.values((await file.read()).settings.panes).map(({ size }) => size)).toEqual(sizes)
    await file.change({ panes: { 'pane-b': null } })
    expect(Object.keys((await file.read()).settings.panes)).toEqual(['pane-a', 'pane-c'])
  })
})

describe('a bad value', () => {
  test('has its default and is told, while the others hold', async () => {
    write({ theme: 'dark', topK: 'many', panes: { inspector: { size: -5, collapsed: false } } })
    const { settings: read, problems } = await file.read()
    expect(read).toEqual(settings.parse({ theme: 'dark' }))
    expect(problems.map(({ field }) => field)).toEqual(['topK', 'panes'])
    expect(problems[1]?.message).toMatch(/^panes\.inspector\.size /)
  })

  test('stays in the file while others are changed, and what another version wrote too', async () => {
    write({ topK: 'many', ofTomorrow: [1] })
    await file.change({ theme: 'light' })
    expect(written()).toEqual({ topK: 'many', ofTomorrow: [1], theme: 'light' })
  })

  test('is copied before it is written over', async () => {
    write({ topK: 'many' })
    await file.change({ topK: 5 })
    expect(written()).toEqual({ topK: 5 })
    expect(JSON.parse(fs.readFileSync(`${file.path}.corrupt`, 'utf8'))).toEqual({ topK: 'many' })
    expect((await file.read()).problems).toEqual([])
  })
})

describe('a file that is no JSON', () => {
  test('is told, and copied before the first change; a second one does not take the place of the first', async () => {
    write('{"theme": "dark"')
    expect((await file.read()).problems).toEqual([{ field: null, message: expect.stringContaining('not a JSON object') }])
    await file.change({ topK: 5 })
    write('[1]')
    await file.change({ topK: 6 })
    expect(written()).toEqual({ topK: 6 })
    expect(fs.readFileSync(`${file.path}.corrupt`, 'utf8')).toBe('{"theme": "dark"')
    expect(fs.readFileSync(`${file.path}.corrupt-1`, 'utf8')).toBe('[1]')
  })
})

describe('what stands where the settings belong and is no file', () => {
  test.each([
    ['a folder', () => fs.mkdirSync(file.path)],
    ['a loop of links', () => fs.symlinkSync('settings.json', file.path)],
    ['a device', () => fs.symlinkSync('/dev/zero', file.path)]
  ])('%s is told, and moved aside by the first change', async (_, put) => {
    put()
    expect((await file.read()).problems).toEqual([{ field: null, message: expect.stringContaining('every setting has its default') }])
    expect((await file.change({ theme: 'dark' })).theme).toBe('dark')
    expect(fs.readdirSync(home).sort()).toEqual(['settings.json', 'settings.json.corrupt'])
    expect((await file.read()).problems).toEqual([])
  })

  test('nesting without end in a field of another version is a file that cannot be read, not a change that fails', async () => {
    write(`{"theme":"dark","other":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)
    expect((await file.read()).problems).toHaveLength(1)
    await file.change({ topK: 20 })
    expect(written()).toEqual({ topK: 20 })
  })
})
