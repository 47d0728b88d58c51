/** The library as streams and tables: a scan's events, and releases with what is on this disk and in the mirror. */
import type { DiskContents, ScanEvent } from '../../contract/library.ts'
import type { PublishedSae, ReleaseTable } from '../../contract/releases.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { Library } from '../library/library.ts'
import { type LocalKnowledge, listPublished, listReleases } from '../library/published.ts'
import { releaseOf } from '../library/releases.ts'
import { EventQueue } from './event-queue.ts'

/** How often a scan tells how far it is, in ms. */
const tellEvery = 100

type Found = Pick<DiskContents, 'models' | 'saes' | 'unreadable'>

/** A scan's events: what it finds as it goes, then everything. Ending the iteration early cancels it. */
export async function* scanEvents(
  library: Library,
  paths: readonly string[] | undefined,
  signal: AbortSignal | undefined
): AsyncGenerator<ScanEvent, void> {
  const abort = new AbortController()
  const events = new EventQueue<ScanEvent>()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  let found: Found = { models: [], saes: [], unreadable: [] }
  let told = 0
  let at = { folder: '', folders: 0 }
  const tell = () => {
    if (Date.now() - told < tellEvery) return
    told = Date.now()
    events.push({ type: 'progress', ...at, ...found })
    found = { models: [], saes: [], unreadable: [] }
  }
  const work = library
    .scan(paths, {
      signal: abort.signal,
      onFolder(folder, folders) {
        at = { folder, folders }
        tell()
      },
      onFound(items) {
        found.models.push(...items.models)
        found.saes.push(...items.saes)
        found.unreadable.push(...items.unreadable)
        tell()
      }
    })
    .finally(() => events.close())
  // The queue ends first; the error is thrown where the result is awaited.
  work.catch(() => undefined)
  try {
    yield* events
    yield { type: 'result', contents: await work }
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
  }
}

/** Where the published SAEs lie that the last scan found, by `repo/path`; those that cannot be read lie there too. */
async function diskPathsOf({ saes, unreadable }: DiskContents): Promise<Map<string, string>> {
  const paths = new Map<string, string>()
  for (const { path } of [...unreadable.filter(item => item.what === 'sae'), ...saes]) {
    const known = await releaseOf(path)
    if (known !== null) paths.set(`${known.repo}/${known.path}`, path)
  }
  return paths
}

/** The tables of releases with what this machine has of them. */
export function releasesWith(library: Library, mirror: Mirror) {
  async function local(): Promise<LocalKnowledge> {
    const [contents, sources] = await Promise.all([library.onDisk(), mirror.sources()])
    return {
      diskPaths: await diskPathsOf(contents),
      explanations: new Map(sources.map(({ source, explanations }) => [source, explanations]))
    }
  }
  return {
    async list(): Promise<ReleaseTable> {
      return listReleases(await local())
    },
    async saes(model: string | undefined): Promise<PublishedSae[]> {
      return listPublished(model, await local())
    }
  }
}
