/// <reference types="svelte" />
/// <reference types="vite/client" />

/** What the Electron preload puts on the window; absent in a browser tab. */
interface SpliceHost {
  readonly host: 'electron'
  /** The path of a dropped file or folder. */
  pathOf(file: File): string
  /** The native folder dialog; null when the person cancels it. */
  chooseFolder(): Promise<string | null>
  /** The native dialog for a file to read; null when the person cancels it. */
  chooseFile(): Promise<string | null>
  /** The native dialog for a file to write, with a name to begin with; null when the person cancels it. */
  chooseSaveFile(name: string): Promise<string | null>
  /** Hears the actions that the app's menu names, until the returned function is called. */
  onAction(hear: (id: unknown) => void): () => void
  /** Hears lists of what the app is asked from outside to open, what waits already at once. */
  onOpen(hear: (requests: unknown) => void): void
  /** Tells the app's menu which actions cannot be done now, and which choices are in force. */
  tellActionStates(states: { disabled: readonly string[]; checked: readonly string[] }): void
  /** Draws everything at a factor; 1 is the actual size. */
  setZoom(factor: number): void
  readonly versions: { readonly electron: string; readonly chrome: string }
}

interface Window {
  readonly splice?: SpliceHost
}
