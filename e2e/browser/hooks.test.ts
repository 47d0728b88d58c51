/** The Hooks view: what it shows is what the engine saves, and it can be worked by pointer and keyboard. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Download, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { readTensors, type Tensor, tensorOf } from '../golden.ts'
import { keepPictureOfFailures, openWorkbench, processShown, runPrompt, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const otherHome = temporaryFolder()
const files = temporaryFolder()
let workbench: Workbench
let page: Page
/** What the command line saves of the same run: `<variant>/<hook>`. */
let saved: Map<string, Tensor>

const scores = 'blocks.0.attn.hook_attn_scores'
const pattern = 'blocks.1.attn.hook_pattern'
const stream = 'blocks.3.hook_resid_mid'
const acts = 'blocks.2.hook_resid_post.hook_sae_acts_post'

beforeAll(async () => {
  const file = join(files, 'engine.safetensors')
  const args = ['--sae', `l0_15=${demo.sae}`, '--splice-positions', 'no-special', '--variants', 'clean,spliced', '--prompt', wormhole]
  expect(await splice(['run', '--model', demo.model, ...args, '--save', file], { home: otherHome })).toMatchObject({ code: 0, stderr: '' })
  saved = readTensors(file)
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  // A run with explanations, whatever the demo's import was up to during the first one.
  await page.waitForFunction(() => /4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? ''))
  await runPrompt(page, wormhole)
  await page.getByTestId('nav-hooks').click()
  await page.getByTestId('hook-hook_embed').waitFor()
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

function savedOf(name: string, variant = 'spliced'): Tensor {
  return tensorOf(saved, `${variant}/${name}`)
}

async function filter(text: string): Promise<void> {
  await page.getByTestId('hooks-filter').fill(text)
}

/** Opens a hook point and waits for its picture. */
async function open(name: string): Promise<void> {
  await filter(name)
  await page.getByTestId(`hook-${name}`).click()
  await page.locator(`[data-testid="activation"][data-hook="${name}"]`).waitFor()
  await page.getByTestId('heat-legend').waitFor()
}

/** Hook names in the order in which they stand. */
async function namesShown(): Promise<string[]> {
  const rows = page.getByTestId('hook-tables').locator('.hook')
  const tops = await rows.evaluateAll(elements =>
    elements.map(element => ({
      top: element.getBoundingClientRect().top,
      name: element.getAttribute('data-testid')?.replace('hook-', '') ?? ''
    }))
  )
  return tops.sort((a, b) => a.top - b.top).map(({ name }) => name)
}

async function dataValue(hook: string, cell: string): Promise<number> {
  const text = await page.getByTestId(`hook-${hook}`).getByTestId(cell).getAttribute('data-value')
  return text === null || text === '' ? Number.NaN : Number(text)
}

/** Statistics over finite values, worked out the plain way. */
function statisticsOf({ values }: Tensor) {
  const finite = [...values].filter(Number.isFinite)
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length
  const std = Math.sqrt(finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (finite.length - 1))
  return { mean, std, min: Math.min(...finite), max: Math.max(...finite), 'not-finite': values.length - finite.length }
}

/** Where the heat map stands on the screen, and its plot inside it, once its values have come. */
async function plotOf() {
  const map = page.locator('[data-testid="heatmap"][data-columns]')
  await map.waitFor()
  const box = await map.boundingBox()
  const [x = 0, y = 0, width = 0, height = 0] = ((await map.getAttribute('data-plot')) ?? '').split(' ').map(Number)
  return { box, x, y, width, height }
}

/** The screen's point of a cell of the heat map, counted from the cell at its top left. */
async function pointOf(row: number, column: number, rows: number, columns: number): Promise<{ x: number; y: number }> {
  const { box, x, y, width, height } = await plotOf()
  return { x: (box?.x ?? 0) + x + ((column + 0.5) * width) / columns, y: (box?.y ?? 0) + y + ((row + 0.5) * height) / rows }
}

async function savedFile(start: () => Promise<void>): Promise<{ name: string; path: string }> {
  const [download] = await Promise.all([page.waitForEvent('download') as Promise<Download>, start()])
  const path = join(files, download.suggestedFilename())
  await download.saveAs(path)
  return { name: download.suggestedFilename(), path }
}

describe('the tables', () => {
  test("have the SAE's hook points apart, in the order of the run, with the numbers of what the engine saves", async () => {
    expect(await page.getByTestId('hooks-variant').inputValue()).toBe('spliced: l0_15')
    const shown = await namesShown()
    expect(shown.slice(0, 6)).toEqual([
      ...['input', 'acts_pre', 'acts_post', 'recons', 'output'].map(part => `blocks.2.hook_resid_post.hook_sae_${part}`),
      'hook_embed'
    ])
    for (const name of [scores, pattern, stream, acts, 'blocks.3.attn.hook_q', 'ln_final.hook_scale']) {
      await filter(name)
      expect((await page.getByTestId(`hook-${name}`).getByTestId('shape').textContent())?.trim()).toBe(
        `[${savedOf(name).shape.join(', ')}]`
      )
      for (const [cell, expected] of Object.entries(statisticsOf(savedOf(name)))) {
        expect(Math.abs((await dataValue(name, cell)) - expected), `${name} ${cell}`).toBeLessThan(1e-6 + 1e-6 * Math.abs(expected))
      }
    }
    await filter('')
    await photograph(page, 'hooks')
  })

  test('differ from another variant where the splice reaches, and only there', async () => {
    await page.getByTestId('hooks-against').selectOption('clean')
    await page.getByTestId('sort-maxAbsolute').waitFor()
    const [x, y] = [savedOf(stream).values, savedOf(stream, 'clean').values]
    const distances = [...x].map((value, at) => Math.abs(value - (y[at] ?? Number.NaN)))
    await filter(stream)
    await expect.poll(() => dataValue(stream, 'max-difference')).toBeCloseTo(Math.max(...distances), 5)
    expect(await dataValue(stream, 'mean-difference')).toBeCloseTo(distances.reduce((sum, value) => sum + value, 0) / distances.length, 6)
    await filter(pattern)
    expect(await dataValue(pattern, 'max-difference')).toBe(0)
    await filter(acts)
    expect(await dataValue(acts, 'max-difference')).toBeNaN()
  })

  test('sort by any column, filter by part of a name or by a regular expression', async () => {
    await filter('^blocks\\.\\d\\.hook_(attn|mlp)_out$')
    expect(await page.getByTestId('filter-pattern').isVisible()).toBe(true)
    const inOrder = [0, 1, 2, 3].flatMap(block => [`blocks.${block}.hook_attn_out`, `blocks.${block}.hook_mlp_out`])
    expect(await namesShown()).toEqual(inOrder)
    await page.getByTestId('sort-std').click()
    const byStd = [...inOrder].sort((a, b) => statisticsOf(savedOf(b)).std - statisticsOf(savedOf(a)).std)
    expect(await namesShown()).toEqual(byStd)
    await page.getByTestId('sort-std').click()
    expect(await namesShown()).toEqual(byStd.reverse())
    await page.getByTestId('sort-std').click()
    expect(await namesShown()).toEqual(inOrder)
    await filter('hook_(q')
    expect(await page.getByTestId('filter-problem').textContent()).toContain('taken literally')
    expect(await page.getByTestId('no-hooks').textContent()).toContain('hook_(q')
    await filter('')
  })

  test('say of clean that it has no SAE', async () => {
    await page.getByTestId('hooks-variant').selectOption('clean')
    await page.getByText('clean splices none').waitFor()
    await filter('blocks.2.hook_resid_post')
    expect(await namesShown()).toEqual(['blocks.2.hook_resid_post'])
    await page.getByTestId('hooks-variant').selectOption('spliced: l0_15')
    await page.getByTestId(`hook-${acts}`).waitFor()
    await page.getByTestId('hooks-against').selectOption('')
    await filter('')
  })

  test('are walked by keyboard', async () => {
    await page.getByTestId('hook-hook_embed').click()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.locator('[data-testid="activation"][data-hook="blocks.0.ln1.hook_scale"]').waitFor()
    await page.keyboard.press('Space')
    expect(await page.getByTestId('pick-blocks.0.ln1.hook_scale').isChecked()).toBe(true)
    await page.keyboard.press('Space')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'heatmap')
    await page.keyboard.press('Escape')
    expect(await page.getByTestId('activation').count()).toBe(0)
  })
})

