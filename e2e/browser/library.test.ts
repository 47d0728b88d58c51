/** The library: what is on this disk, what is published, downloads with their progress, another table of releases. */
import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { photograph } from '../chromium.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { cacheFile } from '../hub-cache.ts'
import { etagOf, type HubServer, startHubServer } from '../hub-server.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
const folder = realpathSync(temporaryFolder())
const cache = join(folder, 'hub')
const npz = join(demo.sae, 'params.npz')
const commit = 'd'.repeat(40)
const scope = 'google/gemma-scope-2b-pt-res'
const canonical = 'layer_20/width_16k/average_l0_71'
const wanted = 'layer_12/width_16k/average_l0_82'
const large = { bytes: randomBytes(6_000_000), lfs: true }
let hub: HubServer
let workbench: Workbench
let page: Page

beforeAll(async () => {
  hub = await startHubServer({
    [scope]: { commit, files: { [`${wanted}/params.npz`]: { bytes: readFileSync(npz), lfs: true } } },
    'acme/tiny': {
      commit,
      files: {
        'config.json': { bytes: readFileSync(join(demo.model, 'config.json')) },
        'model.safetensors': { ...large, misbehaves: { pause: 40 } }
      }
    }
  })
  for (const within of [canonical, 'layer_20/width_16k/average_l0_139', 'layer_5/width_65k/average_l0_58']) {
    cacheFile(cache, scope, `${within}/params.npz`, npz)
  }
  cacheFile(cache, 'google/gemma-scope-2b-pt-att', 'layer_3/width_16k/average_l0_117/params.npz', npz)
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) cacheFile(cache, 'acme/twin', name, join(demo.model, name))
  cacheFile(cache, 'acme/half', 'config.json', join(demo.model, 'config.json'))
  cacheFile(cache, 'acme/half', 'model.safetensors', join(demo.model, 'config.json'))

  const rows = [20, 5].flatMap(layer =>
    Array.from({ length: 40 }, (_, index) => ({
      modelId: 'gemma-2-2b',
      layer: `${layer}-gemmascope-res-${layer === 20 ? '16k' : '65k'}`,
      index: String(index),
      description: `what feature ${index} means`,
      explanationModelName: 'e',
      typeName: 't'
    }))
  )
  const file = join(folder, 'rows.json')
  writeFileSync(file, JSON.stringify(rows))
  expect(await splice(['import', file], { home })).toMatchObject({ code: 0 })

  workbench = await openWorkbench(home, { HF_HUB_CACHE: cache, HF_HOME: folder, HF_ENDPOINT: hub.url, HF_TOKEN: '', HF_HUB_OFFLINE: '' })
  page = workbench.page
})
afterAll(async () => {
  await workbench?.close()
  await hub?.close()
})
keepPictureOfFailures(() => page)

const saeRow = (within: string) => page.locator(`[data-testid="disk-sae"][data-path$="${within}"]`)
const mark = (key: string) => page.locator(`[data-testid="mark"][data-key="${key}"]`)

