/** The tokens that Neuronpedia says a feature raises most, for a sample of a source's features. */
import { inflateSync } from 'node:zlib'
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { storedDetails } from './import/rows.ts'

export interface MirroredLogits {
  readonly feature: number
  /** Texts of the highest tokens, the highest first; never empty. */
  readonly top: readonly string[]
}

const row = z.object({ feature: z.number(), details: z.instanceof(Uint8Array) })
const bounds = z.object({ first: z.number().nullable(), last: z.number().nullable() })

/** Those of the features named that have logits, then others, evenly spread over the source's indices, up to `count` in all. */
export function sampleLogits(database: Database, source: number, features: readonly number[], count: number): MirroredLogits[] {
  const next = database.prepare(
    'SELECT feature, details FROM feature_statistics WHERE source = ? AND feature >= ? ORDER BY feature LIMIT 1'
  )
  const found = new Map<number, MirroredLogits>()
  const take = (from: number, isExact: boolean) => {
    const known = next.get(source, from)
    if (known === undefined) return
    const { feature, details } = row.parse(known)
    if (isExact && feature !== from) return
    const { top } = storedDetails.parse(JSON.parse(inflateSync(details).toString('utf8')))
    if (top.length > 0) found.set(feature, { feature, top: top.map(([token]) => token) })
  }
  for (const feature of features) take(feature, true)
  const range = database.prepare('SELECT min(feature) AS first, max(feature) AS last FROM feature_statistics WHERE source = ?').get(source)
  const { first, last } = bounds.parse(range)
  if (first === null || last === null) return []
  // Twice as many places as are wanted: some features have no logits.
  const places = 2 * count
  for (let place = 0; place < places && found.size < count; place++) {
    // Every other place first, so that a sample that is soon full still spans the source.
    const at = place < count ? 2 * place + 1 : 2 * (place - count)
    take(Math.round(first + ((last - first) * at) / places), false)
  }
  return [...found.values()]
}
