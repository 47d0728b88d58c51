/** Prompts as people write them: text, chats by the model's template or their own, token ids; and kept under names. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { photograph } from '../chromium.ts'
import { demo, temporaryFolder } from '../command-line.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, stripValues, type Workbench } from '../workbench.ts'

/** As Gemma's chat models have it: turns in order, and no system message. */
const template = `{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}`
const home = temporaryFolder()
const chatModel = join(temporaryFolder(), 'demo-chat')
let workbench: Workbench
let page: Page

const mode = (name: 'text' | 'chat' | 'ids') => page.getByTestId(`mode-${name}`).check({ force: true })
const count = async () => Number(await page.getByTestId('token-count').getAttribute('data-count'))
const message = (at: number) => page.getByTestId(`chat-message-${at}`).locator('textarea')

beforeAll(async () => {
  cpSync(demo.model, chatModel, { recursive: true })
  const config = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(join(demo.model, 'tokenizer_config.json'), 'utf8')))
  writeFileSync(join(chatModel, 'tokenizer_config.json'), JSON.stringify({ ...config, chat_template: template }))
  workbench = await openWorkbench(home)
  page = workbench.page
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

describe('token ids', () => {
  test('begin as those of what was written, and run to the same numbers', async () => {
    const before = await stripValues(page, 'strip-clean', 'data-logprob')
    await expect.poll(count).toBe(14)
    await mode('ids')
    const field = page.getByTestId('prompt-ids')
    expect((await field.inputValue()).split(', ')).toHaveLength(14)
    await afterRun(page, () => field.press('Enter'))
    expect(await stripValues(page, 'strip-clean', 'data-logprob')).toEqual(before)
    await photograph(page, 'prompt-ids')
  })

  test('a wrong one is named while it is typed, and nothing runs', async () => {
    const field = page.getByTestId('prompt-ids')
    await field.fill('2, 106, 12a')
    const note = page.getByTestId('error-note')
    expect(await note.textContent()).toContain('“12a”, the 3rd, is not a token id')
    expect(await page.getByTestId('run').isDisabled()).toBe(true)
    await field.fill('2, 999999')
    await expect.poll(() => note.textContent()).toContain('token id 999999, the 2nd')
    await photograph(page, 'prompt-ids-wrong')
  })

  test('BOS is not doubled, and who doubles it is warned', async () => {
    await page.getByTestId('prompt-ids').fill('2, 2, 106')
    await page.getByText('the prompt starts with BOS twice').waitFor()
    await mode('text')
    await page.getByTestId('prompt').fill('<bos>Once upon a time')
    await page.getByText('the text starts with BOS itself').waitFor()
    const own = await count()
    await page.getByTestId('prompt').fill('Once upon a time')
    await expect.poll(async () => (await page.getByTestId('token-count').textContent())?.includes('BOS added')).toBe(true)
    expect(await count()).toBe(own)
  })
})

