import type { Settings, SettingsChange } from '../../contract/settings.ts'

/** Settings with a change in them; panes are changed one by one. */
export function withChange(before: Settings, { panes, ...others }: SettingsChange): Settings {
  const changed = Object.entries({ ...before.panes, ...panes }).flatMap(([name, pane]) => (pane === null ? [] : [[name, pane] as const]))
  return { ...before, ...others, panes: Object.fromEntries(changed) }
}
