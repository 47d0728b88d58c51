/** The theme in force and the settings that outlive a window. Charts and strips read colours from here, so they follow a switch. */
import { type Settings, settings } from '../../contract/engine.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'

class Theme {
  settings = $state.raw<Settings>(settings.parse({}))
  #systemDark = $state(typeof matchMedia !== 'undefined' && matchMedia('(prefers-color-scheme: dark)').matches)
  /** Counts theme switches: whoever reads CSS variables from script reads this too. */
  version = $state(0)

  /** Whether the dark variables are in force. */
  get dark(): boolean {
    return this.settings.theme === 'dark' || (this.settings.theme === 'system' && this.#systemDark)
  }

  /** Follows the system's scheme; call once, with the window there. */
  start(): void {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', event => {
      this.#systemDark = event.matches
      this.#apply()
    })
    this.#apply()
  }

  /** Takes the kept settings from the engine. */
  async load(): Promise<void> {
    try {
      this.settings = await client.engine.settings()
      this.#apply()
    } catch (thrown) {
      notices.show({
        level: 'warning',
        key: 'settings',
        message: 'The settings cannot be read; defaults are in force.',
        error: errorOf(thrown)
      })
    }
  }

  /** Ends when the change asked for last has been kept. */
  #keeping: Promise<unknown> = Promise.resolve()

  /** Changes settings at once and keeps them, one change after the other: the file is read, changed and written. */
  async change(change: Partial<Settings>): Promise<void> {
    this.settings = { ...this.settings, ...change }
    this.#apply()
    const kept = this.#keeping.then(() => client.engine.changeSettings(change))
    const settled = kept.catch(() => undefined)
    this.#keeping = settled
    try {
      const settings = await kept
      // A later change shows already, and its answer has this one.
      if (this.#keeping === settled) this.settings = settings
    } catch (thrown) {
      notices.show({ level: 'warning', key: 'settings', message: 'The setting was not kept.', error: errorOf(thrown) })
    }
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.dark ? 'dark' : 'light'
    window.splice?.setZoom(this.settings.zoom)
    this.version += 1
  }

  /** The value of a CSS variable, e.g. `--accent`, under the theme in force. */
  color(variable: string): string {
    void this.version
    return getComputedStyle(document.documentElement).getPropertyValue(variable).trim()
  }
}

export const theme = new Theme()
