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
}

interface Window {
  readonly splice?: SpliceHost
}
