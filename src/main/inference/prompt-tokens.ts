/** Prompts as people write them, as tokens: text, token ids, chats. */
import { SpliceError } from '../../contract/errors.ts'
import type { Prompt, PromptTokens, RoleSpan } from '../../contract/run.ts'
import { encodeChat, openChatTemplate } from './chat-template.ts'
import type { OpenModel } from './models.ts'

/** Throws `run/token-id` for ids that the model does not have. */
export function requireIds(ids: readonly number[], field: string, { name, transformer }: OpenModel): void {
  const { vocabulary } = transformer.shape
  const outside = ids.find(id => id < 0 || id >= vocabulary)
  if (outside === undefined) return
  throw new SpliceError('run/token-id', `token id ${outside} is not in the vocabulary of ${name}`, {
    field,
    hint: `Its ids are 0 to ${vocabulary - 1}.`
  })
}

/** Throws `run/too-long` where `length` tokens, which `what` has, are more than the model's context. */
export function requireContext(length: number, what: string, { name, transformer }: OpenModel): void {
  const { context } = transformer.shape
  if (length <= context) return
  throw new SpliceError('run/too-long', `${what} ${length} tokens, but ${name} has a context of ${context}`, {
    field: 'prompt',
    hint: `Shorten it by ${length - context} tokens.`
  })
}

/** A prompt that can be run. Throws `run/empty-prompt`, `run/token-id`, `run/too-long`, and what `tokenizePrompt` throws. */
export async function runnablePrompt(prompt: Prompt, model: OpenModel): Promise<PromptTokens> {
  const found = await tokenizePrompt(prompt, model)
  const ids = found.tokens.map(token => token.id)
  if (ids.length === 0) {
    throw new SpliceError('run/empty-prompt', 'the prompt is empty', { field: 'prompt', hint: 'Type some text, or give token ids.' })
  }
  requireIds(ids, 'ids', model)
  requireContext(ids.length, 'the prompt has', model)
  return found
}

/** A prompt's tokens, however many; nothing is checked. Throws what the tokenizer or a chat's template throws. */
export async function tokenizePrompt(prompt: Prompt, model: OpenModel): Promise<PromptTokens> {
  const { vocabulary, transformer } = model
  const { ids, bosAdded, spans } = await idsOf(prompt, model)
  const startsWithBos = 'text' in prompt && prompt.prependBos && !bosAdded && ids.length > 0 && ids[0] === transformer.bosId
  const isDoubled = transformer.bosId !== null && ids[0] === transformer.bosId && ids[1] === transformer.bosId
  const warnings = [
    ...(startsWithBos ? ['the text starts with BOS itself, so none was put before it'] : []),
    ...(isDoubled ? ['the prompt starts with BOS twice, as it is written'] : [])
  ]
  return { tokens: ids.map(id => vocabulary.token(id)), bosAdded, ...(spans === undefined ? {} : { spans }), warnings }
}

async function idsOf(
  prompt: Prompt,
  { vocabulary, checkpoint }: OpenModel
): Promise<{ ids: readonly number[]; bosAdded: boolean; spans?: RoleSpan[] }> {
  if ('ids' in prompt) return { ids: prompt.ids, bosAdded: false }
  // An empty text is no prompt, with BOS or without.
  if ('text' in prompt) return prompt.text === '' ? { ids: [], bosAdded: false } : vocabulary.encode(prompt.text, prompt.prependBos)
  const template = await openChatTemplate(checkpoint.folder, prompt.template)
  return { ...encodeChat(template, prompt.chat, prompt.addGenerationPrompt, vocabulary), bosAdded: false }
}