describe('a chat', () => {
  test('of a model without a template says so, and can be written by one of the own', async () => {
    await mode('chat')
    await message(0).fill('What is a wormhole?')
    await expect.poll(() => page.getByTestId('error-note').textContent()).toContain('has no chat template')
    await page.getByTestId('chat-template').click()
    await page.getByTestId('template-origin').getByText('no chat template').waitFor()
    const source = page.getByTestId('template-source')
    await source.fill('{% for %}')
    await expect.poll(() => page.getByRole('dialog').getByTestId('error-note').count()).toBe(1)
    expect(await page.getByTestId('template-use').isDisabled()).toBe(true)
    await source.fill(
      '{{ bos_token }}{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}{% if add_generation_prompt %}me:{% endif %}'
    )
    await page.getByRole('dialog').getByTestId('prompt-tokens').waitFor()
    await photograph(page, 'chat-template')
    await page.getByTestId('template-use').click()
    await expect.poll(count).toBeGreaterThan(8)
    await afterRun(page, () => page.getByTestId('run').click())
    expect(await page.getByTestId('strip-clean').first().locator('[data-position="0"]').textContent()).toBe('<bos>')
  })

  test('of a model that has one is written by it; turns are marked and named', async () => {
    await page.getByTestId('chat-template').click()
    await page.getByTestId('template-reset').click()
    await page.keyboard.press('Escape')
    await page.getByTestId('model-picker').click()
    await page.getByTestId('path-field').fill(chatModel)
    await afterRun(page, () => page.getByTestId('path-field').press('Enter'))
    await page.getByTestId('chat-template').click()
    await page.getByTestId('template-origin').getByText(join(chatModel, 'tokenizer_config.json')).waitFor()
    expect(await page.getByTestId('template-source').inputValue()).toBe(template)
    await page.keyboard.press('Escape')

    await page.getByTestId('chat-add').click()
    await page.keyboard.type('A tunnel.')
    await page.getByTestId('chat-add').click()
    await page.keyboard.type('Could one travel through it?')
    await expect.poll(() => page.getByTestId('error-note').count()).toBe(0)
    await afterRun(page, () => page.keyboard.press('Enter'))
    const roles = await page.getByTestId('strip-roles').locator('[data-role]').allTextContents()
    expect(roles.filter(role => role !== '')).toEqual(expect.arrayContaining(['user', 'assistant', "model's turn"]))
    expect(await page.getByTestId('strip-clean').first().locator('[data-position="2"]').getAttribute('aria-label')).toMatch(
      /position 2, user$/
    )
    await page.getByTestId('token-count').click()
    const turns = await page
      .getByTestId('prompt-tokens')
      .locator('[data-role]')
      .evaluateAll(all => all.map(turn => turn.getAttribute('data-role')))
    expect(turns).toEqual(['user', 'assistant', 'user', 'prompt'])
    await photograph(page, 'chat')
    await page.getByTestId('token-count').click()
  })

  test('what the template refuses is said where it is written', async () => {
    await page.getByLabel('Role of message 1').selectOption('system')
    await expect.poll(() => page.getByTestId('error-note').textContent()).toContain('System role not supported')
    await page.getByTestId('run').click()
    await page.getByTestId('earlier-shown').waitFor()
    expect(await page.getByTestId('error-note').count()).toBe(1)
    await page.getByLabel('Role of message 1').selectOption('user')
    await expect.poll(() => page.getByTestId('error-note').count()).toBe(0)
  })

  test('messages move by keyboard and by mouse, and go', async () => {
    await message(2).press('Alt+ArrowUp')
    expect(await message(1).inputValue()).toBe('Could one travel through it?')
    expect(await message(1).evaluate(element => element === document.activeElement)).toBe(true)
    await page.getByTestId('chat-message-1').locator('.handle').dragTo(page.getByTestId('chat-message-2'))
    expect(await message(2).inputValue()).toBe('Could one travel through it?')
    await page.getByLabel('Move message 3 up').click()
    expect(await message(1).inputValue()).toBe('Could one travel through it?')
    await page.getByLabel('Remove message 1').click()
    expect(await page.locator('[data-testid^="chat-message-"]').count()).toBe(2)
    const opened = await count()
    await page.getByTestId('chat-open-turn').uncheck()
    await expect.poll(count).toBeLessThan(opened)
  })
})

describe('the prompt library', () => {
  const names = () => page.getByTestId('saved-prompt').evaluateAll(all => all.map(each => each.getAttribute('data-name')))
  const open = () => page.getByTestId('prompt-library').click()

  test('keeps the present prompt, finds it, and gives it back as it was', async () => {
    await open()
    await page.getByTestId('prompt-name').fill('My talk')
    await page.getByTestId('prompt-name').press('Enter')
    await expect.poll(names).toContain('My talk')
    await page.getByTestId('prompt-search').fill('tunnel')
    await expect.poll(names).toEqual(['Chat: a second turn', 'My talk'])
    await photograph(page, 'prompt-library')
    await page.getByTestId('prompt-search').fill('once upon')
    await page.getByTestId('prompt-search').press('ArrowDown')
    await afterRun(page, () => page.keyboard.press('Enter'))
    expect(await page.getByTestId('prompt').inputValue()).toBe('Once upon a time')
    await open()
    await page.getByRole('button', { name: /^My talk/ }).click()
    await expect.poll(() => page.locator('[data-testid^="chat-message-"]').count()).toBe(2)
    expect(await page.getByTestId('chat-open-turn').isChecked()).toBe(false)
  })

  test('renames, refuses a name twice, deletes and brings back', async () => {
    await open()
    await page.getByLabel('Rename My talk').click()
    await page.getByTestId('prompt-new-name').fill('Wormhole')
    await page.keyboard.press('Enter')
    await page.getByText('is called “Wormhole” already').waitFor()
    await page.getByTestId('prompt-new-name').fill('Tunnel talk')
    await page.keyboard.press('Enter')
    await expect.poll(names).toContain('Tunnel talk')
    await page.getByLabel('Delete Tunnel talk').click()
    await expect.poll(names).not.toContain('Tunnel talk')
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(async () => (await readFileSync(join(home, 'prompts.json'), 'utf8')).includes('Tunnel talk')).toBe(true)
  })

  test('a prompt is there again after a restart, as it was written', async () => {
    await page.keyboard.press('Escape')
    await mode('text')
    await page.getByTestId('prompt').fill('Once upon a time')
    await afterRun(page, () => page.getByTestId('prompt').press('Enter'))
    await mode('ids')
    await page.getByTestId('prompt-ids').fill('2, 106, 108')
    await afterRun(page, () => page.getByTestId('prompt-ids').press('Enter'))
    const url = page.url()
    await expect.poll(() => readFileSync(join(home, 'workspace.json'), 'utf8')).toContain('108')
    await page.goto('about:blank')
    await page.goto(url)
    await page.getByTestId('summary').waitFor()
    expect(await page.getByTestId('prompt-ids').inputValue()).toBe('2, 106, 108')
    expect(workbench.problems).toEqual([])
  })
})
