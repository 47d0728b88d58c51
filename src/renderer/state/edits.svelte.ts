/** What a person does to features: columns of edits come, change and go, and what is in sight is computed with them at once. */
import type { FeatureEdit } from '../../contract/run.ts'
import { answerTest } from './answers.svelte.ts'
import {
  canStand,
  type EditColumn,
  type EditSetting,
  type NewColumn,
  putInto,
  splicesIn,
  withColumns,
  withEdits
} from './edited-variants.ts'
import { generation } from './generation.svelte.ts'
import { hashOf, navigation } from './navigation.svelte.ts'
import { notices } from './notices.svelte.ts'
import { run } from './run.svelte.ts'
import type { ShownVariant } from './shown-variants.ts'
import { targetOf } from './shown-variants.ts'
import { variantOrder } from './variant-order.svelte.ts'
import { workspace } from './workspace.svelte.ts'

/** How long a slider has to rest before its value is run, in ms. */
const restMilliseconds = 120

/** Views that show the run. */
const runViews = ['compare', 'features', 'hooks']

class FeatureEdits {
  #resting: ReturnType<typeof setTimeout> | undefined
  /** The kept run that the changes of one slider have made, which the next one replaces; null where there is none. */
  #tried: string | null = null
  #isTrying = false

  /** The column that is a shown variant; undefined where it is none, or is gone. */
  columnOf({ column, edits = [] }: ShownVariant): EditColumn | undefined {
    if (edits.length === 0) return undefined
    const known = workspace.columns.find(({ id }) => id === column)
    if (known !== undefined || column !== undefined) return known
    // A run from the history knows no columns.
    return workspace.columns.find(other => JSON.stringify(other.edits) === JSON.stringify(edits))
  }

  find(id: number | null): EditColumn | undefined {
    return workspace.columns.find(column => column.id === id)
  }

  /** The name of a column in the next run. */
  nameOf(id: number): string {
    return workspace.variants.find(({ column }) => column === id)?.name ?? ''
  }

  /** The column that does nothing but ablate a feature; undefined where there is none. */
  ablationOf(sae: string, feature: number): EditColumn | undefined {
    return workspace.columns.find(({ edits: [edit, ...others] }) => {
      return others.length === 0 && edit?.sae === sae && edit.feature === feature && edit.kind === 'set' && edit.value === 0
    })
  }

  /** Adds columns, and runs them at once. Gives their ids. */
  add(added: readonly NewColumn[]): number[] {
    const before = new Set(workspace.columns.map(({ id }) => id))
    workspace.columns = withColumns(workspace.columns, added)
    this.#begin()
    this.#start()
    return workspace.columns.map(({ id }) => id).filter(id => !before.has(id))
  }

  /** Ablates a feature in a column of its own; where that is done already the column goes away. */
  ablate(sae: string, feature: number, setting: EditSetting): void {
    const done = this.ablationOf(sae, feature)
    if (done !== undefined) {
      this.remove([done.id])
      return
    }
    const edit: FeatureEdit = { sae, feature, kind: 'set', value: 0, positions: 'all' }
    this.add([{ splices: splicesIn(setting === 'as-is' ? 'spliced' : setting, [edit]), edits: [edit] }])
  }

  /** Changes a column. It is run when changes rest, and what was under way is cancelled. */
  change(id: number, changed: (column: EditColumn) => EditColumn): void {
    const before = this.nameOf(id)
    workspace.columns = workspace.columns.map(column => (column.id === id ? changed(column) : column))
    variantOrder.rename(before, this.nameOf(id))
    clearTimeout(this.#resting)
    this.#resting = setTimeout(() => this.#start(), restMilliseconds)
  }

  /** Puts an edit in the place of a column's edit, or with null takes that away; the last one takes the column with it. */
  changeEdit(id: number, place: number, edit: FeatureEdit | null): void {
    const column = this.find(id)
    if (column === undefined) return
    const edits = column.edits.flatMap((own, at) => (at === place ? (edit === null ? [] : [edit]) : [own]))
    if (edits.length === 0) this.remove([id])
    else this.change(id, own => withEdits(own, edits))
  }

  /** Adds an edit to a column. */
  addEdit(id: number, edit: FeatureEdit): void {
    this.change(id, column => withEdits(column, [...column.edits, edit]))
  }

  /** Why an SAE's features cannot be edited in a column, in a few words; undefined where they can. */
  whyNot(column: EditColumn, sae: string): string | undefined {
    const target = (name: string) => {
      const open = workspace.saes.find(other => other.name === name)
      return open === undefined ? null : targetOf(open)
    }
    const rival = column.splices.find(splice => splice.sae !== sae && target(splice.sae) === target(sae))
    return rival === undefined ? undefined : `${rival.sae} stands in at the same hook point there`
  }

  /** Puts a column into another setting, where its edits can stand in that. */
  put(id: number, setting: EditSetting): void {
    this.change(id, column => (canStand(setting, column.edits) ? putInto(column, setting) : column))
  }

  /** Takes columns away; a notice offers to undo it. */
  remove(ids: readonly number[]): void {
    const before = workspace.columns
    const gone = before.filter(({ id }) => ids.includes(id))
    const [first] = gone
    if (first === undefined) return
    const name = this.nameOf(first.id)
    workspace.columns = before.filter(({ id }) => !ids.includes(id))
    this.#begin()
    this.#start()
    notices.show({
      level: 'info',
      key: 'edits-removed',
      message: gone.length === 1 ? `The column ${name} was removed.` : `${gone.length} columns of edits were removed.`,
      action: { label: 'Undo', act: () => this.#restore(gone) }
    })
  }

  /** Brings columns back to where they were, as far as their SAEs are still open. */
  #restore(gone: readonly EditColumn[]): void {
    const isOpen = (name: string) => workspace.saes.some(sae => sae.name === name)
    const back = gone.filter(({ id, edits }) => edits.every(({ sae }) => isOpen(sae)) && this.find(id) === undefined)
    workspace.columns = [...workspace.columns, ...back].toSorted((a, b) => a.id - b.id)
    this.#begin()
    this.#start()
  }

  /** The next run is one of its own: it does not replace the last one. */
  #begin(): void {
    clearTimeout(this.#resting)
    this.#tried = null
    this.#isTrying = false
  }

  /** A slider is let go: what comes next is another try. */
  settle(): void {
    this.#tried = null
    this.#isTrying = false
  }

  /** Starts what is in sight. */
  #start(): void {
    void workspace.save()
    const { view } = navigation.route
    if (view === 'generate') void generation.start()
    else if (view === 'test-prompt' && answerTest.result !== null) void answerTest.start()
    else void this.#run(view)
  }

  async #run(view: string): Promise<void> {
    const replaces = this.#isTrying ? this.#tried : null
    this.#isTrying = true
    const former = run.result
    await run.start({ replaces })
    if (run.result !== former) this.#tried = run.keptAs
    if (!runViews.includes(view) && view === navigation.route.view && !run.running) {
      notices.show({
        ...(run.error === null
          ? { level: 'info', message: 'Compare shows the run with this edit.' }
          : { level: 'error', message: 'The run with this edit failed.', error: run.error }),
        key: 'edited-elsewhere',
        action: { label: 'Show', act: () => navigation.go(hashOf('compare')) }
      })
    }
  }
}

export const edits = new FeatureEdits()
