/** Checking whether an open SAE sits where its published figures are from: the check under way, what it found, and applying that. */
import { tick } from 'svelte'
import type { z } from 'zod'
import { checkText } from '../../contract/check-text.ts'
import type { ErrorData } from '../../contract/errors.ts'
import type { SaeChange, SaeCheck, saeCheckRequest } from '../../contract/sae-check.ts'
import { client, errorOf } from './connection.svelte.ts'
import { run } from './run.svelte.ts'
import { workspace } from './workspace.svelte.ts'

type CheckInput = z.input<typeof saeCheckRequest>
type CheckPrompt = CheckInput['prompt']

class CurrentCheck {
  /** The name of the SAE that the dialog is about; null when it is closed. */
  sae = $state<string | null>(null)
  prompt = $state.raw<CheckPrompt>({ text: '' })
  found = $state.raw<SaeCheck | null>(null)
  error = $state.raw<ErrorData | null>(null)
  running = $state(false)
  progress = $state.raw<{ stage: string; fraction: number } | null>(null)
  /** Alarms that the person put aside, by SAE and hook point. */
  aside = $state.raw<readonly string[]>([])

  #abort: AbortController | null = null

  /** Whether the text is Splice's own rather than the prompt. */
  isOwnText = $derived('text' in this.prompt && this.prompt.text === checkText)

  /** Opens the dialog and checks an open SAE on the prompt of the run that is shown, or on Splice's own text. */
  async start(name: string, on: 'prompt' | 'own-text' = 'prompt'): Promise<void> {
    this.#abort?.abort()
    const request = workspace.request()
    const sae = request?.saes?.find(open => open.name === name)
    if (request === null || sae === undefined) return
    const abort = new AbortController()
    this.#abort = abort
    const { model, processing, layerOrder, metricPositions, provider } = request
    this.prompt = on === 'own-text' ? { text: checkText, prependBos: workspace.draft.prependBos } : (run.request?.prompt ?? request.prompt)
    this.sae = name
    this.found = null
    this.error = null
    this.progress = null
    this.running = true
    try {
      const input = { model, sae, prompt: this.prompt, processing, layerOrder, metricPositions, provider }
      for await (const event of await client.runs.checkSae(input, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = { stage: event.stage, fraction: event.fraction }
        else this.found = event.check
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.#abort = null
        this.running = false
        this.progress = null
      }
    }
  }

  /** Closes the dialog; a check under way ends. */
  close(): void {
    this.#abort?.abort()
    this.#abort = null
    this.running = false
    this.sae = null
  }

  /** Makes a change to the workspace and runs the prompt with it; what does not fit is said in the dialog and nothing changes. */
  async apply({ hook, hookOut, normFactor, processing, prependBos, metricPositions }: SaeChange): Promise<void> {
    if (this.sae === null) return
    const isPlaced = hook !== undefined || hookOut !== undefined || normFactor !== undefined
    const placing = {
      ...(hook === undefined ? {} : { hook }),
      ...(hookOut === undefined ? {} : { hookOut }),
      ...(normFactor === undefined ? {} : { normFactor: normFactor ?? undefined })
    }
    if (isPlaced && !(await workspace.placeSae(this.sae, placing))) {
      this.error = workspace.saeError
      return
    }
    if (processing !== undefined) workspace.processing = processing
    if (prependBos !== undefined) workspace.draft.prependBos = prependBos
    if (metricPositions !== undefined) workspace.metricPositions = metricPositions
    this.close()
    await tick()
    await run.start()
  }

  /** Puts an alarm aside until the SAE sits elsewhere or Splice starts again. */
  putAside(key: string): void {
    this.aside = [...this.aside, key]
  }
}

export const saeCheck = new CurrentCheck()
