/** The prompt library as the window shows it: prompts under names, found, used, kept, renamed, deleted and brought back. */
import type { ErrorData } from '../../contract/errors.ts'
import type { PromptChange, SavedPrompt } from '../../contract/prompts.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'

class PromptLibrary {
  /** Null before the first look. */
  prompts = $state.raw<SavedPrompt[] | null>(null)
  error = $state.raw<ErrorData | null>(null)

  async #do(work: () => Promise<SavedPrompt[]>): Promise<boolean> {
    try {
      this.prompts = await work()
      this.error = null
      return true
    } catch (thrown) {
      this.error = errorOf(thrown)
      return false
    }
  }

  load(): Promise<boolean> {
    return this.#do(() => client.prompts.list())
  }

  /** Keeps a prompt, or renames one. False, with `error`, when it was not kept. */
  save(change: PromptChange): Promise<boolean> {
    return this.#do(() => client.prompts.save(change))
  }

  /** Deletes a prompt; a notice offers it back. */
  async remove({ id, name, prompt }: SavedPrompt): Promise<void> {
    if (!(await this.#do(() => client.prompts.remove({ id })))) return
    notices.show({
      level: 'info',
      key: `prompt-${id}`,
      message: `“${name}” was deleted.`,
      action: {
        label: 'Undo',
        act: async () => {
          if (await this.save({ id, name, prompt })) return
          notices.show({ level: 'error', message: `“${name}” did not come back.`, ...(this.error === null ? {} : { error: this.error }) })
        }
      }
    })
  }
}

export const promptLibrary = new PromptLibrary()