describe('attention', () => {
  test('is a grid of heads; one is enlarged by a click, and each cell says source, destination and value', async () => {
    await open(pattern)
    expect(await page.getByTestId('head-grid').locator('canvas').count()).toBe(4)
    await photograph(page, 'hooks-heads')
    await page.getByTestId('head-2').click()
    await page.getByTestId('heatmap').waitFor()
    const { shape, values } = savedOf(pattern)
    const tokens = shape[2] ?? 0
    await expect.poll(() => page.getByTestId('heatmap').getAttribute('data-columns')).toBe(`0:${tokens}`)
    const [query, key] = [11, 6]
    const expected = values[(2 * tokens + query) * tokens + key] ?? Number.NaN
    const at = await pointOf(query, key, tokens, tokens)
    await page.mouse.move(at.x, at.y)
    const said = (await page.getByTestId('tooltip').textContent()) ?? ''
    expect(said).toMatch(/source\s*6/)
    expect(said).toContain('travel')
    expect(said).toMatch(/destination\s*11/)
    expect(said).toContain('worm')
    const readout = (await page.getByTestId('readout').textContent()) ?? ''
    expect(readout).toMatch(/^head 2: from key 6 " travel" to query 11 " worm": /)
    expect(Math.abs(Number(readout.split(': ').at(-1)) - expected)).toBeLessThan(1e-3 * Math.abs(expected) + 1e-6)
    await photograph(page, 'hooks-head')
  })

  test('shares the one selection, and goes back to all heads by Escape', async () => {
    const tokens = savedOf(pattern).shape[2] ?? 0
    const at = await pointOf(9, 3, tokens, tokens)
    await page.mouse.click(at.x, at.y)
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('ArrowRight')
    expect(await page.getByTestId('readout').textContent()).toMatch(/from key 4 .* to query 8 /)
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    await page.getByTestId('head-grid').waitFor()
    await page.getByTestId('nav-compare').click()
    expect(await page.getByTestId('inspector').getAttribute('data-position')).toBe('8')
    await page.goBack()
    await page.getByTestId('head-grid').waitFor()
  })

  test('shows masked scores as such', async () => {
    await open(scores)
    await page.getByText('masked (−∞)').waitFor()
    const bound = Number(await page.getByTestId('heat-legend').getAttribute('data-bound'))
    const { min, max } = statisticsOf(savedOf(scores))
    expect(bound).toBeCloseTo(Math.max(-min, max), 4)
    await page.getByTestId('head-1').click()
    const tokens = savedOf(scores).shape[2] ?? 0
    const at = await pointOf(2, 7, tokens, tokens)
    await page.mouse.move(at.x, at.y)
    await expect.poll(() => page.getByTestId('readout').textContent()).toContain('−∞')
    await photograph(page, 'hooks-scores')
  })
})

