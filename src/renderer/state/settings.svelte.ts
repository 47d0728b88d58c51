/** The settings in force. A change shows at once and is kept by the engine; what changes fast, such as a pane's size, is kept when it rests. */
import type { ErrorData } from '../../contract/errors.ts'
import { type Settings, type SettingsChange, settings as settingsSchema } from '../../contract/settings.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'
import { withChange } from './settings-change.ts'

/** How long a fast change rests before it is kept, in ms. */
const restMilliseconds = 300

/** What everything is before anybody chose. */
export const defaultSettings: Settings = settingsSchema.parse({})

type Follower = (now: Settings, before: Settings) => void

class SettingsInForce {
  values = $state.raw<Settings>(defaultSettings)
  /** Whether the engine has told what was kept. */
  loaded = $state(false)
  /** How many settings of the file are not in force. */
  problems: Promise<number> = Promise.resolve(0)
  #unkept: SettingsChange = {}
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #followers: Follower[] = []

  /** Calls back whenever settings change, those that come from the engine at first too. */
  follow(follower: Follower): void {
    this.#followers.push(follower)
  }

  #take(values: Settings): void {
    const before = this.values
    this.values = values
    for (const follower of this.#followers) follower(values, before)
  }

  /** Takes the kept settings from the engine; what in their file is not in force is told in a moment. */
  async load(): Promise<void> {
    try {
      this.#take(withChange(await client.engine.settings(), this.#unkept))
      this.loaded = true
      this.problems = this.#tellProblems()
    } catch (thrown) {
      this.#tell('The settings cannot be read; defaults are in force.', errorOf(thrown))
    }
  }

  #tell(message: string, error: ErrorData): void {
    notices.show({ level: 'warning', key: 'settings', message, error })
  }

  async #tellProblems(): Promise<number> {
    try {
      const { problems, file } = await client.engine.settingsReport()
      if (problems.length === 0) return 0
      const message = problems.length === 1 ? 'A setting is not in force.' : `${problems.length} settings are not in force.`
      const hint = `It is under Settings. The file, ${file}, stays as it is meanwhile.`
      const error: ErrorData = {
        kind: 'settings/bad-value',
        message: problems.map(problem => problem.message).join('; '),
        hint,
        file,
        mistake: true
      }
      notices.show({ level: 'warning', key: 'settings', sticky: true, message, error })
      return problems.length
    } catch (thrown) {
      this.#tell('It is not known whether all settings are in force.', errorOf(thrown))
      return 1
    }
  }

  /** Changes settings at once and keeps them. False, with a notice, where the engine does not take them; they are then as before. */
  async change(change: SettingsChange): Promise<boolean> {
    const before = this.values
    this.#take(withChange(before, change))
    try {
      this.#take(withChange(await client.engine.changeSettings(change), this.#unkept))
      return true
    } catch (thrown) {
      const { values } = this
      this.#take({ ...values, ...Object.fromEntries(Object.entries(before).filter(([name]) => name in change)) })
      this.#tell('The setting was not kept.', errorOf(thrown))
      return false
    }
  }

  /** Changes settings at once and keeps them when no other such change follows. */
  changeSoon(change: SettingsChange): void {
    this.#take(withChange(this.values, change))
    this.#unkept = { ...this.#unkept, ...change, panes: { ...this.#unkept.panes, ...change.panes } }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.keepNow(), restMilliseconds)
  }

  /** Keeps what rests still. */
  keepNow(): void {
    clearTimeout(this.#timer)
    if (Object.keys(this.#unkept).length === 0) return
    const change = this.#unkept
    this.#unkept = {}
    void this.change(change)
  }
}

export const settings = new SettingsInForce()
if (typeof window !== 'undefined') window.addEventListener('pagehide', () => settings.keepNow())
