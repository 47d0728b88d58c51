/** What the mirror asks of its readers' threads, and what they answer. */
import { z } from 'zod'
import { errorData } from '../../contract/errors.ts'
import { countRequest, searchRequest, similarRequest, sourceOverview } from '../../contract/explanations.ts'
import type { MirrorReading } from './mirror-reading.ts'
import type { Cancelled } from './search/search.ts'

export const question = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('search'), request: searchRequest }),
  z.object({ kind: z.literal('count'), request: countRequest }),
  z.object({ kind: z.literal('feature'), source: z.string(), index: z.int() }),
  z.object({ kind: z.literal('sources') }),
  z.object({ kind: z.literal('sampleLogits'), source: z.string(), features: z.array(z.int()), count: z.int() }),
  z.object({ kind: z.literal('counts') }),
  z.object({ kind: z.literal('overview'), source: z.string(), width: sourceOverview.shape.width }),
  z.object({ kind: z.literal('similar'), request: similarRequest }),
  z.object({ kind: z.literal('state') }),
  z.object({
    kind: z.literal('knownFiles'),
    files: z.array(z.object({ name: z.string(), bytes: z.number(), version: z.string() })),
    withEmbeddings: z.boolean()
  }),
  z.object({ kind: z.literal('explanationsOf'), source: z.string(), indices: z.array(z.int()) })
])
export type Question = z.infer<typeof question>

/** `cancelled` holds one 32-bit integer, 1 when nobody waits any more. */
export const toReader = z.object({ id: z.int(), question, cancelled: z.instanceof(SharedArrayBuffer) })
export type ToReader = z.infer<typeof toReader>

/** Answers come from our own code in another thread; they are what `answer` returns. */
export const fromReader = z.union([z.object({ id: z.int(), error: errorData }), z.object({ id: z.int(), answer: z.unknown() })])

/** The answer to each kind of question. */
export interface Answers {
  search: ReturnType<MirrorReading['search']>
  count: ReturnType<MirrorReading['count']>
  feature: ReturnType<MirrorReading['feature']>
  sources: ReturnType<MirrorReading['sources']>
  sampleLogits: ReturnType<MirrorReading['sampleLogits']>
  counts: ReturnType<MirrorReading['counts']>
  overview: ReturnType<MirrorReading['overview']>
  similar: ReturnType<MirrorReading['similar']>
  state: ReturnType<MirrorReading['state']>
  knownFiles: ReturnType<MirrorReading['knownFiles']>
  explanationsOf: ReturnType<MirrorReading['explanationsOf']>
}

/** Answers a question. Throws what the reading throws. */
export function answer(reading: MirrorReading, asked: Question, cancelled: Cancelled): Answers[Question['kind']] {
  switch (asked.kind) {
    case 'search':
      return reading.search(asked.request, cancelled)
    case 'count':
      return reading.count(asked.request, cancelled)
    case 'feature':
      return reading.feature(asked.source, asked.index)
    case 'sources':
      return reading.sources()
    case 'sampleLogits':
      return reading.sampleLogits(asked.source, asked.features, asked.count)
    case 'counts':
      return reading.counts()
    case 'overview':
      return reading.overview(asked.source, asked.width)
    case 'similar':
      return reading.similar(asked.request, cancelled)
    case 'state':
      return reading.state()
    case 'knownFiles':
      return reading.knownFiles(asked.files, asked.withEmbeddings)
    case 'explanationsOf':
      return reading.explanationsOf(asked.source, asked.indices)
  }
}
