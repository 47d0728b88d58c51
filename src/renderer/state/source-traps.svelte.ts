/** Sources on Neuronpedia that are known to be wrong: a dated table, read once a connection. */
import type { SourceTrap } from '../../contract/releases.ts'
import { client, connection, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'

class SourceTraps {
  #rules = $state.raw<readonly (SourceTrap & { pattern: RegExp })[]>([])
  #asked = 0

  /** Reads the table, once for a connection. */
  async load(): Promise<void> {
    const { opened } = connection
    if (opened === 0 || this.#asked === opened) return
    this.#asked = opened
    try {
      this.#rules = (await client.releases.sourceTraps()).map(rule => ({ ...rule, pattern: new RegExp(rule.sources) }))
    } catch (thrown) {
      const error = errorOf(thrown)
      if (error.kind !== 'connection/lost') {
        notices.show({ level: 'warning', key: 'source-traps', message: 'Which sources are known to be wrong cannot be said.', error })
      }
    }
  }

  /** What is known to go wrong with a source (`modelId/layer`). */
  of(source: string | null): readonly SourceTrap[] {
    return source === null ? [] : this.#rules.filter(({ pattern }) => pattern.test(source))
  }

  /** The one that may mislead, if any. */
  warningOf(source: string | null): SourceTrap | null {
    return this.of(source).find(({ level }) => level === 'warning') ?? null
  }
}

export const sourceTraps = new SourceTraps()