describe('what is on this disk', () => {
  test('is listed: models and SAEs of the demo and of the Hugging Face cache, and what cannot be read with its reason', async () => {
    await page.getByTestId('nav-library').click()
    await saeRow(canonical).waitFor()
    await page.getByTestId('scan').waitFor()
    expect(await page.getByTestId('disk-model').count()).toBe(2)
    expect(await saeRow(canonical).textContent()).toContain('gemma-2-2b/20-gemmascope-res-16k')
    expect(await saeRow('average_l0_139').textContent()).not.toContain('gemmascope-res-16k')
    expect(await page.getByTestId('unreadable').textContent()).toMatch(/acme\/half.*header/s)
    expect(await page.getByText('open', { exact: true }).count()).toBeGreaterThan(1)
    await photograph(page, 'library')
  })

  test('can be filtered, sorted and narrowed to what fits the open model', async () => {
    const names = () => page.getByTestId('disk-sae').evaluateAll(rows => rows.map(row => row.getAttribute('data-path') ?? ''))
    await page.getByTestId('library-filter').fill('layer_20 139')
    await expect.poll(names).toHaveLength(1)
    await page.getByTestId('library-filter').fill('')
    const all = await names()
    await page.getByTestId('saes').getByRole('button', { name: 'hook point' }).click()
    await expect.poll(async () => (await names())[0]).toContain('demo-scope-res/layer_1')
    await page.getByTestId('only-fitting').check()
    // The demo has four layers: SAEs of layer 20 and 5 have no place in it, one of hook_z is as wide there.
    await expect.poll(async () => (await names()).filter(name => /layer_(20|5)\//.test(name))).toEqual([])
    expect((await names()).length).toBeGreaterThan(2)
    await page.getByTestId('only-fitting').uncheck()
    await expect.poll(names).toHaveLength(all.length)
  })

  test('shows a model in TransformerLens’s words, and what each processing flag does to it', async () => {
    await page.locator(`[data-testid="disk-model"][data-path="${demo.model}"]`).click()
    const config = page.getByTestId('model-config')
    await config.waitFor()
    const text = (await config.textContent()) ?? ''
    for (const part of ['n_layers', 'normalization_type', 'RMS', 'attn_scores_soft_cap', 'local, global, local, global'])
      expect(text).toContain(part)
    expect(await page.getByTestId('effect-center_unembed').textContent()).toContain('soft-capped at 30')
    expect(await page.getByTestId('effect-fold_ln').textContent()).toContain('blocks.*.mlp.hook_in')
    await photograph(page, 'library-model')
  })

  test("shows an SAE's config and traps without its weights, and opens it with one click", async () => {
    await saeRow('demo-scope-res/layer_1/width_1k/average_l0_15').click()
    await page.getByTestId('sae-config').waitFor()
    expect(await page.getByTestId('sae-config').textContent()).toMatch(/W_enc.*\[128, 1024\]/s)
    await page.getByTestId('item-panel').getByTestId('trap-bos-left-out').waitFor()
    await photograph(page, 'library-sae')
    const open = await page.locator('[data-testid^="sae-picker-"]').count()
    await saeRow('demo-scope-res/layer_1/width_1k/average_l0_15').getByTestId('open-sae').click()
    await expect.poll(() => page.locator('[data-testid^="sae-picker-"]').count()).toBe(open + 1)
    await page.locator('[data-testid^="sae-picker-"]').last().click()
    await page.getByTestId('trap-bos-left-out').last().waitFor()
    await page.keyboard.press('Escape')
  })

  test('another folder is added, found and kept', async () => {
    const data = join(folder, 'data', 'more')
    mkdirSync(data, { recursive: true })
    writeFileSync(join(data, 'params.npz'), 'nothing')
    await page.getByTestId('library-folders').click()
    await page.getByTestId('folder-add').fill(join(folder, 'data'))
    await page.getByTestId('folder-add').press('Enter')
    await photograph(page, 'library-folders')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByTestId('unreadable').textContent()).toContain('more')
    expect(JSON.parse(readFileSync(join(home, 'settings.json'), 'utf8'))).toMatchObject({ library: { folders: [join(folder, 'data')] } })
  })
})

describe('what is published', () => {
  test('of a model is a picture of layers, widths and L0s that says what is here', async () => {
    await page.getByTestId('tab-published').click()
    await page.getByTestId('published-model').selectOption('gemma-2-2b')
    await page.getByTestId('family-gemma-scope-2b-pt').click()
    await mark(`${scope}/${canonical}`).waitFor()
    expect(await page.getByTestId('site-res').locator('[data-testid="mark"]').count()).toBe(316)
    expect(await page.getByTestId('site-transcoder').locator('[data-testid="mark"]').count()).toBe(26)
    const looks = async (key: string) => [await mark(key).getAttribute('data-state'), await mark(key).getAttribute('data-disk')]
    expect(await looks(`${scope}/${canonical}`)).toEqual(['explained', 'true'])
    expect(await looks(`${scope}/layer_20/width_16k/average_l0_139`)).toEqual(['none', 'true'])
    expect(await looks(`${scope}/layer_21/width_16k/average_l0_70`)).toEqual(['source', 'false'])
    await photograph(page, 'library-published')
    const [png] = await Promise.all([page.waitForEvent('download'), page.getByTestId('published-png').click()])
    expect(
      readFileSync(await png.path())
        .subarray(1, 4)
        .toString()
    ).toBe('PNG')
    copyFileSync(await png.path(), join(root, 'test-results', 'screenshots', 'library-published-picture.png'))
    const [svg] = await Promise.all([page.waitForEvent('download'), page.getByTestId('published-svg').click()])
    const drawn = readFileSync(await svg.path(), 'utf8')
    for (const text of ['gemma-scope-2b-pt', 'residual stream', '65k', 'on this disk']) expect(drawn).toContain(text)
  })

  test('a mark says how SAELens calls it, in both of its names', async () => {
    await mark(`${scope}/${canonical}`).click()
    const panel = page.getByTestId('published-panel')
    await panel.waitFor()
    const calls = await panel.getByTestId('from-pretrained').allTextContents()
    expect(calls).toEqual([
      `SAE.from_pretrained(release="gemma-scope-2b-pt-res", sae_id="${canonical}")`,
      'SAE.from_pretrained(release="gemma-scope-2b-pt-res-canonical", sae_id="layer_20/width_16k/canonical")'
    ])
    expect(await panel.textContent()).toContain('40 in the mirror')
    await photograph(page, 'library-published-panel')
    // The keys go to the neighbours: in L0, then along the layers.
    await page.getByTestId('site-res').getByRole('listbox').focus()
    await page.keyboard.press('ArrowUp')
    await expect.poll(() => panel.locator('h2').textContent()).toBe('layer_20/width_16k/average_l0_139')
    await page.keyboard.press('ArrowRight')
    await expect.poll(() => panel.locator('h2').textContent()).toMatch(/^layer_21\/width_16k/)
    expect(page.url()).toContain('layer_21')
  })

  test('other models have their own pictures', async () => {
    await page.getByTestId('published-model').selectOption('gpt2-small')
    await page.getByTestId('family-gpt2-small-v5').click()
    await page.getByTestId('site-mlp').waitFor()
    await photograph(page, 'library-published-gpt2')
    await page.getByTestId('published-model').selectOption('gemma-2-2b')
    await page.getByTestId('family-sae_bench_gemma-2-2b_topk').click()
    await page.getByTestId('site-res').waitFor()
    await photograph(page, 'library-published-bench')
  })
})

describe('a download', () => {
  test('of a published SAE ends on this disk, and can be opened there', async () => {
    await page.getByTestId('family-gemma-scope-2b-pt').click()
    await mark(`${scope}/${wanted}`).click()
    expect(hub.requests).toEqual([])
    await page.getByTestId('published-download').click()
    await page.locator('[data-testid="download"][data-state="done"]').waitFor()
    await page.getByTestId('published-open').waitFor()
    expect(await mark(`${scope}/${wanted}`).getAttribute('data-disk')).toBe('true')
    expect(existsSync(join(cache, 'models--google--gemma-scope-2b-pt-res', 'snapshots', commit, wanted, 'params.npz'))).toBe(true)
  })

  test('shows how far it is, is cancelled, and goes on where it stopped', async () => {
    await page.getByTestId('download-open').click()
    await page.getByTestId('download-repo').fill('acme/tiny')
    await photograph(page, 'library-download')
    await page.getByTestId('download-start').click()
    const running = page.locator('[data-testid="download"][data-state="running"]')
    await running.getByText(/MB of 6\.0 MB/).waitFor()
    await page.getByTestId('status-downloads').waitFor()
    await photograph(page, 'library-downloads')
    await running.getByTestId('download-cancel').click()
    await page.locator('[data-testid="download"][data-state="cancelled"]').waitFor()
    const partial = join(cache, 'models--acme--tiny', 'blobs', `${etagOf(large)}.splice.incomplete`)
    const kept = statSync(partial).size
    expect(kept).toBeGreaterThan(0)
    const file = hub.repositories['acme/tiny']?.files['model.safetensors']
    if (file !== undefined) delete file.misbehaves
    await page.getByTestId('download-again').click()
    await page.locator('[data-testid="download"][data-state="done"]').nth(1).waitFor()
    expect(hub.contentsOf('model.safetensors').at(-1)?.range).toBe(`bytes=${kept}-`)
    expect(readFileSync(join(cache, 'models--acme--tiny', 'snapshots', commit, 'model.safetensors'))).toEqual(large.bytes)
  })

  test('of what is not there says so', async () => {
    await page.getByTestId('download-open').click()
    await page.getByTestId('download-repo').fill('not a repository')
    await page.getByTestId('download-start').click()
    await page.getByText(/is no repository of the hub/).waitFor()
    await page.getByTestId('download-repo').fill('acme/none')
    await page.getByTestId('download-start').click()
    await page
      .locator('[data-testid="download"][data-state="failed"]')
      .getByText(/there is no acme\/none/)
      .waitFor()
    await photograph(page, 'library-download-failed')
  })

  test('a token is kept where nobody else reads it, and forgotten', async () => {
    await page.getByTestId('download-open').click()
    expect(await page.getByTestId('token-state').textContent()).toContain('None')
    await page.getByTestId('token').fill('hf_secret_token')
    await page.getByTestId('token-keep').click()
    await expect.poll(() => page.getByTestId('token-state').textContent()).toContain('readable by you alone')
    expect(statSync(join(home, 'hub-token')).mode & 0o777).toBe(0o600)
    await page.getByTestId('token-forget').click()
    await expect.poll(() => existsSync(join(home, 'hub-token'))).toBe(false)
    await page.keyboard.press('Escape')
  })
})

describe('the table of releases', () => {
  test('is replaced by a newer one and comes back', async () => {
    const yaml = join(folder, 'pretrained_saes.yaml')
    writeFileSync(
      yaml,
      `brand-new-release:\n  repo_id: ${scope}\n  model: gemma-2-2b\n  conversion_func: gemma_2\n  saes:\n  - {id: new, path: layer_9/new, l0: 5}\n`
    )
    await page.getByTestId('catalogue').click()
    await page.getByTestId('catalogue-path').fill(join(folder, 'nothing.yaml'))
    await page.getByTestId('catalogue-update').click()
    await page.getByText(/nothing.yaml does not exist/).waitFor()
    await page.getByTestId('catalogue-path').fill(yaml)
    await page.getByTestId('catalogue-update').click()
    await page.getByTestId('family-brand-new-release').waitFor()
    expect(await page.getByTestId('catalogue-state').textContent()).toContain(yaml)
    await photograph(page, 'library-catalogue')
    await page.getByTestId('catalogue-reset').click()
    await expect.poll(() => page.getByTestId('family-brand-new-release').count()).toBe(0)
    await page.keyboard.press('Escape')
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
