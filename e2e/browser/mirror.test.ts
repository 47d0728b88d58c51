/** The mirror's sources: in numbers, imported, synced, removed, checked, backed up; and what other views make of them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { writeBulkFiles } from '../../fixtures/synthetic-explanations.ts'
import { runResult } from '../../src/contract/run.ts'
import { type BucketServer, startBucketServer } from '../bucket-server.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
const folder = temporaryFolder()
const demoSource = 'demo-gemma2-tiny/2-demo-res-1k'
const wrongSource = 'gemma-2-2b/3-gemmascope-transcoder-16k'
const syncedSource = 'gemma-2-2b/20-gemmascope-res-16k'
let bucket: BucketServer
let workbench: Workbench
let page: Page

const row = z.object({ index: z.string(), description: z.string(), explanationModelName: z.string().nullish() })
const rows = z.array(row).parse(JSON.parse(readFileSync(join(demo.explanations, '2-demo-res-1k.json'), 'utf8')))

/** Explanations of features 0, 1, ... whose embeddings turn a little further each, so that neighbours are known. */
function bulkRows(source: string, count: number): string[] {
  const [modelId, layer] = source.split('/')
  return Array.from({ length: count }, (_, index) => {
    const angle = (index * Math.PI) / 2 / count
    const embedding = Array.from({ length: 256 }, (_, at) => (at === 0 ? Math.cos(angle) : at === 1 ? Math.sin(angle) : 0))
    return JSON.stringify({
      id: `${layer}-${index}`,
      modelId,
      layer,
      index: String(index),
      description: `wormholes of kind ${index}`,
      embedding,
      explanationModelName: 'gpt-4o-mini',
      typeName: 'oai_token-act-pair',
      authorId: 'someone'
    })
  })
}

const featureRows = (source: string) =>
  [0, 1, 2].map(index => {
    const [modelId, layer] = source.split('/')
    return JSON.stringify({
      modelId,
      layer,
      index: String(index),
      maxActApprox: 10 + index,
      frac_nonzero: 0.01,
      freq_hist_data_bar_values: [1, 3, 5],
      freq_hist_data_bar_heights: [60, 30, 10],
      logits_hist_data_bar_values: [-1, 0, 1],
      logits_hist_data_bar_heights: [5, 90, 5],
      pos_str: [' hole'],
      pos_values: [1.5],
      neg_str: [' wall'],
      neg_values: [-1.25]
    })
  })

beforeAll(async () => {
  const bulk = join(folder, 'bulk/v1', wrongSource, 'explanations')
  mkdirSync(bulk, { recursive: true })
  writeFileSync(join(bulk, 'batch-0.jsonl'), [...bulkRows(wrongSource, 40), '{"modelId":"gemma-2-2b"', '{"index":"x"}', ''].join('\n'))
  bucket = await startBucketServer({
    [`v1/${syncedSource}/explanations/batch-0.jsonl.gz`]: gzipSync(bulkRows(syncedSource, 30).join('\n')),
    [`v1/${syncedSource}/features/batch-0.jsonl.gz`]: gzipSync(featureRows(syncedSource).join('\n')),
    'v1/gemma-2-2b/21-gemmascope-res-16k/explanations/batch-0.jsonl.gz': gzipSync(
      bulkRows('gemma-2-2b/21-gemmascope-res-16k', 5).join('\n')
    )
  })
  workbench = await openWorkbench(home)
  page = workbench.page
  await page.waitForFunction(() =>
    /4,138 explanations, 4\s+sources$/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent?.trim() ?? '')
  )
})
afterAll(async () => {
  await workbench?.close()
  await bucket?.close()
})
keepPictureOfFailures(() => page)

const textOf = async (testid: string) => ((await page.getByTestId(testid).textContent()) ?? '').trim()
const inMirror = (source: string) => {
  const database = new Sqlite(join(home, 'mirror.sqlite'), { readonly: true })
  try {
    return database
      .prepare("SELECT count(*) FROM explanations e JOIN sources s ON s.id = e.source WHERE s.model || '/' || s.layer = ?")
      .pluck()
      .get(source)
  } finally {
    database.close()
  }
}

