/**
 * The settings of a home. Each one is read by itself: a bad value has its default and is told, the others hold. What is written beside
 * stays as it is, bad values and those of other versions too; what a change would write over and cannot be read is copied before.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { type SettingProblem, type Settings, type SettingsChange, settings as settingsSchema } from '../../contract/settings.ts'
import { parseJson } from '../checkpoint/json.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'
import { freeName, writeWhole } from './state-file.ts'

const mostBytes = 16 * 1024 * 1024

/** How long a change waits for one of another process, in ms; each takes a few. What holds longer was left by one that ended. */
const changePatience = 500

const fields = settingsSchema.keyof().options
const record = z.record(z.string(), z.unknown())

/** What the file says, field by field, and what is wrong with it. */
interface Reading {
  readonly settings: Settings
  readonly problems: SettingProblem[]
  /** As it is written; null where that is no object at all. */
  readonly raw: Record<string, unknown> | null
}

function readFields(raw: Record<string, unknown>): Reading {
  const problems: SettingProblem[] = []
  const good: Record<string, unknown> = {}
  for (const field of fields) {
    if (!(field in raw)) continue
    const read = settingsSchema.shape[field].safeParse(raw[field])
    if (read.success) good[field] = raw[field]
    else {
      const issue = read.error.issues[0]
      const at = [field, ...(issue?.path ?? [])].join('.')
      problems.push({ field, message: `${at} is not what it may be (${issue?.message ?? 'unknown'}); its default is in force` })
    }
  }
  return { settings: settingsSchema.parse(good), problems, raw }
}

/** Every setting by its default, and why. */
function nothingRead(why: string): Reading {
  return { settings: settingsSchema.parse({}), problems: [{ field: null, message: `${why}; every setting has its default` }], raw: null }
}

export class SettingsFile {
  readonly path: string
  #changing: Promise<unknown> = Promise.resolve()

  constructor(home: string) {
    this.path = path.join(home, 'settings.json')
  }

  /** What is in force, and what of the file is not. */
  async read(): Promise<Reading> {
    let text: string
    try {
      text = await readText(this.path, mostBytes)
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return readFields({})
      return nothingRead(`the file ${whyUnreadable(thrown)}`)
    }
    try {
      return readFields(record.parse(parseJson(text)))
    } catch {
      return nothingRead('the file is not a JSON object')
    }
  }

  /** Keeps a change, after those before it. Panes are changed one by one. Throws `home/disk`, and `settings/unwritable` where a broken file cannot be set aside. */
  change(change: SettingsChange): Promise<Settings> {
    const changed = this.#changing
      .catch(() => undefined)
      .then(() =>
        this.#alone(async () => {
          const { settings, problems, raw } = await this.read()
          if (raw === null || problems.some(({ field }) => field !== null && field in change)) await this.#setAside()
          const { panes, ...others } = change
          const next = { ...raw, ...others, ...(panes === undefined ? {} : { panes: changedPanes(settings.panes, panes) }) }
          await writeWhole(this.path, JSON.stringify(next, null, 1))
          return readFields(next).settings
        })
      )
    this.#changing = changed
    return changed
  }

  /** Keeps other processes of the home from changing the file between reading and writing it. */
  async #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const lock = `${this.path}.lock`
    const started = performance.now()
    let isHeld = false
    while (!isHeld && performance.now() - started < changePatience) {
      try {
        await fs.writeFile(lock, '', { flag: 'wx' })
        isHeld = true
      } catch (thrown) {
        // A folder that is not there yet or cannot be written is told by whoever writes the file.
        if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) return work()
        await wait(5)
      }
    }
    try {
      return await work()
    } finally {
      await fs.rm(lock, { force: true }).catch(() => undefined)
    }
  }

  /** Copies the file beside itself, or moves away what is no file, under a name that nothing has. */
  async #setAside(): Promise<void> {
    try {
      const aside = await freeName(`${this.path}.corrupt`)
      const isFile = (await fs.stat(this.path).catch(() => null))?.isFile() === true
      if (isFile) await fs.copyFile(this.path, aside, fs.constants.COPYFILE_EXCL)
      else await fs.rename(this.path, aside)
    } catch (thrown) {
      throw this.#unwritable(thrown)
    }
  }

  #unwritable(thrown: unknown): SpliceError {
    return new SpliceError('settings/unwritable', `${this.path} cannot be written (${whyUnreadable(thrown)})`, {
      file: this.path,
      hint: 'Check who may write there, and whether the disk is full.',
      cause: thrown
    })
  }
}

function changedPanes(before: Settings['panes'], change: NonNullable<SettingsChange['panes']>): Settings['panes'] {
  const panes = { ...before }
  for (const [name, pane] of Object.entries(change)) {
    if (pane === null) delete panes[name]
    else panes[name] = pane
  }
  return panes
}
