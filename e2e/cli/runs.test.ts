/** `splice runs`: what `splice run` made is listed, shown and taken out, by processes that know nothing of each other. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { beforeAll, describe, expect, test } from 'vitest'
import { demo, splice, startSplice, temporaryFolder } from '../command-line.ts'

const home = temporaryFolder()
const files = temporaryFolder()
const brokenHome = temporaryFolder()
const killedHome = temporaryFolder()
const wormhole = 'Would you be able to travel through time using a wormhole?'
const args = ['run', '--model', demo.model, '--sae', `l0_15=${demo.sae}`, '--prompt']
let printed: unknown
let id = ''

beforeAll(async () => {
  const run = await splice([...args, wormhole, '--json'], { home })
  printed = JSON.parse(run.stdout)
  await splice([...args, 'Once upon a time', '--json'], { home })
  const { runs } = JSON.parse((await splice(['runs', '--json'], { home })).stdout)
  id = runs[1].id
})

test('a run comes back as it was printed, without its model', async () => {
  const shown = await splice(['runs', 'show', id, '--json'], { home })
  expect(shown).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(shown.stdout).result).toEqual(printed)
  const table = await splice(['runs', 'show', id.slice(0, 8)], { home })
  expect(table.stdout).toContain(id)
  expect(table.stdout).toContain('spliced')
})

test('the list is searched and limited', async () => {
  const all = await splice(['runs'], { home })
  expect(all.stdout.split('\n')).toHaveLength(6)
  expect(all.stdout).toMatch(/\n\n2 runs\n$/)
  const found = JSON.parse((await splice(['runs', 'WORM', 'time', '--json'], { home })).stdout)
  expect(found.runs.map((run: { id: string }) => run.id)).toEqual([id])
  expect((await splice(['runs', 'nothing like it'], { home })).stdout).toBe('No run.\n')
  expect((await splice(['runs', '--limit', '1'], { home })).stdout).toMatch(/2 runs, the newest 1 shown\n$/)
})

describe('export', () => {
  test('prints or writes the whole run, a table or a script', async () => {
    const json = await splice(['runs', 'export', id], { home })
    expect(JSON.parse(json.stdout)).toMatchObject({ splice: { run: 1 }, kept: { id }, result: printed })
    const tokens: string[][] = parse((await splice(['runs', 'export', id, '--as', 'tokens'], { home })).stdout)
    expect(tokens).toHaveLength(16)
    const file = join(files, 'again.py')
    expect(await splice(['runs', 'export', id, '--as', 'python', '--to', file], { home })).toMatchObject({
      code: 0,
      stdout: '',
      stderr: ''
    })
    expect(readFileSync(file, 'utf8')).toContain('load_gemma_scope(')
    const again = await splice(['runs', 'export', id, '--as', 'python', '--to', file], { home })
    expect(again).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^splice: --to: .*again\.py is there already\./) })
  })
})

test.each([
  [['runs', 'show'], /splice runs show needs the ID of a run\./],
  [['runs', 'show', 'nonsense'], /no run "nonsense" is in the history\./],
  [['runs', 'show', '1', '2'], /takes one ID/],
  [['runs', 'export', '1', '--as', 'xml'], /--as "xml" is unknown\. Choose one of json, tokens/],
  [['runs', '--to', 'x'], /--to belongs to splice runs export ID\./],
  [['runs', 'show', '1', '--tag', 'x'], /--tag belongs to the list of runs\./],
  [['runs', '--limit', '0'], /--limit "0" is not a whole number/]
])('%j is refused in one line', async (wrong, message) => {
  const outcome = await splice(wrong, { home })
  expect(outcome).toMatchObject({ code: 2, stdout: '' })
  expect(outcome.stderr).toMatch(message)
  expect(outcome.stderr.trim().split('\n')).toHaveLength(1)
})

test('a run that is not to be kept is not, and a broken history stops none', async () => {
  const other = brokenHome
  expect(await splice([...args, 'Hi', '--no-history'], { home: other })).toMatchObject({ code: 0, stderr: '' })
  expect(existsSync(join(other, 'runs.sqlite'))).toBe(false)
  writeFileSync(join(other, 'runs.sqlite'), 'this is no database '.repeat(100))
  const run = await splice([...args, 'Hi', '--json'], { home: other })
  expect(run.code).toBe(0)
  expect(JSON.parse(run.stdout).variants).toHaveLength(3)
  expect(run.stderr).toMatch(/^splice: a run was not kept in the history: .*runs\.sqlite is not a whole SQLite file\n$/)
  expect(await splice(['runs'], { home: other })).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/runs\.sqlite is not a whole SQLite file/)
  })
})

test('runs of processes that are killed leave a history that is whole', async () => {
  const other = killedHome
  for (const wait of [900, 1100, 1300, 1500]) {
    const { child, ended } = startSplice([...args, wormhole], { home: other })
    setTimeout(() => child.kill('SIGKILL'), wait)
    await ended
  }
  const outcome = await splice(['runs', '--json'], { home: other })
  expect(outcome.code).toBe(0)
  for (const { id } of JSON.parse(outcome.stdout).runs) {
    expect((await splice(['runs', 'show', id, '--json'], { home: other })).code).toBe(0)
  }
})
