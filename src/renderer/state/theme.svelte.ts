/** The theme in force. Charts and strips read colours from here, so they follow a switch. */
import { settings } from './settings.svelte.ts'

class Theme {
  #systemDark = $state(typeof matchMedia !== 'undefined' && matchMedia('(prefers-color-scheme: dark)').matches)
  /** Counts theme switches: whoever reads CSS variables from script reads this too. */
  version = $state(0)

  /** Whether the dark variables are in force. */
  get dark(): boolean {
    const { theme } = settings.values
    return theme === 'dark' || (theme === 'system' && this.#systemDark)
  }

  /** Follows the system's scheme and the setting; call once, with the window there. */
  start(): void {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', event => {
      this.#systemDark = event.matches
      this.#apply()
    })
    settings.follow((now, before) => {
      if (now.theme !== before.theme) this.#apply()
      if (now.zoom !== before.zoom) window.splice?.setZoom(now.zoom)
    })
    this.#apply()
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.dark ? 'dark' : 'light'
    this.version += 1
  }

  /** The value of a CSS variable, e.g. `--accent`, under the theme in force. */
  color(variable: string): string {
    void this.version
    return getComputedStyle(document.documentElement).getPropertyValue(variable).trim()
  }
}

export const theme = new Theme()
