/**
 * A feature's activation on every token of a run, read from the model itself: a run's result lists the strongest features of a token alone.
 * An SAE spliced with its error term changes nothing, so its activations are those of the clean run.
 */
import type { ErrorData } from '../../../contract/errors.ts'
import type { RunResult } from '../../../contract/run.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import type { RunInput } from '../../state/workspace.svelte.ts'

/** Which run, SAE and feature a reading is of. */
type Asked = { result: RunResult; sae: string; index: number }

class ExactReading {
  fraction = $state<number | null>(null)
  error = $state.raw<ErrorData | null>(null)
  #done = $state.raw<(Asked & { values: number[] }) | null>(null)
  #abort: AbortController | null = null

  /** The activations that were read, one per token of this very run; null where this was not asked for. */
  of(result: RunResult, sae: string, index: number): number[] | null {
    const done = this.#done
    return done?.result.tokens === result.tokens && done.sae === sae && done.index === index ? done.values : null
  }

  /** Reads them. */
  async read(input: RunInput, { result, sae, index }: Asked): Promise<void> {
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.fraction = 0
    this.error = null
    try {
      const splices = [{ sae, errorTerm: true, positions: 'all' as const }]
      const run = {
        ...input,
        variants: [
          { name: 'clean', splices: [] },
          { name: 'reading', splices }
        ]
      }
      const { points } = await client.hooks.points({ model: input.model, saes: input.saes ?? [] }, { signal: abort.signal })
      const hook = points.find(point => point.sae === sae && point.name.endsWith('hook_sae_acts_post'))?.name
      if (hook === undefined) throw new Error(`No hook point is known that holds the activations of ${sae}.`)
      const request = { run, variant: 'reading', hook }
      for await (const event of await client.hooks.open(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.fraction = event.fraction
      }
      const window = {
        planes: [0, 1] as [number, number],
        rows: [0, result.tokens.length] as [number, number],
        columns: [index, index + 1] as [number, number],
        mostRows: 8192,
        mostColumns: 1
      }
      const { values } = await client.hooks.values({ ...request, window }, { signal: abort.signal })
      if (abort.signal.aborted) return
      this.#done = { result, sae, index, values: [...new Float32Array(await values.arrayBuffer())] }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.#abort = null
        this.fraction = null
      }
    }
  }

  cancel(): void {
    this.#abort?.abort()
    this.#abort = null
    this.fraction = null
  }
}

export const exactReading = new ExactReading()
