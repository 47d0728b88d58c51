/** What a harvest found as sources of the mirror: a file of rows for each SAE, which the mirror's writer takes in whole. */
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { finished } from 'node:stream/promises'
import type { HarvestAbout } from '../../contract/harvest.ts'
import type { Mirror } from '../explanations/mirror.ts'
import { featureRow } from '../harvest/feature-rows.ts'
import type { Harvested } from '../harvest/harvest.ts'
import type { SaeTally } from '../harvest/sae-tally.ts'

/** Files that a source names; it says how many there are. */
const filesNamed = 20

function aboutOf({ head: { facts, state } }: Harvested, at: number): HarvestAbout {
  const { model, texts, context, documents, countSpecial, processing, shape } = facts
  const sae = facts.saes[at]
  if (sae === undefined) throw new Error(`the harvest has no SAE ${at}`)
  const { source: _, ...read } = sae
  return {
    model,
    sae: read,
    texts: texts.slice(0, filesNamed),
    files: texts.length,
    tokens: state.tokens,
    counted: state.counted,
    sequences: state.sequences,
    context,
    documents,
    countSpecial,
    processing,
    before: shape.before,
    after: shape.after,
    at: new Date().toISOString()
  }
}

/** Writes a row for every feature of an SAE. */
async function writeRows(file: string, source: string, tally: SaeTally, counted: number, textOf: (id: number) => string): Promise<void> {
  const stream = fs.createWriteStream(file)
  for (let index = 0; index < tally.features; index++) {
    const row = `${JSON.stringify(featureRow({ source, index }, tally.read(index), counted, textOf))}\n`
    if (!stream.write(row)) await once(stream, 'drain')
  }
  stream.end()
  await finished(stream)
}

/** Fills the sources of a harvest's SAEs, one after the other, each whole or not at all. Throws `harvest/name-taken`, `mirror/...`. */
export async function writeSources(
  harvested: Harvested & { readonly textOf: (id: number) => string },
  services: { readonly mirror: Pick<Mirror, 'writeOwnSource'>; announceStatus(): void },
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void }
): Promise<void> {
  const { head, tallies, textOf } = harvested
  const { saes } = head.facts
  const folder = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'splice-harvest-'))
  try {
    for (const [at, { source }] of saes.entries()) {
      const tally = tallies[at]
      if (tally === undefined) continue
      const share = (part: number) => onProgress((at + part) / saes.length)
      share(0)
      const file = path.join(folder, 'features.jsonl')
      await writeRows(file, source, tally, head.state.counted, textOf)
      const slash = source.indexOf('/')
      const writing = services.mirror.writeOwnSource(
        {
          file,
          bytes: (await fs.promises.stat(file)).size,
          model: source.slice(0, slash),
          layer: source.slice(slash + 1),
          about: aboutOf(harvested, at)
        },
        { signal, onProgress: ({ fraction }) => share(0.5 + (fraction ?? 0) / 2) }
      )
      services.announceStatus()
      await writing
    }
  } finally {
    await fs.promises.rm(folder, { recursive: true, force: true })
    services.announceStatus()
  }
}
