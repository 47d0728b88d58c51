/** The hook points of the run that is shown, of a variant or the difference of two. */
import type { HookTable } from '../../../contract/hooks.ts'
import { AskedReading } from '../../state/asked-reading.svelte.ts'
import { client } from '../../state/connection.svelte.ts'
import type { RunInput } from '../../state/workspace.svelte.ts'
import type { Sort } from './hook-rows.ts'

/** The run and the variants whose hook points are wanted. */
export type HookQuestion = { run: RunInput; variant: string; against: string | undefined }

type HookAnswer = { type: 'result'; table: HookTable }

class HookList extends AskedReading<HookQuestion, HookAnswer> {
  table = $state.raw<HookTable | null>(null)
  /** Names picked for saving, by variant-independent name. */
  picked = $state.raw<ReadonlySet<string>>(new Set())
  sort = $state.raw<Sort>({ column: 'order', descending: false })
  scrollOffset = 0

  protected isSame(one: HookQuestion, other: HookQuestion): boolean {
    return one.run === other.run && one.variant === other.variant && one.against === other.against
  }

  protected open(question: HookQuestion, signal: AbortSignal) {
    return client.hooks.list(question, { signal })
  }

  protected take({ table }: HookAnswer): void {
    this.table = table
  }

  pick(name: string, isPicked: boolean): void {
    const next = new Set(this.picked)
    if (isPicked) next.add(name)
    else next.delete(name)
    this.picked = next
  }

  pickAll(names: readonly string[], isPicked: boolean): void {
    const next = new Set(this.picked)
    for (const name of names) {
      if (isPicked) next.add(name)
      else next.delete(name)
    }
    this.picked = next
  }
}

export const hookList = new HookList()
