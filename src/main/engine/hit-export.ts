/** All hits of a search into one file, page by page: whole under its name, or not there at all. */
import { createWriteStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { SpliceError } from '../../contract/errors.ts'
import { type SearchHit, searchRequest } from '../../contract/explanations.ts'
import type { HitExportEvent, HitExportRequest, HitFormat } from '../../contract/hit-export.ts'
import type { Mirror } from '../explanations/mirror.ts'
import { EventQueue } from './event-queue.ts'
import type { HeldFiles } from './held-files.ts'

/** Hits asked for at a time. */
const pageSize = 1000

const columns = ['modelId', 'layer', 'index', 'description', 'explanationModelName', 'typeName', 'id'] as const

/** A hit by Neuronpedia's names; what the mirror made up, an id of its own, is left out. */
function rowOf(hit: SearchHit): Record<(typeof columns)[number], string | null> {
  return {
    modelId: hit.model,
    layer: hit.layer,
    index: String(hit.index),
    description: hit.description,
    explanationModelName: hit.explainer,
    typeName: hit.type,
    id: /^row-\d+$/.test(hit.id) ? null : hit.id
  }
}

/** A cell of a CSV file (RFC 4180). */
function cell(text: string | null): string {
  if (text === null) return ''
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const writers: Readonly<Record<HitFormat, { head: string; foot: string; row(hit: SearchHit, isFirst: boolean): string }>> = {
  csv: {
    head: `${columns.join(',')}\n`,
    foot: '',
    row(hit) {
      const row = rowOf(hit)
      return `${columns.map(name => cell(row[name])).join(',')}\n`
    }
  },
  json: {
    head: '[',
    foot: '\n]\n',
    row: (hit, isFirst) => `${isFirst ? '' : ','}\n${JSON.stringify(rowOf(hit))}`
  }
}

async function* textOf(
  mirror: Mirror,
  request: HitExportRequest,
  signal: AbortSignal,
  onHits: (hits: number) => void
): AsyncGenerator<string, void> {
  const { format, file: _, ...question } = request
  const writer = writers[format]
  let written = 0
  yield writer.head
  for (let after: string | undefined; ; ) {
    const page = await mirror.search(searchRequest.parse({ ...question, limit: pageSize, countFor: 0, after }), signal)
    yield page.hits.map((hit, at) => writer.row(hit, written + at === 0)).join('')
    written += page.hits.length
    onHits(written)
    if (page.nextKey === null) break
    after = page.nextKey
  }
  yield writer.foot
}

/** Writes a file beside the one asked for and gives it its name once it is whole. Throws `export/disk` naming it. */
async function writeHits(
  mirror: Mirror,
  request: HitExportRequest,
  file: string,
  signal: AbortSignal,
  onHits: (hits: number) => void
): Promise<{ hits: number; bytes: number }> {
  const part = `${file}.${process.pid}.part`
  let hits = 0
  const count = (soFar: number) => {
    hits = soFar
    onHits(soFar)
  }
  try {
    await pipeline(textOf(mirror, request, signal, count), createWriteStream(part), { signal })
    const { size } = await fs.stat(part)
    await fs.rename(part, file)
    return { hits, bytes: size }
  } catch (thrown) {
    await fs.rm(part, { force: true })
    if (signal.aborted) throw new SpliceError('export/cancelled', 'the export was cancelled; nothing was written')
    if (!(thrown instanceof Error && 'code' in thrown && 'syscall' in thrown)) throw thrown
    throw new SpliceError('export/disk', `${file} cannot be written: ${thrown.message}`, {
      file,
      hint: 'Choose a folder that exists and can be written to.',
      cause: thrown
    })
  }
}

async function* writeEvents(
  mirror: Mirror,
  request: HitExportRequest,
  file: string,
  signal: AbortSignal | undefined
): AsyncGenerator<Extract<HitExportEvent, { type: 'progress' }>, { hits: number; bytes: number }> {
  const abort = new AbortController()
  const events = new EventQueue<Extract<HitExportEvent, { type: 'progress' }>>()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  const work = writeHits(mirror, request, file, abort.signal, hits => events.push({ type: 'progress', hits })).finally(() => events.close())
  // The queue ends first; the error is thrown where the result is awaited.
  work.catch(() => undefined)
  try {
    yield* events
    return await work
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
    await work.catch(() => undefined)
  }
}

/** Writes all hits to the file asked for, or to one that is held until the iteration ends. */
export async function* exportHits(
  mirror: Mirror,
  request: HitExportRequest,
  held: HeldFiles,
  signal: AbortSignal | undefined
): AsyncGenerator<HitExportEvent, void> {
  if (request.file !== undefined) {
    const file = path.resolve(request.file)
    yield { type: 'written', file, ...(yield* writeEvents(mirror, request, file, signal)) }
    return
  }
  let hits = 0
  async function* write(file: string): AsyncGenerator<HitExportEvent, void> {
    hits = (yield* writeEvents(mirror, request, file, signal)).hits
  }
  for await (const event of held.hold(request.format, write, signal)) yield 'id' in event ? { ...event, hits } : event
}
