/**
 * Chats as a model's own template writes them: chat_template.jinja, or `chat_template` in tokenizer_config.json, rendered by
 * @huggingface/jinja as transformers' `apply_chat_template` does, and which tokens belong to whom.
 */
import path from 'node:path'
import { Template } from '@huggingface/jinja'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { ChatTemplateOfModel } from '../../contract/prompts.ts'
import type { ChatMessage, RoleSpan } from '../../contract/run.ts'
import { parseJson } from '../checkpoint/json.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'
import { withinTime } from '../checkpoint/time-limit.ts'
import type { Vocabulary } from './tokenizer.ts'

/** A tokenizer_config.json of ten thousand added tokens has 2 MB. */
const maximumBytes = 16 * 1024 * 1024

/** How long a template may take, in ms, and how much it may write, in characters. */
const patience = 1000
const longestChat = 4 * 1024 * 1024

const templates = z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
const specialToken = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]).nullish()
const tokenizerConfig = z.object({
  chat_template: templates.nullish(),
  bos_token: specialToken,
  eos_token: specialToken,
  unk_token: specialToken,
  pad_token: specialToken
})

/** A template and the special tokens that it may write. */
export interface ChatTemplate {
  readonly source: string
  /** The file that it is from; null where the person gave it. */
  readonly file: string | null
  readonly tokens: Readonly<Record<string, string>>
}

async function textOf(file: string): Promise<string | null> {
  try {
    return await readText(file, maximumBytes)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null
    throw new SpliceError('chat/template', `${file} ${whyUnreadable(thrown)}`, {
      file,
      hint: 'Download the tokenizer files of this model again.'
    })
  }
}

/** The template of the model in `folder`, or the person's own. Throws `chat/no-template` and `chat/template`, naming the file. */
export async function openChatTemplate(folder: string, own: string | undefined): Promise<ChatTemplate> {
  const configFile = path.join(folder, 'tokenizer_config.json')
  const json = await textOf(configFile)
  let config: z.infer<typeof tokenizerConfig> = {}
  if (json !== null) {
    let value: unknown
    try {
      value = parseJson(json)
    } catch {
      throw new SpliceError('chat/template', `${configFile} is not JSON`, { file: configFile })
    }
    const parsed = tokenizerConfig.safeParse(value)
    if (!parsed.success) {
      const field = parsed.error.issues[0]?.path.join('.') ?? 'chat_template'
      throw new SpliceError('chat/template', `${configFile}: ${field} is not as transformers writes it`, { file: configFile, field })
    }
    config = parsed.data
  }
  const tokens = Object.fromEntries(
    Object.entries({
      bos_token: config.bos_token,
      eos_token: config.eos_token,
      unk_token: config.unk_token,
      pad_token: config.pad_token
    }).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  )
  if (own !== undefined) return { source: own, file: null, tokens }
  const jinjaFile = path.join(folder, 'chat_template.jinja')
  const jinja = await textOf(jinjaFile)
  if (jinja !== null) return { source: jinja, file: jinjaFile, tokens }
  const found = config.chat_template
  const source = typeof found === 'string' ? found : (found?.find(({ name }) => name === 'default') ?? found?.[0])?.template
  if (source !== undefined) return { source, file: configFile, tokens }
  throw new SpliceError('chat/no-template', `${folder} has no chat template, so it is no chat model`, {
    file: configFile,
    field: 'chat_template',
    hint: 'Write the prompt as text, open the instruction-tuned model, or give a template of your own.'
  })
}

/** The model's own template, for who wants to see or change it. Throws what `openChatTemplate` throws. */
export async function chatTemplateOf(folder: string): Promise<ChatTemplateOfModel> {
  const { source, file } = await openChatTemplate(folder, undefined)
  return { source, file: file ?? folder }
}

/** The text of a chat. Throws `chat/template` with what the template or its renderer says. */
export function renderChat(template: ChatTemplate, messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
  try {
    const values = { ...template.tokens, messages, add_generation_prompt: addGenerationPrompt }
    const text = withinTime(patience, () => new Template(template.source).render(values))
    if (text.length <= longestChat) return text
    throw new Error(`it writes ${text.length} characters`)
  } catch (thrown) {
    const said = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SpliceError('chat/template', `the chat template refuses these messages: ${said}`, {
      ...(template.file === null ? { field: 'template' } : { file: template.file }),
      hint: 'Many templates want user and assistant in turn, with no system message or one at the start.'
    })
  }
}

/**
 * Ids of a chat and the half-open range of tokens that each message has, with what the template writes around it. Where a template
 * writes a message otherwise once others follow, its range begins where the texts part.
 */
export function encodeChat(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  addGenerationPrompt: boolean,
  vocabulary: Vocabulary
): { ids: number[]; spans: RoleSpan[] } {
  const encode = (text: string) => vocabulary.encode(text, false).ids
  const ids = encode(renderChat(template, messages, addGenerationPrompt))
  let start = 0
  const spans = messages.map(({ role }, index): RoleSpan => {
    const end = commonLength(ids, encodePrefix(index + 1), start)
    const span = { role, start, end }
    start = end
    return span
  })
  return { ids, spans: start < ids.length ? [...spans, { role: 'prompt', start, end: ids.length }] : spans }

  /** Ids of the first messages; those of a prefix that the template refuses count as nothing new. */
  function encodePrefix(count: number): number[] {
    if (count === messages.length && !addGenerationPrompt) return ids
    try {
      return encode(renderChat(template, messages.slice(0, count), false))
    } catch {
      return []
    }
  }
}

/** How far two lists agree, at least `least`. */
function commonLength(a: readonly number[], b: readonly number[], least: number): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1
  return Math.max(least, length)
}