describe('a heat map', () => {
  test('shows positions by features, with the norm of each position; cells are exact', async () => {
    await open(stream)
    const map = page.getByTestId('heatmap')
    await expect.poll(() => map.getAttribute('data-columns-per-cell')).toBe('1')
    const { shape, values } = savedOf(stream)
    const [rows, columns] = [shape[1] ?? 0, shape[2] ?? 0]
    const at = await pointOf(5, 100, rows, columns)
    await page.mouse.move(at.x, at.y)
    const readout = (await page.getByTestId('readout').textContent()) ?? ''
    expect(readout).toMatch(/^position 5 " to", d 100: /)
    const expected = values[5 * columns + 100] ?? Number.NaN
    expect(Math.abs(Number(readout.split(': ').at(-1)) - expected)).toBeLessThan(1e-3 * Math.abs(expected) + 1e-6)
    await photograph(page, 'hooks-stream')
  })

  test('says what a cell stands for where there are more features than pixels, and zooms to exact values', async () => {
    await open(acts)
    const map = page.getByTestId('heatmap')
    await expect.poll(async () => Number(await map.getAttribute('data-columns-per-cell'))).toBeGreaterThan(1)
    const per = Number(await map.getAttribute('data-columns-per-cell'))
    expect(await page.getByTestId('cell-meaning').textContent()).toBe(
      `each cell stands for 1 position × ${per} values: the one of largest |x|`
    )
    const { shape, values } = savedOf(acts)
    const [rows, columns] = [shape[1] ?? 0, shape[2] ?? 0]
    // The strongest feature of a token is not lost among its neighbours, and is exact when zoomed into.
    const row = values.subarray(11 * columns, 12 * columns)
    const strongest = row.indexOf(Math.max(...row))
    const cells = Math.ceil(columns / per)
    const cell = Math.floor(strongest / per)
    const at = await pointOf(11, cell, rows, cells)
    await page.mouse.click(at.x, at.y)
    const pooled = (await page.getByTestId('readout').textContent()) ?? ''
    expect(Math.abs(Number(pooled.split(': ').at(-1)) - Math.max(...row))).toBeLessThan(0.01)
    await photograph(page, 'hooks-acts')
    for (let press = 0; press < 5; press++) {
      await page.keyboard.press('+')
      // Each step waits for the values of the one before.
      await page.waitForTimeout(150)
    }
    await expect.poll(() => map.getAttribute('data-columns-per-cell')).toBe('1')
    const [first = 0] = ((await map.getAttribute('data-columns')) ?? '').split(':').map(Number)
    expect(first).toBeGreaterThan(0)
    for (let press = cell * per; press < strongest; press++) await page.keyboard.press('ArrowRight')
    expect(await page.getByTestId('readout').textContent()).toMatch(new RegExp(`^position 11 " worm", SAE feature ${strongest}: `))
    expect(await page.getByTestId('feature-link').getAttribute('href')).toMatch(
      new RegExp(`/feature/demo-gemma2-tiny/2-demo-res-1k/${strongest}$`)
    )
    await photograph(page, 'hooks-zoomed')
    await page.keyboard.press('0')
    await expect.poll(() => map.getAttribute('data-columns')).toBe(`0:${columns}`)
  })

  test('zooms into what is dragged over, and back by a double click', async () => {
    const map = page.getByTestId('heatmap')
    const { box, x, y, width, height } = await plotOf()
    await page.mouse.move((box?.x ?? 0) + x + width * 0.25, (box?.y ?? 0) + y + 3)
    await page.mouse.down()
    await page.mouse.move((box?.x ?? 0) + x + width * 0.5, (box?.y ?? 0) + y + height - 3, { steps: 3 })
    await page.mouse.up()
    await expect.poll(async () => ((await map.getAttribute('data-columns')) ?? '').split(':').map(Number)[0] ?? 0).toBeGreaterThan(200)
    expect(((await map.getAttribute('data-columns')) ?? '').split(':').map(Number)[1]).toBeLessThan(560)
    await map.dblclick({ position: { x: x + width / 2, y: y + height / 2 } })
    await expect.poll(() => map.getAttribute('data-columns')).toBe('0:1024')
  })

  test('has its numbers as a table and as TSV, and its picture as PNG and SVG', async () => {
    await open(stream)
    await page.getByTestId('activation-table').click()
    const table = page.getByTestId('value-table')
    await table.waitFor()
    const { values } = savedOf(stream)
    const cell = table.getByRole('row').nth(1).getByRole('gridcell').first()
    expect(Math.abs(Number(await cell.textContent()) - (values[0] ?? Number.NaN))).toBeLessThan(1e-3)
    await photograph(page, 'hooks-values')
    const tsv = await savedFile(() => page.getByTestId('activation-tsv').click())
    const lines = readFileSync(tsv.path, 'utf8')
      .split('\n')
      .map(line => line.split('\t'))
    expect(lines[0]?.slice(0, 4)).toEqual(['position', 'token', 'd 0', 'd 1'])
    expect(lines).toHaveLength(15)
    expect(Number(lines[6]?.[2 + 100])).toBeCloseTo(values[5 * 128 + 100] ?? Number.NaN, 5)
    await page.getByTestId('activation-table').click()
    await page.getByTestId('heatmap').waitFor()
    const png = await savedFile(() => page.getByTestId('activation-png').click())
    expect(png.name).toBe(`splice-${stream}-spliced-l0_15.png`)
    expect(readFileSync(png.path).subarray(1, 4).toString()).toBe('PNG')
    const svg = readFileSync((await savedFile(() => page.getByTestId('activation-svg').click())).path, 'utf8')
    expect(svg).toContain(stream)
    expect(svg).toContain('·travel')
    expect((svg.match(/<rect/g) ?? []).length).toBeGreaterThan(1000)
  })

  test('shows the difference to another variant', async () => {
    await page.getByTestId('hooks-against').selectOption('clean')
    await page.getByTestId('show-difference').waitFor()
    await page.getByTestId('show-difference').selectOption('difference')
    const [x, y] = [savedOf(stream).values, savedOf(stream, 'clean').values]
    const at = await pointOf(6, 40, 14, 128)
    await page.mouse.move(at.x, at.y)
    const expected = (x[6 * 128 + 40] ?? 0) - (y[6 * 128 + 40] ?? 0)
    await expect.poll(async () => Number((await page.getByTestId('readout').textContent())?.split(': ').at(-1))).toBeCloseTo(expected, 3)
    await photograph(page, 'hooks-difference')
    await page.getByTestId('hooks-against').selectOption('')
  })
})

