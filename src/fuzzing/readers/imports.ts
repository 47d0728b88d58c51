/** Readers of explanations, texts and ids: .jsonl, .json and .csv, each also as .gz, a bucket's listing, an evaluation's corpus. */
import fs from 'node:fs'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { readListing } from '../../main/bucket/listing.ts'
import { XmlError } from '../../main/bucket/listing-xml.ts'
import { idArrays } from '../../main/corpus/id-arrays.ts'
import { jsonLinePieces, linePieces } from '../../main/corpus/text-pieces.ts'
import { parseFile } from '../../main/explanations/import/file-parser.ts'
import { listFiles } from '../../main/explanations/import/import-files.ts'
import { TermWriter } from '../../main/explanations/search/index-terms.ts'
import type { Draws } from '../draws.ts'
import { jsonText, mutateBytes, mutateValue } from '../mutations.ts'
import type { Reader } from '../reader.ts'
import { demo } from '../specimens.ts'

const [featureLines = ''] = fs.readdirSync(path.join(demo, 'features')).sort()
const features: unknown[] = gunzipSync(fs.readFileSync(path.join(demo, 'features', featureLines)))
  .toString('utf8')
  .split('\n')
  .slice(0, 20)
  .map(line => JSON.parse(line))
const [explanationFile = ''] = fs.readdirSync(path.join(demo, 'explanations')).sort()
const explanations = (JSON.parse(fs.readFileSync(path.join(demo, 'explanations', explanationFile), 'utf8')) as { description: string }[])
  .slice(0, 20)
  .map((row, place) => ({ ...row, id: `id${place}`, embedding: Array.from({ length: 256 }, (_, at) => at / 256) }))
const activations = Array.from({ length: 4 }, (_, index) => ({
  modelId: 'm',
  layer: '1-res',
  index: String(index),
  tokens: ['a', 'b'],
  values: [0, 1.5],
  maxValue: 1.5,
  maxValueTokenIndex: 1
}))

function rowsOf(draws: Draws): unknown[] {
  const pool = draws.pick<unknown[]>([features, explanations, activations])
  return Array.from({ length: 1 + draws.below(4) }, () => (draws.chance(0.7) ? mutateValue(draws, draws.pick(pool)) : draws.pick(pool)))
}

function contentOf(draws: Draws, kind: string): Buffer {
  const texts = rowsOf(draws).map(row => jsonText(draws, row))
  if (kind === '.json') return Buffer.from(`[${texts.join(draws.pick([',', ',\n', ' ', ',,']))}]`)
  if (kind === '.jsonl') return Buffer.from(texts.join('\n'))
  const rows = explanations.slice(0, 3).map(row => `m,1-res,${draws.below(10)},"${row.description.replaceAll('"', '""')}"`)
  return Buffer.from(`modelId,layer,index,description\n${rows.join('\n')}\n`)
}

export const imports: Reader = {
  name: 'explanations to import',
  async prepare(draws, folder) {
    const kind = draws.pick(['.jsonl', '.jsonl', '.json', '.csv'])
    const whole = contentOf(draws, kind)
    const content = draws.chance(0.3) ? mutateBytes(draws, whole) : whole
    const isZipped = draws.chance(0.5)
    const zipped = isZipped ? gzipSync(content) : content
    const file = path.join(folder, `batch-0${kind}${isZipped ? '.gz' : ''}`)
    fs.writeFileSync(file, isZipped && draws.chance(0.4) ? mutateBytes(draws, zipped) : zipped)
    return async () => {
      const terms = new TermWriter()
      for (const found of listFiles([folder])) {
        let rows = 0
        for await (const batch of parseFile(found, {
          skip: draws.chance(0.9) ? 0 : draws.below(5),
          withEmbeddings: draws.chance(0.5),
          terms
        })) {
          // What crosses to the writer's thread.
          rows += structuredClone(batch).rejects.length
        }
        if (rows > 0) throw new SpliceError('import/rejected', `${rows} rows are rejected`, { file })
      }
    }
  }
}

export const texts: Reader = {
  name: 'texts and ids of an evaluation',
  async prepare(draws, folder) {
    const file = path.join(folder, 'corpus')
    const kind = draws.pick(['text', 'jsonl', 'ids'])
    const whole =
      kind === 'ids'
        ? JSON.stringify([[1, 2, 3], [4, 5], [6]])
        : kind === 'jsonl'
          ? `{"text": "One ${'word '.repeat(draws.below(4000))}"}\n{"text": "wörm\\nhole"}\n`
          : `One\nwörmhole ${'word '.repeat(draws.below(4000))}\n`
    fs.writeFileSync(
      file,
      kind === 'jsonl' && draws.chance(0.5)
        ? jsonText(draws, mutateValue(draws, { text: 'x', more: [1] }))
        : mutateBytes(draws, Buffer.from(whole))
    )
    return async () => {
      const from = { offset: 0, line: 1 }
      const pieces =
        kind === 'ids'
          ? idArrays(file, 100, { offset: 0, index: 0 })
          : kind === 'jsonl'
            ? jsonLinePieces(file, from)
            : linePieces(file, from)
      for await (const piece of pieces) void piece
    }
  }
}

const listing =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>false</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken><Contents><Key>v1/m/s/explanations/batch-0.jsonl.gz</Key><Size>10</Size><ETag>&quot;e&quot;</ETag></Contents><CommonPrefixes><Prefix>v1/m/</Prefix></CommonPrefixes></ListBucketResult>'

export const listings: Reader = {
  name: "a bucket's listing",
  hasNoFile: true,
  async prepare(draws) {
    const bytes = draws.chance(0.05) ? Buffer.from('<a>'.repeat(draws.below(100_000))) : mutateBytes(draws, Buffer.from(listing))
    return async () => {
      try {
        readListing(bytes.toString('utf8'))
      } catch (thrown) {
        // These are what its caller turns into an error of the bucket's address.
        const isExpected = thrown instanceof XmlError || thrown instanceof z.ZodError || thrown instanceof URIError
        throw isExpected ? new SpliceError('sync/listing', thrown.message) : thrown
      }
    }
  }
}
