/** What the mirror knows of sources of one's own: of what they were made. */
import type { Database } from 'better-sqlite3'
import { type HarvestAbout, harvestAbout } from '../../contract/harvest.ts'

/** What is kept of a source, read; null where nothing is, for the source is none of one's own. */
export function readAbout(about: unknown): HarvestAbout | null {
  return typeof about === 'string' ? harvestAbout.parse(JSON.parse(about)) : null
}

/** The same of a source by its number. */
export function aboutOwn(database: Database, source: number): HarvestAbout | null {
  return readAbout(database.prepare('SELECT about FROM harvests WHERE source = ?').pluck().get(source))
}
