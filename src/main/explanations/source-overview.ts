/** A source's explanations in numbers. */
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import type { SourceOverview, SourceSummary } from '../../contract/explanations.ts'
import { firstRow } from './rowids.ts'

/** Features without an explanation that are named, and texts that are shown. */
const firstWithout = 100
const commonestShown = 10

const namedCount = z.object({ name: z.string().nullable(), explanations: z.number(), features: z.number() })
const textCount = z.object({ description: z.string(), explanations: z.number() })
const texts = z.object({ distinctDescriptions: z.number(), distinctRows: z.number(), explanations: z.number() })
const known = z.object({ count: z.number(), last: z.number().nullable() })

type Counts = Omit<SourceOverview, keyof SourceSummary>

/** Who says how many features the source's SAE has. */
export type KnownWidth = SourceOverview['width']

/** Counts a source's rows. `width` is what is known of its SAE; statistics of every feature tell it too. */
export function countSource(database: Database, source: number, width: KnownWidth): Counts {
  const range = { first: firstRow(source), end: firstRow(source + 1) }
  const ofSource = 'e.rowid >= CAST(@first AS INTEGER) AND e.rowid < CAST(@end AS INTEGER)'
  const by = (column: 'explainer' | 'type', table: 'explainers' | 'types') =>
    database
      .prepare(
        `SELECT n.name, count(*) AS explanations, count(DISTINCT e.feature) AS features FROM explanations e
         LEFT JOIN ${table} n ON n.id = e.${column} WHERE ${ofSource} GROUP BY e.${column} ORDER BY 2 DESC, 1`
      )
      .all(range)
      .map(raw => namedCount.parse(raw))
  const { distinctDescriptions, distinctRows, explanations } = texts.parse(
    database
      .prepare(
        `SELECT count(*) AS distinctDescriptions, ifnull(sum(features), 0) AS distinctRows, ifnull(sum(explanations), 0) AS explanations
         FROM (SELECT count(DISTINCT e.feature) AS features, count(*) AS explanations FROM explanations e WHERE ${ofSource} GROUP BY e.description)`
      )
      .get(range)
  )
  const withSeveral = database
    .prepare(`SELECT count(*) FROM (SELECT 1 FROM explanations e WHERE ${ofSource} GROUP BY e.feature HAVING count(*) > 1)`)
    .pluck()
    .get(range)
  const commonest = database
    .prepare(
      `SELECT e.description, count(*) AS explanations FROM explanations e WHERE ${ofSource}
       GROUP BY e.description HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT ${commonestShown}`
    )
    .all(range)
    .map(raw => textCount.parse(raw))
  const knownWidth = width ?? widthByStatistics(database, source)
  return {
    width: knownWidth,
    ...missing(database, source, knownWidth),
    byExplainer: by('explainer', 'explainers'),
    byType: by('type', 'types'),
    withSeveral: Number(withSeveral),
    distinctDescriptions,
    duplicates: explanations - distinctRows,
    commonest
  }
}

/** Statistics come with a row for every feature, so that their number tells the width where none is left out. */
function widthByStatistics(database: Database, source: number): KnownWidth {
  const { count, last } = known.parse(
    database.prepare('SELECT count(*) AS count, max(feature) AS last FROM feature_statistics WHERE source = ?').get(source)
  )
  return last !== null && count === last + 1 ? { features: count, from: 'statistics' } : null
}

function missing(database: Database, source: number, width: KnownWidth): Pick<Counts, 'withoutExplanation' | 'firstWithout'> {
  if (width === null) return { withoutExplanation: null, firstWithout: [] }
  const explained = new Set(
    database
      .prepare('SELECT DISTINCT feature FROM explanations WHERE source = ? AND feature < ?')
      .pluck()
      .all(source, width.features)
      .map(Number)
  )
  const without: number[] = []
  for (let feature = 0; feature < width.features && without.length < firstWithout; feature++) {
    if (!explained.has(feature)) without.push(feature)
  }
  return { withoutExplanation: width.features - explained.size, firstWithout: without }
}
