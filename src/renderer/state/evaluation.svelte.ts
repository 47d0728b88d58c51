/** Evaluations of the open SAEs: what on, how far the one under way is, cancel, results. One goes on while the dialog is closed. */
import type { z } from 'zod'
import type { ErrorData } from '../../contract/errors.ts'
import type { EvaluationProgress, EvaluationResult, evaluationRequest } from '../../contract/evaluation.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'
import { asAsked, type OpenSae, workspace } from './workspace.svelte.ts'

type Request = z.input<typeof evaluationRequest>

/** What a result depends on beside the corpus and the settings of the dialog. */
function keyOf({ summary, hook, hookOut, normFactor }: OpenSae): string {
  const { model, processing, layerOrder } = workspace
  return JSON.stringify([model?.path, summary.path, hook, hookOut, normFactor, processing, layerOrder])
}

class Evaluation {
  /** Whether the dialog is open. */
  open = $state(false)
  /** The SAE that the dialog is about. */
  sae = $state.raw<OpenSae | null>(null)

  file = $state('')
  documents = $state<'joined' | 'apart'>('joined')
  /** The longest sequence as it was typed; empty for the SAE's own. */
  context = $state('')
  positions = $state<'all' | 'no-special'>('all')
  countSpecial = $state(false)

  running = $state(false)
  progress = $state.raw<EvaluationProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)

  #abort: AbortController | null = null
  /** Each SAE's last result by what it depends on, so that none is shown of another model, hook point or reading. */
  #results = $state.raw<ReadonlyMap<string, EvaluationResult>>(new Map())

  /** The last result of an open SAE as it is read now, or null. */
  resultOf(sae: OpenSae): EvaluationResult | null {
    return this.#results.get(keyOf(sae)) ?? null
  }

  /** Opens the dialog for an SAE; one that is under way is shown instead. */
  show(sae: OpenSae): void {
    this.open = true
    if (this.running) return
    if (this.sae === null) this.positions = workspace.positions === 'no-special' ? 'no-special' : 'all'
    if (this.sae?.summary.path !== sae.summary.path) this.error = null
    this.cancelled = false
    this.sae = sae
  }

  #request(sae: OpenSae): Request | null {
    const { model, processing, layerOrder } = workspace
    const { prependBos } = workspace.draft
    const file = this.file.trim().replace(/^(['"])(.*)\1$/, '$2')
    if (model === null || file === '') return null
    const context = this.context.trim()
    return {
      model: model.path,
      sae: { name: sae.name, ...asAsked(sae) },
      corpus: /\.json$/i.test(file) ? { kind: 'ids', file } : { kind: 'text', file, documents: this.documents, prependBos },
      ...(context === '' ? {} : { context: Number(context) }),
      countSpecial: this.countSpecial,
      positions: this.positions,
      processing,
      layerOrder
    }
  }

  /** Evaluates the SAE on the file that is named. */
  async start(): Promise<void> {
    const { sae } = this
    const request = sae === null ? null : this.#request(sae)
    if (sae === null || request === null || this.running) return
    const key = keyOf(sae)
    const abort = new AbortController()
    this.#abort = abort
    this.running = true
    this.progress = null
    this.error = null
    this.cancelled = false
    try {
      for await (const event of await client.runs.evaluate(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = event
        else this.#results = new Map(this.#results).set(key, event.result)
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.running = false
        this.#abort = null
        this.#tell(sae.summary.name)
      }
    }
  }

  /** Whoever closed the dialog hears of the end. */
  #tell(name: string): void {
    if (this.open) return
    if (this.error !== null) notices.show({ level: 'error', key: 'evaluation', message: `${name} was not evaluated.`, error: this.error })
    else notices.show({ level: 'info', key: 'evaluation', message: `${name} is evaluated: its menu at the top has the numbers.` })
  }

  /** Stops the evaluation under way. */
  cancel(): void {
    if (this.#abort === null) return
    this.#abort.abort()
    this.#abort = null
    this.running = false
    this.progress = null
    this.cancelled = true
  }
}

export const evaluation = new Evaluation()
