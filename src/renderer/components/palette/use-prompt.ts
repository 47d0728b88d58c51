/** Takes a saved prompt, in the view that is there or in Compare, and starts what shows its numbers at once. */
import type { SavedPrompt } from '../../../contract/prompts.ts'
import { hashOf, navigation } from '../../state/navigation.svelte.ts'
import { run } from '../../state/run.svelte.ts'
import { workspace } from '../../state/workspace.svelte.ts'

/** Views whose numbers follow a change of the prompt. */
const following = ['compare', 'features', 'attribution', 'patching', 'hooks', 'lens']
/** Views that take a prompt and start when they are told to. */
const waiting = ['test-prompt', 'generate']

export function usePrompt({ prompt }: SavedPrompt): void {
  workspace.draft.use(prompt)
  const { view } = navigation.route
  if (waiting.includes(view)) return
  if (!following.includes(view)) navigation.go(hashOf('compare'))
  void run.start()
}