describe('a source', () => {
  test('is told in the numbers that a notebook would count', async () => {
    await page.getByTestId('nav-explanations').click()
    await page.getByTestId('tab-sources').click()
    await page.getByTestId(`source-${demoSource}`).click()
    await page.getByTestId('overview-rows').waitFor()
    const features = new Set(rows.map(({ index }) => index)).size
    const texts = new Set(rows.map(({ description }) => description)).size
    const repeated = rows.length - new Set(rows.map(({ index, description }) => `${index} ${description}`)).size
    const counted = await Promise.all(['rows', 'features', 'without', 'distinct', 'duplicates'].map(name => textOf(`overview-${name}`)))
    const known = [rows.length, features, 1024 - features, texts, repeated].map(number => number.toLocaleString('en-US'))
    expect(counted).toEqual(known)
    const explainers = (await textOf('overview-explainers')).replaceAll(/\s+/g, '')
    for (const name of new Set(rows.map(({ explanationModelName }) => explanationModelName))) {
      const count = rows.filter(({ explanationModelName }) => explanationModelName === name).length
      expect(explainers).toContain(`${name}${count.toLocaleString('en-US')}`)
    }
    await photograph(page, 'sources')
  })

  test('is held to its SAE: the logits that are mirrored are the SAE’s own', async () => {
    await page.getByTestId('logit-check-start').click()
    await page.locator('[data-testid="logit-check"][data-verdict="agrees"]').waitFor()
  })
})

describe('an import', () => {
  test('shows what it did, and every row that it rejected with the reason', async () => {
    await page.getByTestId('import-open').click()
    await page.getByTestId('import-path').fill(join(folder, 'bulk'))
    await page.getByTestId('import-embeddings').check()
    await page.getByTestId('import-start').click()
    await page.getByTestId('import-summary').waitFor()
    expect((await textOf('import-summary')).replaceAll(/\s+/g, ' ')).toMatch(/imported 40 .*rejected 2 .*embeddings 40/)
    const rejected = page.getByTestId('rejects').locator('tbody tr')
    await rejected.first().waitFor()
    expect((await rejected.allTextContents()).map(text => /batch-0\.jsonl(\d+)/.exec(text)?.[1])).toEqual(['41', '42'])
    await photograph(page, 'import-rejects')
    await page.keyboard.press('Escape')
    await page.getByTestId(`source-${wrongSource}`).getByTestId('source-badge').waitFor()
  })

  test('of a folder that is not there says so, and can be tried again', async () => {
    await page.getByTestId('import-open').click()
    await page.getByTestId('import-path').fill(join(folder, 'nowhere'))
    await page.getByTestId('import-start').click()
    await page.getByTestId('error-note').waitFor()
    expect(await textOf('error-note')).toContain('nowhere')
    await page.getByTestId('import-again').waitFor()
    await page.keyboard.press('Escape')
  })
})

describe('a sync', () => {
  test('says what it will take before it starts, brings what was chosen, and shows what came', async () => {
    await page.getByTestId('sync-open').click()
    await page.locator('summary', { hasText: 'Where from' }).click()
    await page.getByTestId('sync-endpoint').fill(bucket.url)
    await page.getByTestId('sync-list-models').click()
    await page.getByTestId('sync-list-models').getByText('1 model').waitFor()
    await page.getByTestId('sync-model').fill('gemma-2-2b')
    await page.getByTestId('sync-list-sources').click()
    await page.getByTestId(`sync-source-${syncedSource}`).check()
    expect(bucket.fetched()).toEqual([])
    await page.getByTestId('sync-embeddings').check()
    await page.getByTestId('sync-plan').click()
    await page.getByTestId('sync-estimate').waitFor()
    expect((await textOf('sync-estimate')).replaceAll(/\s+/g, ' ')).toMatch(/files 2 of 1 source/)
    await photograph(page, 'sync-estimate')
    await page.getByTestId('sync-start').click()
    await page.locator('[data-testid="sync-progress"][data-state="done"]').waitFor()
    expect((await textOf('sync-summary')).replaceAll(/\s+/g, ' ')).toMatch(/imported 33 /)
    await photograph(page, 'sync-done')
    await page.keyboard.press('Escape')
    await page.getByTestId(`source-${syncedSource}`).waitFor()
    expect(inMirror(syncedSource)).toBe(30)
    expect(inMirror('gemma-2-2b/21-gemmascope-res-16k')).toBe(0)
  })

  test('fetches nothing again that has not changed', async () => {
    const before = bucket.fetched().length
    await page.getByTestId(`source-${syncedSource}`).click()
    await page.getByTestId('sync-source').click()
    expect(await page.getByTestId('sync-named').inputValue()).toBe(syncedSource)
    await page.locator('summary', { hasText: 'Where from' }).click()
    await page.getByTestId('sync-endpoint').fill(bucket.url)
    await page.getByTestId('sync-embeddings').check()
    await page.getByTestId('sync-plan').click()
    await page.getByTestId('sync-nothing').waitFor()
    expect(bucket.fetched().length).toBe(before)
    await page.keyboard.press('Escape')
  })
})