describe('saving', () => {
  test('some hook points to a path, as TransformerLens names and shapes them', async () => {
    await filter('')
    for (const name of [stream, acts]) {
      await filter(name)
      await page.getByTestId(`pick-${name}`).check()
    }
    await page.getByTestId('hooks-save').click()
    await page.getByTestId('save-picked').check()
    await page.getByTestId('save-folder').fill(files)
    await page.getByTestId('save-name').fill('some.safetensors')
    await photograph(page, 'hooks-save')
    await page.getByTestId('save-start').click()
    await page.getByTestId('save-done').waitFor()
    const written = readTensors(join(files, 'some.safetensors'))
    // The demo's workspace reads as the command line's run did, so the values are the same bit for bit.
    expect([...written.keys()]).toEqual([`spliced: l0_15/${acts}`, `spliced: l0_15/${stream}`])
    for (const name of [stream, acts]) expect(tensorOf(written, `spliced: l0_15/${name}`)).toEqual(savedOf(name))
  })

  test('asks before it replaces a file', async () => {
    await page.getByTestId('save-start').click()
    await page.getByTestId('save-exists').waitFor()
    expect(await page.getByTestId('save-start').textContent()).toBe('Replace')
    await page.getByTestId('save-start').click()
    await page.getByTestId('save-done').waitFor()
    expect(await page.getByTestId('save-exists').count()).toBe(0)
  })

  test('all of them as a download of the browser', async () => {
    await page.getByTestId('save-all').check()
    await page.getByTestId('save-all-variants').check()
    await page.getByTestId('save-name').fill('all.safetensors')
    const { path } = await savedFile(() => page.getByTestId('save-download').click())
    await page.getByTestId('save-done').waitFor()
    const written = readTensors(path)
    const ours = (prefix: string, tensors: Map<string, Tensor>) =>
      [...tensors.keys()].flatMap(name => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])).filter(name => name !== 'logits')
    expect(ours('clean/', written)).toEqual(ours('clean/', saved))
    expect(ours('spliced: l0_15/', written)).toEqual(ours('spliced/', saved))
    expect(tensorOf(written, `clean/${pattern}`)).toEqual(savedOf(pattern, 'clean'))
  })

  test('a folder that is not there is named, and nothing is written', async () => {
    await page.getByTestId('save-folder').fill(join(files, 'gone'))
    await page.getByTestId('save-start').click()
    const note = page.getByRole('dialog').getByTestId('error-note')
    await note.waitFor()
    expect(await note.textContent()).toContain(join(files, 'gone', 'all.safetensors'))
    await page.keyboard.press('Escape')
  })

  test('a folder is chosen in the dialog', async () => {
    await page.getByTestId('hooks-save').click()
    await page.getByTestId('save-folder').fill(files)
    await page.getByTestId('save-choose').click()
    await page.getByTestId('folder-path').waitFor()
    await expect.poll(() => page.getByTestId('folder-path').inputValue()).toBe(files)
    await page.getByTestId('folder-open').click()
    await page.getByTestId('save-folder').waitFor()
    expect(await page.getByTestId('save-folder').inputValue()).toBe(files)
    await page.keyboard.press('Escape')
  })
})

