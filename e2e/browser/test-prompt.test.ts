/** Test prompt: several answers, token by token, under every variant; the peers' numbers; mistakes; cancel. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { golden } from '../golden.ts'
import { keepPictureOfFailures, openWorkbench, processShown, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
let workbench: Workbench
let page: Page

/** A variant's numbers of one token, as the table holds them. */
async function verdict(answer: number, place: number, variant: string) {
  const row = page.getByTestId(`verdict-${answer}-${place}`).locator(`[data-variant="${variant}"]`)
  const value = async (name: string) => Number(await row.locator(`[data-name="${name}"]`).getAttribute('data-value'))
  return {
    rank: Number(await row.locator('[data-name="rank"]').textContent()),
    logit: await value('logit'),
    probability: await value('probability'),
    logProb: await value('log-prob')
  }
}

async function testPrompt(): Promise<void> {
  await page.getByTestId('run').click()
  await page.getByTestId('run').waitFor()
  await page.getByTestId('answers').waitFor()
}

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  await page.getByTestId('nav-test-prompt').click()
  await page.getByTestId('answer-0').waitFor()
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

describe('on the demo', () => {
  test('an empty view says what belongs there, and an empty answer is refused', async () => {
    await photograph(page, 'test-prompt-empty')
    await page.getByTestId('answer-0').press('Enter')
    expect(await page.getByTestId('error-note').textContent()).toContain('answer 1 is empty')
  })

  test('several answers stand beside each other with the numbers of the command line', async () => {
    await page.getByTestId('prompt').fill('Would you be able to travel through time using a')
    await page.getByTestId('answer-0').fill('wormhole')
    await page.getByTestId('add-answer').click()
    await page.keyboard.type('machine')
    await page.getByTestId('add-answer').click()
    await page.getByTestId('answer-kind-2').selectOption('ids')
    await page.getByTestId('answer-2').fill('391')
    await page.getByTestId('answer-2').press('Enter')
    await page.getByTestId('answers').waitFor()
    expect(await page.getByTestId('error-note').count()).toBe(0)

    const schema = z.object({
      answers: z.array(
        z.object({
          tokens: z.array(
            z.object({ variants: z.array(z.object({ name: z.string(), rank: z.int(), logit: z.number(), probability: z.number() })) })
          )
        })
      )
    })
    const args = ['--sae', `l0_15=${demo.sae}`, '--variant', 'l0_15=l0_15', '--splice-positions', 'no-special']
    const { stdout } = await splice(
      [
        'test-prompt',
        '--model',
        demo.model,
        ...args,
        '--prompt',
        'Would you be able to travel through time using a',
        '--answer',
        'wormhole',
        '--answer',
        'machine',
        '--answer-ids',
        '391',
        '--json'
      ],
      { home: temporaryFolder() }
    )
    const { answers } = schema.parse(JSON.parse(stdout))
    for (const [at, { tokens }] of answers.entries()) {
      for (const [place, { variants }] of tokens.entries()) {
        for (const { name, rank, logit, probability } of variants) {
          const shown = await verdict(at, place, name === 'clean' ? 'clean' : `spliced: ${name}`)
          expect(shown.rank).toBe(rank)
          expect(Math.abs(shown.logit - logit)).toBeLessThan(1e-4)
          expect(Math.abs(shown.probability - probability)).toBeLessThan(1e-5)
        }
      }
    }
    const tokens = answers[0]?.tokens.length ?? 0
    expect(tokens).toBeGreaterThan(1)
    const each = await Promise.all(Array.from({ length: tokens }, (_, place) => verdict(0, place, 'clean')))
    const whole = page.getByTestId('whole-0').locator('[data-variant="clean"] [data-name="log-prob"]')
    const sum = each.reduce((total, { logProb }) => total + logProb, 0)
    expect(Math.abs(Number(await whole.getAttribute('data-value')) - sum)).toBeLessThan(1e-4)
    await photograph(page, 'test-prompt')
  })

  test('what is predicted at each token is looked at by keyboard, with the answer marked', async () => {
    await page.getByTestId('place-prompt').click()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    const chosen = page.getByTestId('verdict-0-1').locator('[aria-selected="true"]')
    await expect.poll(() => chosen.count()).toBeGreaterThan(0)
    const { rank } = await verdict(0, 1, 'clean')
    const beside = page.getByTestId('answer-predictions')
    expect(await beside.textContent()).toContain('1 token of the answer')
    if (rank < 10) expect(await beside.getByTestId(`top-clean-${rank}`).getAttribute('class')).toContain('actual')
    await photograph(page, 'test-prompt-token')
  })

  test('the table is copied with its full values', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('copy-answers').click()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    const { logit } = await verdict(0, 0, 'clean')
    expect(copied.split('\n')[0]).toBe('answer\tplace\tid\ttoken\tvariant\trank\tlogit\tprobability\tlog-prob')
    expect(copied).toContain(String(logit))
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('copy-answers-file').click()])
    expect(download.suggestedFilename()).toBe('splice-answers.tsv')
    expect(readFileSync(await download.path(), 'utf8')).toBe(copied)
  })

  test('the table sorts by any column, and goes back to the order of the answers', async () => {
    const table = page.getByTestId('answers')
    const shown = () =>
      table
        .locator('[data-variant] [data-name="log-prob"]')
        .evaluateAll(cells => cells.map(cell => Number(cell.getAttribute('data-value'))))
    const inOrder = await shown()
    await table.getByRole('button', { name: 'log-prob' }).click()
    expect(await shown()).toEqual([...inOrder].sort((a, b) => b - a))
    expect(await table.locator('th[data-column="logProb"]').getAttribute('aria-sort')).toBe('descending')
    await table.getByRole('button', { name: 'log-prob' }).click()
    expect(await shown()).toEqual([...inOrder].sort((a, b) => a - b))
    await table.getByRole('button', { name: 'token' }).click()
    expect(await shown()).toEqual(inOrder)
  })

  test('the space in front and BOS are switches', async () => {
    await page.getByLabel('Remove answer 3').click()
    await page.getByLabel('Remove answer 2').click()
    await page.getByTestId('answer-0').fill(' time')
    await testPrompt()
    await expect.poll(() => page.getByTestId('verdict-0-0').locator('td.token').getAttribute('title')).toBe('" time"')
    await page.getByTestId('prepend-space').uncheck()
    await page.getByTestId('answer-0').fill('time')
    await testPrompt()
    await expect.poll(() => page.getByTestId('verdict-0-0').locator('td.token').getAttribute('title')).not.toBe('" time"')
    const withBos = await verdict(0, 0, 'clean')
    await page.getByTestId('bos').uncheck()
    await testPrompt()
    await expect.poll(async () => (await verdict(0, 0, 'clean')).logit).not.toBe(withBos.logit)
    await page.getByTestId('bos').check()
  })

  test('ids that are none are named at their answer', async () => {
    await page.getByTestId('answer-kind-0').selectOption('ids')
    await page.getByTestId('answer-0').fill('54, 7x')
    expect(await page.getByTestId('answer-mistake').textContent()).toContain('“7x”, the 2nd, is not a token id')
    await photograph(page, 'test-prompt-mistake')
    await page.getByTestId('answers-top-k').fill('0')
    expect(await page.getByTestId('run').isDisabled()).toBe(true)
    await page.getByTestId('answers-top-k').fill('10')
    await page.getByTestId('answer-0').fill('54, 7')
  })

  test('a test is cancelled at once; what was shown before stays', async () => {
    const stuck = await processShown(page, 'status-inference')
    process.kill(stuck, 'SIGSTOP')
    await page.getByTestId('run').click()
    await page.getByTestId('cancel').click()
    await page.getByTestId('cancelled').getByText('earlier result shown').waitFor()
    process.kill(stuck, 'SIGKILL')
    await page.getByTestId('toast').first().waitFor()
    await page.getByTestId('prompt').fill(wormhole)
    await testPrompt()
    await expect.poll(() => page.getByTestId('cancelled').count()).toBe(0)
    await expect.poll(() => page.getByTestId('verdict-0-1').count()).toBe(1)
  })
})