describe('a feature page', () => {
  test('shows neighbours by cosine, the logit histogram, and the way to Neuronpedia that asks nothing by itself', async () => {
    const asked: string[] = []
    page.on('request', request => {
      if (request.url().includes('neuronpedia.org')) asked.push(request.url())
    })
    await page.goto(`${new URL(page.url()).origin}/#/feature/${syncedSource}/1`)
    await page.getByTestId('neighbours').locator('tbody tr').first().waitFor()
    const near = await page
      .getByTestId('neighbours')
      .locator('tbody tr')
      .evaluateAll(list => list.map(line => [line.querySelector('td.number')?.textContent, line.querySelector('a')?.textContent]))
    const cosine = (steps: number) => Math.cos((steps * Math.PI) / 2 / 30).toFixed(3)
    expect(near.slice(0, 4)).toEqual([
      [cosine(1), expect.stringMatching(/^[02]$/)],
      [cosine(1), expect.stringMatching(/^[02]$/)],
      [cosine(2), '3'],
      [cosine(3), '4']
    ])
    await page.getByTestId('logit-histogram').waitFor()
    expect(await page.getByTestId('top-logits').textContent()).toContain('+1.500')
    expect(await page.getByTestId('neuronpedia').getAttribute('href')).toBe(`https://www.neuronpedia.org/${syncedSource}/1`)
    expect(await page.getByTestId('feature-explanations').textContent()).toContain('someone')
    expect(asked).toEqual([])
    await photograph(page, 'feature-synced')
  })

  test('frames Neuronpedia’s dashboard only when asked, locked down', async () => {
    await page.route('https://www.neuronpedia.org/**', route =>
      route.fulfill({ contentType: 'text/html', body: '<title>n</title><p>dashboard</p>' })
    )
    await page.getByTestId('neuronpedia-show').click()
    await page.frameLocator('[data-testid="neuronpedia-frame"]').getByText('dashboard').waitFor()
    const frame = page.getByTestId('neuronpedia-frame')
    expect(await frame.getAttribute('src')).toMatch(/^https:\/\/www\.neuronpedia\.org\/gemma-2-2b\/20-gemmascope-res-16k\/1\?embed=true/)
    expect(await frame.getAttribute('sandbox')).toBe('allow-scripts allow-same-origin')
    expect([await frame.getAttribute('referrerpolicy'), await frame.getAttribute('credentialless')]).toEqual(['no-referrer', ''])
  })

  test('keeps a note and lists, which Lists and notes shows and a reload finds', async () => {
    await page.getByTestId('note').fill('opens at both ends')
    await page.getByTestId('note-kept').waitFor()
    await page.getByTestId('mark-new-list').fill('holes')
    await page.getByTestId('mark-new-list').press('Enter')
    await page.getByTestId('mark-holes').waitFor()
    await page.reload()
    await page.waitForFunction(() => document.querySelector<HTMLTextAreaElement>('[data-testid="note"]')?.value === 'opens at both ends')
    await page.goto(`${new URL(page.url()).origin}/#/explanations/lists`)
    await page.getByTestId('list-holes').click()
    await page.getByTestId(`entry-${syncedSource}/1`).waitFor()
    const entry = await page.getByTestId(`entry-${syncedSource}/1`).textContent()
    expect(entry).toContain('opens at both ends')
    expect(entry).toContain('wormholes of kind 1')
    await photograph(page, 'lists')
    await page.getByRole('button', { name: 'Take feature 1 out of the list' }).click()
    await page.getByTestId(`entry-${syncedSource}/1`).waitFor({ state: 'detached' })
    await page.getByTestId('toast-action').click()
    await page.getByTestId(`entry-${syncedSource}/1`).waitFor()
  })

  test('is found by its note beside the explanations of others', async () => {
    await page.goto(`${new URL(page.url()).origin}/#/explanations?q=BOTH+ends`)
    const own = page.getByTestId('own-hits')
    await own.getByText('opens at').waitFor()
    expect(await own.locator('mark').textContent()).toBe('both ends')
    await photograph(page, 'search-notes')
    await own.getByRole('link', { name: `${syncedSource}/1` }).click()
    await page.getByTestId('note').waitFor()
    expect(await page.getByTestId('note').inputValue()).toBe('opens at both ends')
  })

  test('of a source that is known to be wrong says so', async () => {
    await page.goto(`${new URL(page.url()).origin}/#/feature/${wrongSource}/3`)
    await page.getByTestId('trap-transcoder-source-on-wrong-tensor').waitFor()
    await photograph(page, 'feature-wrong')
  })

  test('reads a feature on every token of the run, also where a run lists only stronger ones', async () => {
    await page.getByTestId('nav-compare').click()
    const prompt = await page.getByTestId('prompt').inputValue()
    const { stdout } = await splice(
      ['run', '--model', demo.model, '--sae', demo.sae, '--prompt', prompt, '--variants', 'clean', '--top-features', '1000', '--json'],
      { home }
    )
    const [sae] = runResult.parse(JSON.parse(stdout)).saes
    const fired = sae?.byVariant.clean?.features ?? []
    const weak = fired
      .flatMap(list => list.slice(12))
      .find(({ index }) => !fired.some(list => list.slice(0, 12).some(strong => strong.index === index)))
    expect(weak).toBeDefined()
    const expected = fired.map(list => Number(list.find(({ index }) => index === weak?.index)?.activation ?? 0))
    await page.goto(`${new URL(page.url()).origin}/#/feature/${demoSource}/${weak?.index}`)
    await page.getByTestId('feature-run').getByText('Not among the 12 strongest').waitFor()
    await page.getByTestId('read-exactly').click()
    await page.getByTestId('read-exactly').waitFor({ state: 'detached' })
    const clean = page.getByTestId('feature-run').locator('li', { hasText: 'clean' })
    await clean.waitFor()
    const values = await clean.locator('[data-at]').evaluateAll(boxes => boxes.map(box => Number(box.getAttribute('data-value'))))
    expect(values).toHaveLength(expected.length)
    for (const [at, value] of values.entries()) expect(value).toBeCloseTo(expected[at] ?? Number.NaN, 4)
  })
})

