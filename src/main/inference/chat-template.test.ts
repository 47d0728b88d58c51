/** Chats as transformers' `apply_chat_template` writes them, by templates that models ship. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import type { ChatMessage } from '../../contract/run.ts'
import { chatTemplateOf, encodeChat, openChatTemplate, renderChat } from './chat-template.ts'
import { OpenModels } from './models.ts'
import { runnablePrompt, tokenizePrompt } from './prompt-tokens.ts'

const demo = fileURLToPath(new URL('../../../resources/demo/model', import.meta.url))

/** As google/gemma-2-2b-it has it. */
const gemma = `{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}`
/** As Qwen has it. */
const chatml = `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`

const talk: ChatMessage[] = [
  { role: 'user', content: '  What is a wormhole? ' },
  { role: 'assistant', content: 'A tunnel.' },
  { role: 'user', content: 'Through time?' }
]

let folder: string

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-chat-'))
  await fs.cp(demo, folder, { recursive: true })
})
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

async function setTemplate(template: unknown): Promise<void> {
  const config = JSON.parse(await fs.readFile(path.join(demo, 'tokenizer_config.json'), 'utf8'))
  await fs.writeFile(path.join(folder, 'tokenizer_config.json'), JSON.stringify({ ...config, chat_template: template }))
}

function openModel() {
  return new OpenModels().model(folder, { processing: new Set(), layerOrder: 'checkpoint', hookMlpIn: false })
}

async function errorOf(work: Promise<unknown>): Promise<SpliceError> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error
  )
  if (thrown instanceof SpliceError) return thrown
  throw new Error(`expected a SpliceError, got ${String(thrown)}`)
}

describe('the text', () => {
  test("is Gemma's", async () => {
    await setTemplate(gemma)
    expect(await chatTemplateOf(folder)).toEqual({ source: gemma, file: path.join(folder, 'tokenizer_config.json') })
    const template = await openChatTemplate(folder, undefined)
    expect(renderChat(template, talk, true)).toBe(
      '<bos><start_of_turn>user\nWhat is a wormhole?<end_of_turn>\n<start_of_turn>model\nA tunnel.<end_of_turn>\n<start_of_turn>user\nThrough time?<end_of_turn>\n<start_of_turn>model\n'
    )
    expect(renderChat(template, talk.slice(0, 1), false)).toBe('<bos><start_of_turn>user\nWhat is a wormhole?<end_of_turn>\n')
  })

  test("is Qwen's, from a list of named templates, from a file beside the config, or from the person's own", async () => {
    const expected = '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n'
    const hi = [{ role: 'user', content: 'Hi' }]
    await setTemplate([
      { name: 'tool_use', template: gemma },
      { name: 'default', template: chatml }
    ])
    expect(renderChat(await openChatTemplate(folder, undefined), hi, true)).toBe(expected)
    await setTemplate(gemma)
    await fs.writeFile(path.join(folder, 'chat_template.jinja'), chatml)
    expect(renderChat(await openChatTemplate(folder, undefined), hi, true)).toBe(expected)
    await fs.rm(path.join(folder, 'chat_template.jinja'))
    expect(renderChat(await openChatTemplate(folder, chatml), hi, true)).toBe(expected)
  })
})

describe('the tokens', () => {
  test('have BOS once, and each belongs to a message or to the turn that is opened', async () => {
    await setTemplate(gemma)
    const model = await openModel()
    const { tokens, spans = [], bosAdded, warnings } = await runnablePrompt({ chat: talk, addGenerationPrompt: true }, model)
    expect(tokens.filter(token => token.text === '<bos>')).toHaveLength(1)
    expect({ bosAdded, warnings }).toEqual({ bosAdded: false, warnings: [] })
    expect(spans.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'prompt'])
    expect(spans[0]?.start).toBe(0)
    for (const [place, { start, end }] of spans.entries()) {
      expect(end).toBeGreaterThan(start)
      expect(end).toBe(spans[place + 1]?.start ?? tokens.length)
    }
    const textOf = ({ start, end }: { start: number; end: number }) => model.vocabulary.continuationText([], tokens.slice(start, end))
    expect(spans.map(textOf).map(text => text.replaceAll(/\s+/g, ' ').trim())).toEqual([
      '<bos><start_of_turn>user What is a wormhole?<end_of_turn>',
      '<start_of_turn>model A tunnel.<end_of_turn>',
      '<start_of_turn>user Through time?<end_of_turn>',
      '<start_of_turn>model'
    ])
  })

  test('that start with BOS twice are said to, however they are written', async () => {
    const doubled = ['the prompt starts with BOS twice, as it is written']
    const model = await openModel()
    const chat = { chat: talk, addGenerationPrompt: true, template: `{{ bos_token }}${gemma}` }
    expect((await tokenizePrompt(chat, model)).warnings).toEqual(doubled)
    expect((await tokenizePrompt({ ids: [2, 2, 100] }, model)).warnings).toEqual(doubled)
    expect((await tokenizePrompt({ ids: [2, 100] }, model)).warnings).toEqual([])
    const once = await tokenizePrompt({ text: '<bos>Once', prependBos: true }, model)
    expect([once.tokens.filter(({ id }) => id === 2).length, once.warnings.length]).toEqual([1, 1])
  })

  test('without an opened turn end with the last message', async () => {
    await setTemplate(chatml)
    const model = await openModel()
    const { tokens, spans = [] } = await tokenizePrompt({ chat: talk, addGenerationPrompt: false }, model)
    expect(spans.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(spans.at(-1)?.end).toBe(tokens.length)
  })

  test('have ranges also where a template refuses the first messages alone', async () => {
    const whole = `{% if messages|length < 2 %}{{ raise_exception('too few') }}{% endif %}${chatml}`
    const model = await openModel()
    const { spans } = encodeChat({ source: whole, file: null, tokens: {} }, talk, true, model.vocabulary)
    expect(spans.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'prompt'])
    expect(spans[0]).toEqual({ role: 'user', start: 0, end: 0 })
  })
})

describe('mistakes', () => {
  test('a model without a template says what to do', async () => {
    await setTemplate(undefined)
    const error = await errorOf(openChatTemplate(folder, undefined))
    expect(error).toMatchObject({ kind: 'chat/no-template' })
    expect(error.message).toContain(folder)
  })

  test('what a template refuses is said, with the file', async () => {
    await setTemplate(gemma)
    const template = await openChatTemplate(folder, undefined)
    const system = [{ role: 'system', content: 'Be brief.' }]
    await expect(async () => renderChat(template, system, true)).rejects.toMatchObject({
      kind: 'chat/template',
      message: expect.stringContaining('System role not supported'),
      file: path.join(folder, 'tokenizer_config.json')
    })
  })

  test.each(['{% for %}', '{{ messages |', '{% if true %}'])('the broken template %j is refused', async source => {
    const refuse = async () => renderChat({ source, file: null, tokens: {} }, talk, true)
    await expect(refuse).rejects.toMatchObject({ kind: 'chat/template', field: 'template' })
  })

  test('a config that is none names its field', async () => {
    await setTemplate(5)
    expect(await errorOf(openChatTemplate(folder, undefined))).toMatchObject({ kind: 'chat/template', field: 'chat_template' })
    await fs.writeFile(path.join(folder, 'tokenizer_config.json'), '{')
    expect(await errorOf(openChatTemplate(folder, undefined))).toMatchObject({ kind: 'chat/template' })
  })
})
