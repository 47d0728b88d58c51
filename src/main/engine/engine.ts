/**
 * The engine: files, the mirror and the inference process behind the contract. Windows and tabs reach it through
 * `entry.ts`, the command line holds it in its own process.
 */
import path from 'node:path'
import { createRouterClient } from '@orpc/server'
import type { EngineEvent, EngineStatus, Notice } from '../../contract/engine.ts'
import { toErrorData } from '../../contract/errors.ts'
import { setBrokenMirrorAside } from '../explanations/database.ts'
import { type Mirror, openMirror } from '../explanations/mirror.ts'
import { hubCacheFolder } from '../hub/environment.ts'
import { homeFolder } from '../library/home.ts'
import { type Library, openLibrary } from '../library/library.ts'
import { openPromptLibrary, type PromptLibrary } from '../library/prompt-library.ts'
import { resourcesFolder } from '../library/resources.ts'
import { Notebook } from '../notebook/notebook.ts'
import { History } from '../runs/history.ts'
import { Downloads } from './downloads.ts'
import { EventQueue } from './event-queue.ts'
import { Harvests } from './harvests.ts'
import { InferenceProcess } from './inference-process.ts'
import { PathAccess } from './path-access.ts'
import type { InferenceChoice } from './process-life.ts'
import { makeRouter } from './router.ts'
import { EngineSettings, inferenceChoice } from './settings.ts'
import { Syncs } from './syncs.ts'
import { TroubleLog } from './trouble-log.ts'
import { version } from './version.ts'

export interface EngineOptions {
  /** Where state is kept; SPLICE_HOME or the platform's data folder by default. */
  readonly home?: string
  /** The mirror's file; `<home>/mirror.sqlite` by default. */
  readonly db?: string
  /** Threads that read the mirror; without any, reading happens in the engine's own. */
  readonly readers?: number
  /** For an engine that stays open: what is broken in the home is set aside and made again, and backups are kept. */
  readonly repairs?: boolean
  /** Hears of what no request answers, also where nobody watches. */
  readonly onNotice?: (notice: Notice) => void
  /** The folders that clients may name paths in; any path without it. */
  readonly only?: readonly string[]
  /** Imports the demo's explanations when they are not in the mirror yet. */
  readonly importDemo?: boolean
}

/** What the router's procedures work with. */
export interface EngineServices {
  readonly home: string
  readonly library: Library
  readonly prompts: PromptLibrary
  readonly mirror: Mirror
  readonly inference: InferenceProcess
  readonly downloads: Downloads
  readonly notebook: Notebook
  readonly syncs: Syncs
  readonly history: History
  readonly settings: EngineSettings
  readonly harvests: Harvests
  /** Null where clients may name any path. */
  readonly paths: PathAccess | null
  readonly troubles: TroubleLog
  status(): Promise<EngineStatus>
  watch(signal: AbortSignal | undefined): AsyncGenerator<EngineEvent, void>
  /** Tells every watcher that the status changed. */
  announceStatus(): void
}

/** How many notices wait for someone to listen. */
const mostUnheard = 20

/** How long changes of the status gather before watchers hear of them, in ms. */
const statusDelay = 30

class Services implements EngineServices {
  readonly home: string
  readonly library: Library
  readonly prompts: PromptLibrary
  readonly mirror: Mirror
  readonly inference: InferenceProcess
  readonly downloads: Downloads
  readonly notebook: Notebook
  readonly syncs: Syncs
  readonly history: History
  readonly settings: EngineSettings
  readonly harvests: Harvests
  paths: PathAccess | null = null
  readonly troubles: TroubleLog
  readonly #watchers = new Set<EventQueue<EngineEvent>>()
  /** What was to be said before anyone listened. */
  readonly #unheard: Notice[] = []
  readonly #onNotice: (notice: Notice) => void
  #announcing: NodeJS.Timeout | null = null