describe('the mirror', () => {
  test('is checked, backed up and compacted', async () => {
    await page.goto(`${new URL(page.url()).origin}/#/explanations/sources`)
    await page.getByTestId('mirror-check').click()
    await page.getByTestId('mirror-checked').waitFor()
    expect(await textOf('mirror-checked')).toMatch(/whole: 4,208 explanations/)
    await page.getByTestId('mirror-backup').click()
    await page.getByTestId('backup-folder').fill(folder)
    await page.getByTestId('backup-name').fill('copy.sqlite')
    await page.getByTestId('backup-start').click()
    await page.getByTestId('mirror-backed-up').waitFor()
    const copy = new Sqlite(join(folder, 'copy.sqlite'), { readonly: true })
    expect(copy.prepare('SELECT count(*) FROM explanations').pluck().get()).toBe(4208)
    copy.close()
    await page.getByTestId('mirror-compact').click()
    await page.getByTestId('mirror-compacted').waitFor()
    await photograph(page, 'mirror-care')
    expect(existsSync(join(home, 'mirror.sqlite'))).toBe(true)
  })

  test('loses a source that is removed unless that is undone, and Compare offers to bring it back', async () => {
    await page.getByTestId(`source-${demoSource}`).click()
    await page.getByTestId('remove-source').click()
    await page.getByTestId('toast-action').click()
    await page.getByTestId('remove-source').click()
    await page.getByTestId('remove-now').click()
    await page.getByTestId(`source-${demoSource}`).waitFor({ state: 'detached' })
    expect(inMirror(demoSource)).toBe(0)

    await page.getByTestId('nav-compare').click()
    await page.locator('[data-position="3"]').first().click()
    await page.getByTestId('offer-l0_15').first().waitFor()
    await photograph(page, 'compare-offer')
    await page.getByTestId('offer-import').first().click()
    await page.getByTestId('import-path').fill(join(demo.explanations, '2-demo-res-1k.json'))
    await page.getByTestId('import-start').click()
    await page.getByTestId('import-summary').waitFor()
    await page.keyboard.press('Escape')
    await page.getByTestId('offer-l0_15').first().waitFor({ state: 'detached' })
    expect(inMirror(demoSource)).toBe(rows.length)
    // The run that is shown has its explanations again, without running anew.
    await page.locator('[data-testid^="feature-l0_15-"] .explanation').first().waitFor()
  })
})

