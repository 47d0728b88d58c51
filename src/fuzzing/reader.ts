/** What a fuzzed reader gives: broken files for a case, and how they are read. */
import type { Draws } from './draws.ts'

export interface Reader {
  readonly name: string
  /**
   * Writes one broken file, or several, into `folder`, which is empty, and gives what reads them. Reading either ends well or throws
   * a SpliceError about them. `scratch` is a folder that stays, for what readers unpack.
   */
  prepare(draws: Draws, folder: string, scratch: string): Promise<() => Promise<unknown>>
  /** Whether errors name no file, since what is read comes over a connection or out of a database. */
  readonly hasNoFile?: boolean
  /** Whether reading may write beside what it reads, as whoever sets a broken file aside does. */
  readonly mayWrite?: boolean
  /** Looks once, after all cases, whether all is still well. Throws where it is not. */
  finish?(): Promise<void>
}
