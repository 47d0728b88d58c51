/** The activation that is looked at: computing it, and fetching what of it is in sight. */
import type { z } from 'zod'
import type { ErrorData } from '../../../contract/errors.ts'
import type { Activation, activationRequest, activationWindow, Pooling } from '../../../contract/hooks.ts'
import type { Cells } from '../../charts/heatmap/cells.ts'
import type { Extent, Range } from '../../charts/heatmap/viewport.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import type { TaskProgress } from '../../state/prompt-task.ts'

export type ActivationWindow = z.input<typeof activationWindow>
type ActivationRequest = z.input<typeof activationRequest>

/** How far the colours reach: all values, those without special tokens, or 99% of them. */
export type Reach = 'largest' | 'ordinary' | 'most'

/** Values that have come, and the window they answer. */
export type SeenValues = {
  window: ActivationWindow
  whole: { planes: number } & Extent
  planes: Range
  /** A matrix of cells per plane, and the values of all of them. */
  matrices: Cells[]
  all: Float32Array
  norms: Float32Array | null
}

async function floatsOf(bytes: Blob): Promise<Float32Array> {
  return new Float32Array(await bytes.arrayBuffer())
}

class ActivationLook {
  /** What is open; it stays until the next one has come. */
  activation = $state.raw<Activation | null>(null)
  /** The request behind `activation`. */
  request = $state.raw<ActivationRequest | null>(null)
  opening = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  values = $state.raw<SeenValues | null>(null)

  /** Choices of how it is shown, which the next activation keeps. */
  pooling = $state<Pooling>('largest')
  /** Null: what suits the activation. */
  reach = $state<Reach | null>(null)
  difference = $state(false)
  asTable = $state(false)

  #wanted: ActivationRequest | null = null
  #abort: AbortController | null = null
  #window: ActivationWindow | null = null
  #fetching = false

  /** Computes an activation unless it is open or under way; what was being opened is cancelled. */
  async open(request: ActivationRequest): Promise<void> {
    if (this.#wanted !== null && sameRequest(this.#wanted, request)) return
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.#wanted = request
    this.opening = true
    this.error = null
    this.cancelled = false
    this.progress = null
    try {
      for await (const event of await client.hooks.open(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = { stage: event.stage, fraction: event.fraction }
        else {
          this.values = null
          this.request = request
          this.activation = event.activation
        }
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.opening = false
        this.progress = null
        this.#abort = null
      }
    }
  }

  cancel(): void {
    this.#abort?.abort()
    this.#abort = null
    this.opening = false
    this.progress = null
    this.cancelled = true
  }

  /** Computes once more what was cancelled or failed. */
  again(): void {
    const request = this.#wanted
    this.#wanted = null
    if (request !== null) void this.open(request)
  }

  /** Forgets what is open. */
  close(): void {
    this.cancel()
    this.cancelled = false
    this.#wanted = null
    this.request = null
    this.activation = null
    this.values = null
    this.error = null
  }

  /**
   * Fetches a window. One is under way at a time, and of those asked for meanwhile the last one counts: none is cancelled,
   * since cancelling may cost the inference process what it keeps.
   */
  look(window: ActivationWindow): void {
    this.#window = window
    if (!this.#fetching) void this.#fetch()
  }

  async #fetch(): Promise<void> {
    this.#fetching = true
    try {
      while (this.#window !== null) {
        const window = this.#window
        const request = this.request
        this.#window = null
        if (request === null) return
        const answer = await client.hooks.values({ ...request, window })
        const values = await floatsOf(answer.values)
        const norms = answer.norms === null ? null : await floatsOf(answer.norms)
        if (this.request !== request) continue
        const { whole, planes, rows, columns, rowsPerCell, columnsPerCell } = answer
        const size = values.length / (planes[1] - planes[0])
        const matrices = Array.from({ length: planes[1] - planes[0] }, (_, plane) => ({
          values: values.subarray(plane * size, (plane + 1) * size),
          rows,
          columns,
          rowsPerCell,
          columnsPerCell
        }))
        this.values = { window, whole, planes, matrices, all: values, norms }
        this.error = null
      }
    } catch (thrown) {
      this.error = errorOf(thrown)
    } finally {
      this.#fetching = false
    }
  }
}

function sameRequest(one: ActivationRequest, other: ActivationRequest): boolean {
  return one.run === other.run && one.variant === other.variant && one.against === other.against && one.hook === other.hook
}

export const look = new ActivationLook()
