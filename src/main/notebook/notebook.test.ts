import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { notebookFile } from '../../contract/notebook.ts'
import { Notebook } from './notebook.ts'

const source = 'gemma-2-2b/20-gemmascope-res-16k'
const other = 'gemma-2-2b/3-gemmascope-res-16k'
let folder = ''
let clock = 0
let notebook: Notebook
const open = (name = 'notebook.sqlite') => new Notebook(path.join(folder, name), () => ++clock)
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-notebook-'))
  clock = 0
  notebook = open()
})
afterEach(() => {
  notebook.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

const key = (index: number, of = source) => ({ source: of, index })

describe('lists', () => {
  test('hold features in the order in which they came, each once, and a feature can be in many', () => {
    const travel = notebook.createList('time travel')
    const odd = notebook.createList('Odd ones')
    notebook.addToList(travel.id, [key(10004), key(7)])
    expect(notebook.addToList(travel.id, [key(7), key(3, other)])).toMatchObject({ name: 'time travel', features: 3 })
    notebook.addToList(odd.id, [key(7)])
    expect(notebook.lists().map(({ name, features }) => [name, features])).toEqual([
      ['Odd ones', 1],
      ['time travel', 3]
    ])
    expect(notebook.entries({ list: travel.id, query: '' }).map(({ source: of, index }) => key(index, of))).toEqual([
      key(10004),
      key(7),
      key(3, other)
    ])
    expect(notebook.marks([key(7), key(8)])).toEqual([{ ...key(7), note: null, lists: [travel.id, odd.id] }])
    expect(notebook.removeFromList(travel.id, [key(7)])).toMatchObject({ features: 2 })
  })

  test('have names of their own', () => {
    const { id } = notebook.createList('one')
    notebook.createList('two')
    expect(() => notebook.createList('one')).toThrowError(/there is a list “one” already/)
    expect(() => notebook.renameList(id, 'two')).toThrowError(/already/)
    expect(notebook.renameList(id, 'one')).toMatchObject({ id, name: 'one' })
    expect(notebook.renameList(id, 'three')).toMatchObject({ id, name: 'three' })
    expect(() => notebook.addToList(99, [key(1)])).toThrowError(expect.objectContaining({ kind: 'notebook/no-list' }))
  })

  test('that are removed can be put back as they were', () => {
    const { id } = notebook.createList('one')
    notebook.addToList(id, [key(1), key(2)])
    notebook.writeNote(key(1), 'stays')
    const before = notebook.exportFile()
    const removed = notebook.removeList(id)
    expect(notebook.lists()).toEqual([])
    expect(notebook.marks([key(1)])).toMatchObject([{ lists: [], note: { text: 'stays' } }])
    expect(notebook.importFile(removed)).toEqual({ lists: 1, features: 2, notes: 0 })
    expect(notebook.exportFile()).toEqual(before)
  })
})

describe('notes', () => {
  test('are written, replaced, found and removed', () => {
    expect(notebook.writeNote(key(1), 'Wormholes, mostly')).toEqual({
      ...key(1),
      note: { text: 'Wormholes, mostly', changedAt: 1 },
      lists: []
    })
    notebook.writeNote(key(2, other), 'straße')
    const found = (query: string) => notebook.entries({ query }).map(entry => entry.index)
    expect([found('wormHOLES'), found('STRASSE'), found('20-gemmascope'), found('nothing'), found('')]).toEqual([[1], [2], [1], [], [2, 1]])
    notebook.writeNote(key(1), 'Other words')
    expect(found('worm')).toEqual([])
    expect(notebook.writeNote(key(1), ' \n')).toEqual({ ...key(1), note: null, lists: [] })
    expect(notebook.marks([key(1)])).toEqual([])
  })
})

describe('a file', () => {
  test('moves everything to another notebook, and changes nothing the second time', () => {
    const { id } = notebook.createList('one')
    notebook.createList('empty')
    notebook.addToList(id, [key(5), key(4)])
    notebook.writeNote(key(5), 'five')
    const file = notebookFile.parse(JSON.parse(JSON.stringify(notebook.exportFile())))
    const copy = open('copy.sqlite')
    expect(copy.importFile(file)).toEqual({ lists: 2, features: 2, notes: 1 })
    expect(copy.exportFile()).toEqual(file)
    expect(copy.importFile(file)).toEqual({ lists: 0, features: 0, notes: 0 })
    copy.close()
  })

  test('loses no word of either note', () => {
    const noteFile = (text: string) =>
      notebookFile.parse({ format: 'splice-notebook', version: 1, lists: [], notes: [{ ...key(1), text, changedAt: 9 }] })
    notebook.writeNote(key(1), 'mine')
    notebook.importFile(noteFile('theirs'))
    expect(notebook.marks([key(1)])[0]?.note?.text).toBe('mine\n\ntheirs')
    expect(notebook.importFile(noteFile('theirs')).notes).toBe(0)
    notebook.importFile(noteFile('mine\n\ntheirs, and more'))
    expect(notebook.marks([key(1)])[0]?.note?.text).toBe('mine\n\ntheirs, and more')
  })
})

describe('searches', () => {
  const question = (query: string, more = {}) => ({ query, mode: 'substring' as const, ...more })

  test('recent ones come latest first, each once, and only so many', () => {
    for (const query of ['a', 'b', 'a']) notebook.rememberSearch(question(query))
    notebook.rememberSearch(question('a', { layers: { from: 3 }, model: 'm' }))
    notebook.rememberSearch({ model: 'm', layers: { from: 3 }, mode: 'substring', query: 'a' })
    expect(notebook.searches().recent.map(({ question: asked }) => asked)).toEqual([
      question('a', { layers: { from: 3 }, model: 'm' }),
      question('a'),
      question('b')
    ])
    for (let count = 0; count < 120; count++) notebook.rememberSearch(question(`q${count}`))
    const { recent } = notebook.searches()
    expect([recent.length, recent[0]?.question.query]).toEqual([100, 'q119'])
    notebook.forgetSearches()
    expect(notebook.searches().recent).toEqual([])
  })

  test('saved ones have names, and stay', () => {
    notebook.saveSearch('lies', question('decept'))
    notebook.saveSearch('lies', question('lie'))
    notebook.saveSearch('Time', question('time travel'))
    notebook.close()
    notebook = open()
    expect(notebook.searches().saved.map(({ name, question: { query } }) => [name, query])).toEqual([
      ['lies', 'lie'],
      ['Time', 'time travel']
    ])
    notebook.removeSearch('lies')
    expect(notebook.searches().saved).toHaveLength(1)
  })
})

describe('the file on the disk', () => {
  test('is shared: what one Splice writes another reads, and whoever watches hears of own changes', () => {
    let heard = 0
    const deaf = notebook.whenChanged(() => {
      heard += 1
    })
    const second = open()
    notebook.writeNote(key(1), 'from one')
    expect(second.marks([key(1)])[0]?.note?.text).toBe('from one')
    expect(heard).toBe(1)
    deaf()
    notebook.writeNote(key(1), '')
    expect(heard).toBe(1)
    second.close()
  })

  test('is refused by name where it is broken, foreign or newer', () => {
    const broken = path.join(folder, 'broken.sqlite')
    fs.writeFileSync(broken, 'x'.repeat(5000))
    expect(() => open('broken.sqlite').lists()).toThrowError(expect.objectContaining({ kind: 'notebook/corrupt', file: broken }))
    const foreign = new Sqlite(path.join(folder, 'foreign.sqlite'))
    foreign.exec('CREATE TABLE theirs (a)')
    foreign.close()
    expect(() => open('foreign.sqlite').lists()).toThrowError(expect.objectContaining({ kind: 'notebook/foreign' }))
    notebook.lists()
    const newer = new Sqlite(path.join(folder, 'notebook.sqlite'))
    newer.pragma('user_version = 99')
    newer.close()
    expect(() => open().lists()).toThrowError(expect.objectContaining({ kind: 'notebook/newer' }))
  })
})
