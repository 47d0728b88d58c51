/** `splice library`: the models and SAEs on this disk. */
import type { DiskContents, HubPlace } from '../../contract/library.ts'
import type { Engine } from '../engine/engine.ts'
import { aligned } from './aligned.ts'
import { type Grammar, readArguments, readDb } from './arguments.ts'
import { formatBytes } from './bytes.ts'
import { exitCode } from './exit.ts'
import { resultOf } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = { command: 'library', flags: ['json'], values: ['db'], lists: [], operand: null, operands: 'none' }

/** Runs the command; what cannot be read is listed and no failure. */
export async function library(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const { contents, folders } = await withEngine({ db: readDb(args), explains: false }, async client => ({
    contents: await scanned(client, terminal),
    folders: await client.library.folders()
  }))
  await terminal.print(args.flags.has('json') ? `${JSON.stringify({ ...contents, lookedIn: folders })}\n` : listOf(contents))
  for (const limit of contents.limits) terminal.note(`splice: ${limit}`)
  return exitCode.done
}

/** Looks through the library's folders, with progress. */
export async function scanned(client: Engine['client'], terminal: Terminal): Promise<DiskContents> {
  const events = await client.library.scan({}, { signal: terminal.signal })
  return (await resultOf(events, 'scan', ({ folders, folder }) => terminal.progress(`${folders} folders, ${folder}`))).contents
}

const place = (path: string, hub: HubPlace | null) =>
  hub === null ? path : `${hub.repo}@${hub.refs[0] ?? hub.commit.slice(0, 8)}  ${path}`

function parameters(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)}B` : `${(count / 1e6).toFixed(1)}M`
}

function listOf({ models, saes, unreadable }: DiskContents): string {
  const parts: string[] = []
  if (models.length > 0) {
    const rows = models.map(model => [
      model.name,
      model.family,
      parameters(model.parameters),
      model.dtype,
      String(model.layers),
      String(model.dModel),
      formatBytes(model.sizeBytes),
      place(model.path, model.hub)
    ])
    parts.push(aligned([['model', 'family', 'size', 'dtype', 'layers', 'd_model', 'on disk', 'where'], ...rows], new Set([0, 1, 3, 7])))
  }
  if (saes.length > 0) {
    const rows = saes.map(sae => [
      sae.name,
      sae.format,
      sae.hook ?? '-',
      String(sae.dIn),
      String(sae.dSae),
      sae.averageL0 === null ? '-' : String(sae.averageL0),
      sae.release ?? '-',
      sae.source ?? '-',
      place(sae.path, sae.hub)
    ])
    const header = ['SAE', 'format', 'hook', 'd_in', 'd_sae', 'L0', 'release', 'source', 'where']
    parts.push(aligned([header, ...rows], new Set([0, 1, 2, 6, 7, 8])))
  }
  if (unreadable.length > 0) {
    const lines = unreadable.map(({ path, error }) => `${path}\n  ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`)
    parts.push(['Not readable:', ...lines].join('\n'))
  }
  const count = (number: number, one: string) => `${number} ${one}${number === 1 ? '' : 's'}`
  const unread = unreadable.length === 0 ? '' : `, ${unreadable.length} not readable`
  return `${[...parts, `${count(models.length, 'model')}, ${count(saes.length, 'SAE')}${unread}`].join('\n\n')}\n`
}
