/** A source of one's own, harvested from text: its features come from one file, whole or not at all, in place of those it had before. */
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import { harvestAbout } from '../../../contract/harvest.ts'
import { aboutOwn } from '../harvest-about.ts'
import { type JobControl, throwIfCancelled } from '../maintenance/job.ts'
import { TermWriter } from '../search/index-terms.ts'
import { keepSummaries } from '../source-summaries.ts'
import { parseFile } from './file-parser.ts'
import { RowWriter } from './row-writer.ts'

export const ownSource = z.object({
  /** Rows of Neuronpedia's features, in .jsonl. */
  file: z.string(),
  bytes: z.number(),
  model: z.string(),
  layer: z.string(),
  about: harvestAbout
})
export type OwnSource = z.infer<typeof ownSource>

/** The error for a name that a source has which is not one's own. */
export function nameTaken(source: string): SpliceError {
  return new SpliceError('harvest/name-taken', `the mirror has a source ${source} that was not harvested`, {
    field: 'name',
    hint: 'Choose another name for what is harvested.'
  })
}

/** Writes it. Throws `harvest/name-taken`, `mirror/cancelled`, and what is wrong with the file; then nothing of it is there. */
export async function writeOwnSource(
  database: Database,
  { file, bytes, model, layer, about }: OwnSource,
  control: JobControl
): Promise<{ features: number }> {
  database.exec('BEGIN IMMEDIATE')
  try {
    const writer = new RowWriter(database)
    writer.start()
    const isThere = database.prepare('SELECT 1 FROM sources WHERE model = ? AND layer = ?').get(model, layer) !== undefined
    const source = writer.source(model, layer)
    if (isThere && aboutOwn(database, source) === null) throw nameTaken(`${model}/${layer}`)
    database.prepare('DELETE FROM feature_statistics WHERE source = ?').run(source)
    database.prepare('DELETE FROM feature_examples WHERE source = ?').run(source)
    let features = 0
    for await (const batch of parseFile({ path: file, bytes }, { skip: 0, withEmbeddings: false, terms: new TermWriter() })) {
      throwIfCancelled(control, 'writing', 'the mirror is as it was')
      const [reject] = batch.rejects
      if (reject !== undefined) throw new Error(`${file}, line ${reject.line}: ${reject.reason}`)
      writer.write([batch])
      features += batch.features.length
      control.onProgress({ stage: 'writing', fraction: bytes === 0 ? null : Math.min(1, batch.bytesRead / bytes) })
    }
    database.prepare('INSERT OR REPLACE INTO harvests (source, about) VALUES (?, ?)').run(source, JSON.stringify(about))
    keepSummaries(database, [source])
    database.exec('COMMIT')
    return { features }
  } catch (thrown) {
    database.exec('ROLLBACK')
    throw thrown
  }
}
