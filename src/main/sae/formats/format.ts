/** What one on-disk format gives: how to recognise it by content, and how to read it. */
import type { OpenSaeOptions, Sae, SaeLocation } from '../sae.ts'

export interface SaeFormat {
  readonly name: string
  /** For error messages, e.g. `Gemma Scope folders with params.npz`. */
  readonly description: string
  recognise(location: SaeLocation): boolean
  read(location: SaeLocation, options: OpenSaeOptions): Promise<Sae>
}
