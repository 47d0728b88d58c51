/** The notebook as a stream of its changes, and its entries with what the mirror says of them. */
import type { NotebookEntry } from '../../contract/notebook.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { Notebook, StoredEntry } from '../notebook/notebook.ts'
import { EventQueue } from './event-queue.ts'

/** Zero at once, then a count of changes after each of them. */
export async function* watchNotebook(notebook: Notebook, signal: AbortSignal | undefined): AsyncGenerator<number, void> {
  const changes = new EventQueue<number>()
  let count = 0
  const stop = () => changes.close()
  const deaf = notebook.whenChanged(() => {
    count += 1
    changes.push(count)
  })
  signal?.addEventListener('abort', stop, { once: true })
  try {
    yield count
    if (signal?.aborted) return
    yield* changes
  } finally {
    deaf()
    signal?.removeEventListener('abort', stop)
  }
}

/** Entries with the first explanation of each in the mirror. */
export async function explainEntries(entries: readonly StoredEntry[], mirror: Mirror): Promise<NotebookEntry[]> {
  const explained = new Map<string, string>()
  for (const [source, of] of Map.groupBy(entries, entry => entry.source)) {
    const known = await mirror.explanationsOf(
      source,
      of.map(({ index }) => index)
    )
    for (const [index, { explanations }] of known) {
      const first = explanations[0]?.description
      if (first !== undefined) explained.set(`${source}/${index}`, first)
    }
  }
  return entries.map(entry => ({ ...entry, explanation: explained.get(`${entry.source}/${entry.index}`) ?? null }))
}
