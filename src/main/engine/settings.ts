/** The settings at work: what a change does to the inference process, what the environment decides, and the cache. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { CacheSize, SettingProblem, Settings, SettingsChange, SettingsReport } from '../../contract/settings.ts'
import { hubCacheFolder } from '../hub/environment.ts'
import type { Library } from '../library/library.ts'
import type { InferenceProcess } from './inference-process.ts'
import type { InferenceChoice } from './process-life.ts'

/** Variables that decide something that the settings view shows, and what. */
const variables: Readonly<Record<string, string>> = {
  SPLICE_HOME: "is Splice's home",
  SPLICE_DB: "is the mirror's file",
  SPLICE_CATALOGUE_URL: 'is where a newer table of releases is read from',
  HF_HUB_CACHE: 'is where downloads go and where the library finds them',
  HUGGINGFACE_HUB_CACHE: 'is where downloads go, unless HF_HUB_CACHE is set',
  HF_HOME: 'holds the cache of downloads, unless HF_HUB_CACHE is set',
  XDG_CACHE_HOME: 'holds the cache of downloads, unless HF_HOME or HF_HUB_CACHE is set',
  XDG_DATA_HOME: "holds Splice's home, unless SPLICE_HOME is set",
  HF_ENDPOINT: "is the hub's address",
  HF_TOKEN: 'is the token for gated repositories',
  HUGGING_FACE_HUB_TOKEN: 'is the token for gated repositories, unless HF_TOKEN is set',
  HF_TOKEN_PATH: 'is the file of the token for gated repositories',
  HF_HUB_OFFLINE: 'forbids asking the hub',
  TRANSFORMERS_OFFLINE: 'forbids asking the hub'
}
const secret = new Set(['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'])

/** What the inference process is to run with; a number of threads of a larger machine is cut to this one's. */
export function inferenceChoice({ provider, precision, threads }: Settings): InferenceChoice {
  return { provider, precision, threads: threads === null ? null : Math.min(threads, os.availableParallelism()) }
}

export class EngineSettings {
  readonly #home: string
  readonly #library: Library
  readonly #inference: InferenceProcess

  constructor(home: string, library: Library, inference: InferenceProcess) {
    this.#home = home
    this.#library = library
    this.#inference = inference
  }

  /** Keeps a change. Throws `settings/threads` for more threads than this machine has processors. */
  async change(change: SettingsChange): Promise<Settings> {
    const processors = os.availableParallelism()
    if (typeof change.threads === 'number' && change.threads > processors) {
      throw new SpliceError('settings/threads', `${change.threads} threads are more than the ${processors} processors of this machine`, {
        field: 'threads',
        hint: `Choose from 1 to ${processors}.`
      })
    }
    const before = inferenceChoice(await this.#library.settings())
    const settings = await this.#library.changeSettings(change)
    const now = inferenceChoice(settings)
    // Whoever changed it need not wait until what is under way has ended; the status says when it is in force.
    if (JSON.stringify(now) !== JSON.stringify(before)) void this.#inference.choose(now)
    return settings
  }

  /** What surrounds the settings. Starts the inference process where it is not there: it knows the providers. */
  async report(): Promise<SettingsReport> {
    await this.#inference.ready()
    const { file, problems } = await this.#library.settingsProblems()
    return {
      file,
      problems: [...problems, ...(await this.#cutThreads())],
      variables: Object.entries(variables).flatMap(([name, effect]) => {
        const value = process.env[name] ?? ''
        return value === '' ? [] : [{ name, value: secret.has(name) ? 'set' : value, effect }]
      }),
      home: this.#home,
      downloads: hubCacheFolder(),
      processors: os.availableParallelism(),
      providers: this.#inference.providers
    }
  }

  async #cutThreads(): Promise<SettingProblem[]> {
    const { threads } = await this.#library.settings()
    const processors = os.availableParallelism()
    if (threads === null || threads <= processors) return []
    return [
      { field: 'threads', message: `threads is ${threads}, but this machine has ${processors} processors; ${processors} are in force` }
    ]
  }

  get #cacheFolder(): string {
    return path.join(this.#home, 'cache')
  }

  /** Files of unpacked weights; those that a sync or a download holds lie in folders of their own. */
  async #cacheFiles(): Promise<{ file: string; bytes: number }[]> {
    const folder = this.#cacheFolder
    const names = await fs.readdir(folder).catch((): string[] => [])
    const files = await Promise.all(
      names.map(async name => {
        const file = path.join(folder, name)
        const stat = await fs.stat(file).catch(() => null)
        return stat?.isFile() ? { file, bytes: stat.size } : null
      })
    )
    return files.filter(file => file !== null)
  }

  /** How large the cache of unpacked weights is. */
  async cache(): Promise<CacheSize> {
    const files = await this.#cacheFiles()
    return { folder: this.#cacheFolder, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
  }

  /** Removes the unpacked weights. The inference process, which maps them, starts anew, after what is under way. */
  async clearCache(): Promise<CacheSize> {
    await this.#inference.restart(async () => {
      for (const { file } of await this.#cacheFiles()) await fs.rm(file, { force: true })
    })
    return this.cache()
  }
}
