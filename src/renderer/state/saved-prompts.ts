/** Saved prompts in lists: in one line, found by words, named. */
import type { SavedPrompt } from '../../contract/prompts.ts'
import type { Prompt } from '../../contract/run.ts'

/** A prompt in one line: its text, its messages one after the other, or its ids. */
export function excerptOf(prompt: Prompt): string {
  const text =
    'text' in prompt ? prompt.text : 'ids' in prompt ? prompt.ids.join(', ') : prompt.chat.map(({ content }) => content).join(' / ')
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** Prompts whose name or words have what is looked for, in any case. */
export function findPrompts(prompts: readonly SavedPrompt[], query: string): SavedPrompt[] {
  const words = query.trim().toLocaleLowerCase()
  if (words === '') return [...prompts]
  return prompts.filter(({ name, prompt }) => `${name}\n${excerptOf(prompt)}`.toLocaleLowerCase().includes(words))
}

/** A name for a prompt that has none: its first words, with a number where they are taken. */
export function proposedName(prompt: Prompt, taken: readonly string[]): string {
  const words = excerptOf(prompt).slice(0, 40).trim()
  const base = words === '' ? 'Prompt' : words
  let name = base
  for (let number = 2; taken.includes(name); number += 1) name = `${base} ${number}`
  return name
}