describe('explanations that are not the SAE’s', () => {
  test('are warned of where mirrored logits are other ones, on the feature page and in Compare', async () => {
    const [modelId, layer] = demoSource.split('/')
    // The source's statistics went with it; these say other tokens than the SAE's decoder.
    const features = Array.from({ length: 40 }, (_, index) =>
      JSON.stringify({
        modelId,
        layer,
        index: String(index),
        maxActApprox: 1,
        frac_nonzero: 0.1,
        pos_str: [' qua', ' xi', ' zz'],
        pos_values: [3, 2, 1],
        neg_str: [],
        neg_values: []
      })
    )
    const file = join(folder, 'other-features.jsonl')
    writeFileSync(file, features.join('\n'))
    await page.evaluate(path => {
      Object.assign(window, { splice: { host: 'electron', pathOf: () => path } })
      const dropped = new DataTransfer()
      dropped.items.add(new File([], 'other-features.jsonl'))
      window.dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, cancelable: true }))
    }, file)
    await page.getByTestId('import-summary').waitFor()
    expect((await textOf('import-summary')).replaceAll(/\s+/g, ' ')).toMatch(/imported 40 /)
    await page.goto(`${new URL(page.url()).origin}/#/feature/${demoSource}/0`)
    await page.reload()
    await page.locator('[data-testid="logit-check"][data-verdict="disagrees"]').waitFor()
    await photograph(page, 'feature-other-logits')
    await page.getByTestId('nav-compare').click()
    await page.locator('[data-position="3"]').first().click()
    await page.locator('[data-testid="logit-check"][data-verdict="disagrees"]').first().waitFor()
  })
})

describe('an import that is cancelled', () => {
  test('stops at once, keeps what is stored, and goes on to the last row', async () => {
    const bulk = join(folder, 'many')
    const count = 150_000
    await writeBulkFiles(bulk, { rows: count, embeddings: false, vocabulary: 5000, model: 'many-2b', width: 200_000 })
    await page.getByTestId('nav-explanations').click()
    await page.getByTestId('import-open').click()
    await page.getByTestId('import-path').fill(bulk)
    await page.getByTestId('import-start').click()
    await page.waitForFunction(() => /[1-9]/.test(document.querySelector('[data-testid="import-rows"]')?.textContent ?? ''))
    expect(await textOf('import-rate')).toMatch(/^[\d,]+ rows\/s$/)
    await page.getByTestId('import-cancel').click()
    await page.getByTestId('import-cancelled').waitFor()
    const stored = Number(inMirror('many-2b/0-synthetic-res-0'))
    expect(stored).toBeGreaterThan(0)
    expect(stored).toBeLessThan(count)
    await page.getByTestId('import-again').click()
    await page.getByTestId('import-summary').waitFor()
    expect(inMirror('many-2b/0-synthetic-res-0')).toBe(count)
    await page.keyboard.press('Escape')
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
