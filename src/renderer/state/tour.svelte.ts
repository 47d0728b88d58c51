/** The tour of the window in three steps: shown at the first start in a home, and whenever it is asked for. */
import { tick } from 'svelte'
import { hashOf, navigation } from './navigation.svelte.ts'
import { panes } from './panes.svelte.ts'
import { settings } from './settings.svelte.ts'

/** `at` names the element by its `data-tour`. */
type TourStep = { readonly at: string; readonly title: string; readonly text: string }

export const tourSteps: readonly TourStep[] = [
  {
    at: 'model',
    title: 'A model and its SAEs',
    text: 'What is open stands on top: one model, and any number of SAEs, each at its hook point. The demo is open now. Choose others from this disk, or drop a folder on the window.'
  },
  {
    at: 'prompt',
    title: 'A prompt, under every variant',
    text: 'Type a prompt and press Enter. The model reads it as it is, and with each SAE spliced in; what differs is coloured below, token by token, and Generate goes on from the same prompt.'
  },
  {
    at: 'inspector',
    title: 'A token, and what fired on it',
    text: 'Choose a token, with the mouse or the arrow keys. What was predicted there stands here, and the features that fired with what they are said to mean; each has a page, and Explanations searches them all.'
  }
]

class Tour {
  /** The step that is shown, or null. */
  step = $state<number | null>(null)

  /** Shows the first step, in Compare. From then on no start shows the tour by itself. */
  async start(): Promise<void> {
    if (navigation.route.view !== 'compare') navigation.go(hashOf('compare'))
    if (panes.of('inspector').collapsed) panes.collapse('inspector', false)
    await tick()
    this.step = 0
    if (!settings.values.tourSeen) await settings.change({ tourSeen: true })
  }

  /** Goes on or back; after the last step it ends. */
  move(by: 1 | -1): void {
    if (this.step === null) return
    const next = Math.max(0, this.step + by)
    this.step = next < tourSteps.length ? next : null
  }

  end(): void {
    this.step = null
  }
}

export const tour = new Tour()
