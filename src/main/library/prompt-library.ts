/** The prompt library of a home: prompts under names, in one file, with some to begin with. */
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { type PromptChange, type SavedPrompt, savedPrompt } from '../../contract/prompts.ts'
import type { Prompt } from '../../contract/run.ts'
import { StateFile } from './state-file.ts'

const mostPrompts = 5000

/** What a fresh home has: prompts whose answers say something about a model, in the three ways of writing them. */
function startingPrompts(): SavedPrompt[] {
  const text = (name: string, words: string): [string, Prompt] => [name, { text: words, prependBos: true }]
  const prompts: [string, Prompt][] = [
    text('Wormhole', 'Would you be able to travel through time using a wormhole?'),
    text('Once upon a time', 'Once upon a time'),
    text('Capital of France', 'The capital of France is'),
    text('Indirect object', 'When Mary and John went to the store, John gave a drink to'),
    text('Induction', 'The violet lantern hung by the door. At night the violet'),
    ['Chat: a question', { chat: [{ role: 'user', content: 'Can one travel through time?' }], addGenerationPrompt: true }],
    [
      'Chat: a second turn',
      {
        chat: [
          { role: 'user', content: 'What is a wormhole?' },
          { role: 'assistant', content: 'A tunnel through space and time.' },
          { role: 'user', content: 'Could a person go through one?' }
        ],
        addGenerationPrompt: true
      }
    ]
  ]
  return prompts.map(([name, prompt], place) => ({ id: `start-${place}`, name, prompt, savedAt: 0 }))
}

/** Opens the prompt library of a home folder. Nothing is read until it is asked for. */
export function openPromptLibrary(home: string) {
  const file = new StateFile(path.join(home, 'prompts.json'), z.array(savedPrompt), startingPrompts)
  let changing: Promise<unknown> = Promise.resolve()

  /** Changes the list, one change after the other. */
  function change(by: (prompts: SavedPrompt[]) => SavedPrompt[]): Promise<SavedPrompt[]> {
    const changed = changing
      .catch(() => undefined)
      .then(async () => {
        const prompts = by(await file.read())
        await file.write(prompts)
        return prompts
      })
    changing = changed
    return changed
  }

  return {
    /** All of them, in the order in which they were first kept. */
    list(): Promise<SavedPrompt[]> {
      return file.read()
    },

    /** Keeps a prompt and gives the list. Throws `prompts/name-taken` and `prompts/full`. */
    save({ id, name, prompt }: PromptChange): Promise<SavedPrompt[]> {
      return change(prompts => {
        if (prompts.some(other => other.id !== id && other.name === name)) {
          throw new SpliceError('prompts/name-taken', `a prompt is called “${name}” already`, {
            field: 'name',
            hint: 'Choose another name.'
          })
        }
        const saved: SavedPrompt = { id: id ?? randomUUID(), name, prompt, savedAt: Date.now() }
        if (prompts.some(other => other.id === saved.id)) return prompts.map(other => (other.id === saved.id ? saved : other))
        if (prompts.length >= mostPrompts) {
          throw new SpliceError('prompts/full', `the prompt library holds ${mostPrompts} prompts at most`, { hint: 'Delete some of them.' })
        }
        return [...prompts, saved]
      })
    },

    /** Removes one and gives the list; one that is gone is fine. */
    remove(id: string): Promise<SavedPrompt[]> {
      return change(prompts => prompts.filter(other => other.id !== id))
    }
  }
}

export type PromptLibrary = ReturnType<typeof openPromptLibrary>
