/** Lists, notes and searches of one's own: what is kept of the features in sight, and every change of it. */
import type { ErrorData } from '../../contract/errors.ts'
import type { FeatureKey } from '../../contract/explanations.ts'
import type { FeatureList, FeatureMarks, KeptQuestion, KeptSearches, NotebookFile, NotebookImport } from '../../contract/notebook.ts'
import { client, connection, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'

/** Features are looked up together, a moment after the first one was asked for. */
const gatherMilliseconds = 20
const mostAtOnce = 2000

function keyOf({ source, index }: FeatureKey): string {
  return `${source}/${index}`
}

class NotebookState {
  lists = $state.raw<FeatureList[]>([])
  searches = $state.raw<KeptSearches>({ saved: [], recent: [] })
  error = $state.raw<ErrorData | null>(null)
  /** Changes with every change of the notebook, by whichever window of this engine. */
  revision = $state(0)

  /** By feature; null for features of which nothing is kept. */
  #marks = $state.raw<ReadonlyMap<string, FeatureMarks | null>>(new Map())
  #asked = new Map<string, FeatureKey>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #following = 0

  /** Follows the notebook on the present connection; again on the next one. */
  async follow(): Promise<void> {
    const { opened } = connection
    if (opened === 0 || this.#following === opened) return
    this.#following = opened
    try {
      for await (const _ of await client.notebook.watch()) {
        this.revision += 1
        await this.#reload()
      }
    } catch (thrown) {
      const error = errorOf(thrown)
      if (error.kind !== 'connection/lost') this.error = error
    }
  }

  async #reload(): Promise<void> {
    try {
      const [lists, searches] = await Promise.all([client.notebook.lists(), client.notebook.searches()])
      this.lists = lists
      this.searches = searches
      this.error = null
      // What is known stays in sight until it is known anew.
      for (const key of this.#marks.keys()) this.#want(key)
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  #want(key: string): void {
    const at = key.lastIndexOf('/')
    this.#asked.set(key, { source: key.slice(0, at), index: Number(key.slice(at + 1)) })
    this.#timer ??= setTimeout(() => void this.#lookUp(), gatherMilliseconds)
  }

  async #lookUp(): Promise<void> {
    this.#timer = undefined
    const features = [...this.#asked.values()].slice(0, mostAtOnce)
    for (const feature of features) this.#asked.delete(keyOf(feature))
    try {
      const found = await client.notebook.marks({ features })
      // What is not in sight any more need not be remembered.
      const marks = new Map(this.#marks.size > mostAtOnce ? [] : this.#marks)
      for (const feature of features) marks.set(keyOf(feature), null)
      for (const mark of found) marks.set(keyOf(mark), mark)
      this.#marks = marks
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  /** What is kept of a feature; null for nothing, and until it is known. */
  of(feature: FeatureKey): FeatureMarks | null {
    const key = keyOf(feature)
    const known = this.#marks.get(key)
    if (known === undefined) {
      void this.revision
      queueMicrotask(() => {
        if (!this.#marks.has(key)) this.#want(key)
      })
    }
    return known ?? null
  }

  /** A list's name. */
  nameOf(id: number): string {
    return this.lists.find(list => list.id === id)?.name ?? ''
  }

  async #do<Result>(what: string, work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await work()
    } catch (thrown) {
      notices.show({ level: 'error', key: 'notebook', message: what, error: errorOf(thrown) })
      return null
    }
  }

  /** Writes a note; an empty text removes it. Gives why it was not kept, or null. */
  async writeNote(feature: FeatureKey, text: string): Promise<ErrorData | null> {
    try {
      const marks = await client.notebook.writeNote({ ...feature, text })
      this.#marks = new Map(this.#marks).set(keyOf(feature), marks.note === null && marks.lists.length === 0 ? null : marks)
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  /** Makes a list with some features. Gives why it was not made, or null. */
  async createList(name: string, features: FeatureKey[] = []): Promise<ErrorData | null> {
    try {
      const { id } = await client.notebook.createList({ name })
      if (features.length > 0) await client.notebook.addToList({ list: id, features })
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  async renameList(id: number, name: string): Promise<ErrorData | null> {
    try {
      await client.notebook.renameList({ id, name })
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  /** Removes a list; the notice offers to put it back. */
  async removeList({ id, name }: FeatureList): Promise<void> {
    const removed = await this.#do('The list was not removed.', () => client.notebook.removeList({ id }))
    if (removed === null) return
    notices.show({
      level: 'info',
      key: 'notebook',
      message: `The list “${name}” was removed.`,
      action: { label: 'Undo', act: () => void this.importFile(removed) }
    })
  }

  /** Puts features into a list. */
  async add(list: number, features: FeatureKey[]): Promise<void> {
    await this.#do('The list was not changed.', () => client.notebook.addToList({ list, features }))
  }

  /** Takes features out of a list; the notice offers to put them back. */
  async remove(list: number, features: FeatureKey[]): Promise<void> {
    const done = await this.#do('The list was not changed.', () => client.notebook.removeFromList({ list, features }))
    if (done === null) return
    const what = features.length === 1 ? `Feature ${features[0]?.index} was` : `${features.length} features were`
    notices.show({
      level: 'info',
      key: 'notebook',
      message: `${what} taken out of “${done.name}”.`,
      action: { label: 'Undo', act: () => void this.add(list, features) }
    })
  }

  /** Adds a file's lists and notes. Throws what is wrong with it. */
  importFile(file: NotebookFile): Promise<NotebookImport | null> {
    return this.#do('The notebook was not imported.', () => client.notebook.importFile(file))
  }

  async rememberSearch(question: KeptQuestion): Promise<void> {
    await this.#do('The search was not kept.', () => client.notebook.rememberSearch(question))
  }

  async saveSearch(name: string, question: KeptQuestion): Promise<ErrorData | null> {
    try {
      await client.notebook.saveSearch({ name, question })
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  /** Removes a saved search; the notice offers to put it back. */
  async removeSearch(name: string): Promise<void> {
    const saved = this.searches.saved.find(search => search.name === name)
    const done = await this.#do('The search was not removed.', async () => {
      await client.notebook.removeSearch({ name })
      return true
    })
    if (done === null || saved === undefined) return
    notices.show({
      level: 'info',
      key: 'notebook',
      message: `The search “${name}” was removed.`,
      action: { label: 'Undo', act: () => void this.saveSearch(name, saved.question) }
    })
  }

  /** Forgets the recent searches; the notice offers to remember them. */
  async forgetSearches(): Promise<void> {
    const { recent } = this.searches
    const done = await this.#do('The recent searches were not forgotten.', async () => {
      await client.notebook.forgetSearches()
      return true
    })
    if (done === null) return
    const act = async () => {
      for (const { question } of [...recent].reverse()) await this.rememberSearch(question)
    }
    notices.show({
      level: 'info',
      key: 'notebook',
      message: 'The recent searches were forgotten.',
      action: { label: 'Undo', act: () => void act() }
    })
  }
}

export const notebook = new NotebookState()