describe('long work', () => {
  test('shows what it is doing and is cancelled at once; what was there stays, and it comes when asked again', async () => {
    await filter(acts)
    const stuck = await processShown(page, 'status-inference')
    process.kill(stuck, 'SIGSTOP')
    try {
      await page.getByTestId('hooks-variant').selectOption('clean')
      await page.getByTestId('hooks-cancel').waitFor()
      await photograph(page, 'hooks-running')
      await page.getByTestId('hooks-cancel').click()
      await page.getByTestId('hooks-cancelled').waitFor()
      expect(await page.getByTestId(`hook-${acts}`).count()).toBe(1)
    } finally {
      try {
        process.kill(stuck, 'SIGCONT')
      } catch {
        // Cancelling has ended it already.
      }
    }
    await page.getByTestId('hooks-again').click()
    await expect.poll(() => page.getByTestId('no-hooks').textContent()).toContain('No hook point of clean')
  })

  test('a prompt that cannot run is said once, and the hook points of the run before stay', async () => {
    await page.getByTestId('prompt').fill('time '.repeat(600))
    await page.getByTestId('prompt').press('Enter')
    await page.getByTestId('error-note').waitFor()
    expect(await page.getByTestId('error-note').count()).toBe(1)
    expect(await page.getByTestId('error-note').textContent()).toContain('512')
    await runPrompt(page, 'Once upon a time')
    await filter('hook_embed')
    await expect.poll(() => page.getByTestId('hook-hook_embed').getByTestId('shape').textContent()).toContain('[1, 5, 128]')
  })

  test('nothing on the way was an error of the page', () => {
    expect(workbench.problems).toEqual([])
  })
})