  constructor(
    home: string,
    library: Library,
    mirror: Mirror,
    { choice, repairs, onNotice }: { choice: InferenceChoice; repairs: boolean; onNotice: (notice: Notice) => void }
  ) {
    this.home = home
    this.#onNotice = onNotice
    this.troubles = new TroubleLog(home)
    const onRepair = repairs ? (message: string) => this.warn(message) : undefined
    this.library = library
    this.prompts = openPromptLibrary(home)
    this.mirror = mirror
    this.downloads = new Downloads(home)
    this.notebook = new Notebook(path.join(home, 'notebook.sqlite'), Date.now, onRepair)
    this.syncs = new Syncs(home, mirror, () => this.announceStatus())
    this.history = new History(path.join(home, 'runs.sqlite'), {
      version: version(),
      onRepair,
      onFailure: error =>
        this.#notify({
          level: 'warning',
          message: `a run was not kept in the history: ${error.message}`,
          at: Date.now(),
          error: error.toData()
        })
    })
    this.inference = new InferenceProcess(
      {
        onState: () => this.announceStatus(),
        onChange: () => this.announceStatus(),
        onDied: error => this.#notify({ level: 'error', message: error.message, at: Date.now(), error: error.toData() })
      },
      choice
    )
    this.settings = new EngineSettings(home, library, this.inference)
    this.harvests = new Harvests(this)
  }

  async status(): Promise<EngineStatus> {
    const { inference, mirror } = this
    const counts = await mirror.counts()
    return {
      version: version(),
      engineProcess: process.pid,
      inference: inference.state,
      inferenceProcess: inference.processId,
      provider: inference.provider,
      precision: inference.precision,
      providerReason: inference.providerReason,
      providerFellBack: inference.providerFellBack,
      threads: inference.threads,
      threadsChosen: inference.threadsChosen,
      mappedBytes: inference.mappedBytes,
      residentBytes: inference.residentBytes,
      mirror: { ...counts, importing: mirror.importing },
      home: this.home
    }
  }

  announceStatus(): void {
    if (this.#watchers.size === 0 || this.#announcing !== null) return
    this.#announcing = setTimeout(() => {
      this.#announcing = null
      void this.status().then(
        status => this.#tell({ type: 'status', status }),
        thrown => this.#notify({ level: 'error', message: toErrorData(thrown).message, at: Date.now(), error: toErrorData(thrown) })
      )
    }, statusDelay)
  }

  /** Tells a person what they should know, now or when the first one listens. */
  warn(message: string): void {
    this.#notify({ level: 'warning', message, at: Date.now() })
  }

  #notify(notice: Notice): void {
    this.troubles.note(notice.error ?? { kind: `notice/${notice.level}`, message: notice.message })
    this.#onNotice(notice)
    if (this.#watchers.size === 0 && this.#unheard.length < mostUnheard) this.#unheard.push(notice)
    this.#tell({ type: 'notice', notice })
  }

  #tell(event: EngineEvent): void {
    for (const watcher of this.#watchers) watcher.push(event)
  }

  async *watch(signal: AbortSignal | undefined): AsyncGenerator<EngineEvent, void> {
    const events = new EventQueue<EngineEvent>()
    const stop = () => events.close()
    signal?.addEventListener('abort', stop, { once: true })
    this.#watchers.add(events)
    try {
      yield { type: 'status', status: await this.status() }
      for (const notice of this.#unheard.splice(0)) yield { type: 'notice', notice }
      yield* events
    } finally {
      this.#watchers.delete(events)
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Finishes what a crash cut off in the mirror; a failure becomes a notice. */
  async settleMirror(): Promise<void> {
    try {
      await this.mirror.settle()
    } catch (thrown) {
      const error = toErrorData(thrown)
      this.#notify({ level: 'warning', message: `sources are still to be removed: ${error.message}`, at: Date.now(), error })
    }
  }

  /** Imports the demo's explanations once; a failure becomes a notice, since everything else works without them. */
  async importDemo(): Promise<void> {
    const demo = path.join(resourcesFolder(), 'demo')
    try {
      const known = await this.mirror.sources()
      if (known.some(({ model, statistics, harvest }) => model === 'demo-gemma2-tiny' && statistics > 0 && harvest === null)) return
      const work = this.mirror.importFiles([path.join(demo, 'explanations'), path.join(demo, 'features')], {})
      this.announceStatus()
      await work
    } catch (thrown) {
      const error = toErrorData(thrown)
      this.#notify({ level: 'warning', message: `the demo's explanations were not imported: ${error.message}`, at: Date.now(), error })
    }
    this.announceStatus()
  }

  async close(): Promise<void> {
    for (const watcher of this.#watchers) watcher.close()
    if (this.#announcing !== null) clearTimeout(this.#announcing)
    await this.downloads.close()
    await this.syncs.close()
    await this.inference.close()
    await this.history.close()
    await this.mirror.close()
    await this.notebook.close()
  }
}

/** Opens the mirror; the home's own is set aside where it is broken. A file that a person named is theirs to look after. */
async function openOrRepair({ db, readers, repairs }: EngineOptions, home: string): Promise<{ mirror: Mirror; repaired: string | null }> {
  const file = db ?? path.join(home, 'mirror.sqlite')
  try {
    return { mirror: await openMirror(file, { readers }), repaired: null }
  } catch (thrown) {
    const repaired = repairs === true && db === undefined ? setBrokenMirrorAside(file, thrown) : null
    if (repaired === null) throw thrown
    return { mirror: await openMirror(file, { readers }), repaired }
  }
}

/** Opens the engine. Throws when the mirror or the home folder cannot be opened. */
export async function createEngine(options: EngineOptions = {}) {
  const home = options.home ?? homeFolder()
  const repairs = options.repairs === true
  const { mirror, repaired } = await openOrRepair(options, home)
  const library = await openLibrary({ home })
  const choice = inferenceChoice(await library.settings())
  const services = new Services(home, library, mirror, { choice, repairs, onNotice: options.onNotice ?? (() => undefined) })
  if (options.only !== undefined) services.paths = new PathAccess(options.only, [home, resourcesFolder(), hubCacheFolder()])
  if (repaired !== null) services.warn(repaired)
  const router = makeRouter(services)
  // A command does its own work and no other; whoever stays open tidies up.
  if ((options.readers ?? 0) > 0) void services.settleMirror()
  const demoImported = options.importDemo === true ? services.importDemo() : Promise.resolve()
  return {
    router,
    /** The contract's client in this process. */
    client: createRouterClient(router),
    /** Starts the inference process before the first run asks for it. */
    warmUp(): void {
      services.inference.start()
    },
    /** Writes down for diagnostics that the engine before this one ended, and how. */
    noteDeath(how: string): void {
      services.troubles.note({ kind: 'engine/died', message: `the engine ended: ${how}` })
    },
    /** Settles when the demo's explanations are in the mirror. */
    demoImported,
    async close(): Promise<void> {
      await demoImported
      await services.close()
    }
  }
}

export type Engine = Awaited<ReturnType<typeof createEngine>>