describe("the peers' numbers", () => {
  const recorded = z
    .object({
      ids: z.array(z.int()),
      variants: z.object({
        processed: z.object({
          test_prompt: z.array(
            z.object({
              answers: z.array(z.array(z.int())),
              positions: z.array(
                z.object({ answers: z.array(z.object({ token: z.int(), rank: z.int(), logit: z.number(), prob: z.number() })) })
              )
            })
          )
        })
      })
    })
    .parse(JSON.parse(readFileSync(join(golden, 'runs/llama-tiny/p0.json'), 'utf8')))

  test('are on screen', async () => {
    await page.getByTestId('model-picker').click()
    await page.getByTestId('path-field').fill(join(golden, 'models/llama-tiny'))
    await page.getByTestId('path-field').press('Enter')
    await page.getByTestId('path-field').waitFor({ state: 'detached' })
    await expect.poll(() => page.getByTestId('model-picker').textContent()).toContain('llama-tiny')
    await page.getByTestId('mode-ids').check({ force: true })
    await page.getByTestId('prompt-ids').fill(recorded.ids.join(', '))
    const tests = recorded.variants.processed.test_prompt
    const several = tests.find(({ answers }) => answers.some(answer => answer.length > 1)) ?? tests[0]
    const [first, ...others] = several?.answers ?? []
    await page.getByTestId('answer-0').fill((first ?? []).join(' '))
    for (const [at, answer] of others.entries()) {
      await page.getByTestId('add-answer').click()
      await page.getByTestId(`answer-${at + 1}`).fill(answer.join(' '))
    }
    await testPrompt()
    await page.getByTestId('answers').getByText('first guess').waitFor()
    for (const [place, position] of (several?.positions ?? []).entries()) {
      for (const [at, { token, rank, logit, prob }] of position.answers.entries()) {
        await expect.poll(() => page.getByTestId(`verdict-${at}-${place}`).locator('td.faint').first().textContent()).toBe(String(token))
        const shown = await verdict(at, place, 'clean')
        expect(shown.rank).toBe(rank)
        expect(Math.abs(shown.logit - logit)).toBeLessThan(5e-4)
        expect(Math.abs(shown.probability - prob)).toBeLessThan(5e-4)
      }
    }
    expect(workbench.problems).toEqual([])
  })
})
