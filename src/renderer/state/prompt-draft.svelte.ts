/** The prompt as it is being written: as text, as a chat or as token ids. Each way keeps what was written in it. */
import type { ErrorData } from '../../contract/errors.ts'
import type { ChatMessage, Prompt, PromptTokens } from '../../contract/run.ts'
import { parseTokenIds } from './token-ids.ts'

export type PromptMode = 'text' | 'chat' | 'ids'

/** A message of the chat; `key` stays with it when it moves. */
export type DraftMessage = ChatMessage & { key: number }

/** How a prompt is written. */
export function modeOf(prompt: Prompt): PromptMode {
  return 'text' in prompt ? 'text' : 'chat' in prompt ? 'chat' : 'ids'
}

/** Whose turn it is after a message. */
export function nextRole(before: string | undefined): string {
  return before === 'user' ? 'assistant' : 'user'
}

export class PromptDraft {
  mode = $state<PromptMode>('text')
  text = $state('')
  prependBos = $state(true)
  messages = $state.raw<DraftMessage[]>([{ role: 'user', content: '', key: 0 }])
  /** Whether the model's turn is opened at the end of a chat. */
  addGenerationPrompt = $state(true)
  /** The person's own chat template; null for the model's. */
  template = $state<string | null>(null)
  idsText = $state('')

  /** The tokens of what is written, once they are counted, or why it has none. */
  tokens = $state.raw<PromptTokens | null>(null)
  tokensError = $state.raw<ErrorData | null>(null)

  #lastKey = 0
  readonly #vocabulary: () => number | null

  /** `vocabulary` gives the open model's number of token ids. */
  constructor(vocabulary: () => number | null) {
    this.#vocabulary = vocabulary
  }

  parsedIds = $derived.by(() => parseTokenIds(this.idsText, this.#vocabulary()))

  /** The prompt as the engine takes it; null while the ids are none. */
  asked = $derived.by((): Prompt | null => {
    if (this.mode === 'text') return { text: this.text, prependBos: this.prependBos }
    if (this.mode === 'ids') return this.parsedIds.ids === null ? null : { ids: this.parsedIds.ids }
    const chat = this.messages.map(({ role, content }) => ({ role, content }))
    return { chat, addGenerationPrompt: this.addGenerationPrompt, ...(this.template === null ? {} : { template: this.template }) }
  })

  /** What is wrong with what is written, where it is written. */
  error = $derived(
    this.mode === 'ids'
      ? this.parsedIds.error
      : this.mode === 'chat' && this.tokensError?.kind.startsWith('chat/')
        ? this.tokensError
        : null
  )

  /** Takes a prompt in place of what is written its way. */
  use(prompt: Prompt): void {
    this.mode = modeOf(prompt)
    if ('text' in prompt) {
      this.text = prompt.text
      this.prependBos = prompt.prependBos
    } else if ('chat' in prompt) {
      this.messages = prompt.chat.map(message => ({ ...message, key: this.#newKey() }))
      this.addGenerationPrompt = prompt.addGenerationPrompt
      this.template = prompt.template ?? null
    } else {
      this.idsText = prompt.ids.join(', ')
    }
  }

  /** Changes how the prompt is written. Ids that are still to be written are those of what was written before. */
  changeMode(mode: PromptMode): void {
    if (mode === 'ids' && this.idsText === '' && this.tokens !== null) this.idsText = this.tokens.tokens.map(({ id }) => id).join(', ')
    this.mode = mode
  }

  #newKey(): number {
    this.#lastKey += 1
    return this.#lastKey
  }

  /** Adds a message at the end, of whoever's turn it is. */
  addMessage(): void {
    this.messages = [...this.messages, { role: nextRole(this.messages.at(-1)?.role), content: '', key: this.#newKey() }]
  }

  changeMessage(key: number, change: Partial<ChatMessage>): void {
    this.messages = this.messages.map(message => (message.key === key ? { ...message, ...change } : message))
  }

  /** Removes a message; the last one stays. */
  removeMessage(key: number): void {
    if (this.messages.length > 1) this.messages = this.messages.filter(message => message.key !== key)
  }

  /** Moves a message to a place (clamped). */
  moveMessage(key: number, to: number): void {
    const moved = this.messages.find(message => message.key === key)
    if (moved === undefined) return
    const others = this.messages.filter(message => message !== moved)
    const place = Math.min(Math.max(to, 0), others.length)
    this.messages = [...others.slice(0, place), moved, ...others.slice(place)]
  }
}
