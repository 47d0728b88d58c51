/** What a notebook computes of an export with pandas, computed from the export itself and asked of the mirror. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Mirror, openMirror } from './mirror.ts'

const demo = fileURLToPath(new URL('../../../resources/demo', import.meta.url))
const exportRow = z.object({
  modelId: z.string(),
  layer: z.string(),
  index: z.string(),
  description: z.string(),
  explanationModelName: z.string(),
  typeName: z.string()
})
type ExportRow = z.infer<typeof exportRow>
const layers = ['1-demo-res-1k', '2-demo-att-1k', '2-demo-mlp-1k', '2-demo-res-1k']
const readExport = (layer: string) =>
  z.array(exportRow).parse(JSON.parse(fs.readFileSync(path.join(demo, 'explanations', `${layer}.json`), 'utf8')))

/** `df[column].value_counts()` */
function valueCounts(rows: readonly ExportRow[], column: 'explanationModelName' | 'typeName') {
  return [...Map.groupBy(rows, row => row[column])]
    .map(([name, group]) => ({ name, explanations: group.length, features: new Set(group.map(({ index }) => index)).size }))
    .sort((a, b) => b.explanations - a.explanations || (a.name < b.name ? -1 : 1))
}

/** `df.duplicated(columns).sum()` */
function duplicated(rows: readonly ExportRow[], ...columns: (keyof ExportRow)[]): number {
  return rows.length - new Set(rows.map(row => JSON.stringify(columns.map(column => row[column])))).size
}

let folder = ''
let mirror: Mirror
/** An export like the old endpoint's, with features that have no explanation, texts that return, and a feature that is explained twice alike. */
const made: ExportRow[] = [
  ...readExport('2-demo-res-1k')
    .filter(({ index }) => Number(index) % 7 !== 3)
    .map(row => ({ ...row, modelId: 'made', layer: '0-made-res' })),
  { modelId: 'made', layer: '0-made-res', index: '5', description: 'deception', explanationModelName: 'one', typeName: 't' },
  { modelId: 'made', layer: '0-made-res', index: '5', description: 'deception', explanationModelName: 'two', typeName: 't' },
  { modelId: 'made', layer: '0-made-res', index: '6', description: 'deception', explanationModelName: 'one', typeName: 't' },
  { modelId: 'made', layer: '0-made-res', index: '6', description: 'Deception', explanationModelName: 'one', typeName: 't' }
]
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-overview-'))
  fs.writeFileSync(path.join(folder, 'made.json'), JSON.stringify(made))
  mirror = await openMirror(path.join(folder, 'mirror.sqlite'))
  await mirror.importFiles([path.join(demo, 'explanations'), path.join(folder, 'made.json')])
})
afterAll(async () => {
  await mirror.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

describe.each([...layers.map(layer => [`demo-gemma2-tiny/${layer}`, readExport(layer)] as const), ['made/0-made-res', made] as const])(
  '%s',
  (source, rows) => {
    const explained = new Set(rows.map(({ index }) => Number(index)))
    const without = Array.from({ length: 1024 }, (_, index) => index).filter(index => !explained.has(index))

    test('has the counts of a notebook', async () => {
      const overview = await mirror.overview(source, { features: 1024, from: 'request' })
      expect(overview).toMatchObject({
        source,
        explanations: rows.length,
        features: explained.size,
        width: { features: 1024, from: 'request' },
        withoutExplanation: without.length,
        firstWithout: without.slice(0, 100),
        byExplainer: valueCounts(rows, 'explanationModelName'),
        byType: valueCounts(rows, 'typeName'),
        withSeveral: [...Map.groupBy(rows, ({ index }) => index).values()].filter(group => group.length > 1).length,
        distinctDescriptions: rows.length - duplicated(rows, 'description'),
        duplicates: duplicated(rows, 'index', 'description')
      })
      const shared = [...Map.groupBy(rows, ({ description }) => description)].map(([description, group]) => ({
        description,
        explanations: group.length
      }))
      const most = shared
        .filter(({ explanations }) => explanations > 1)
        .sort((a, b) => b.explanations - a.explanations || (a.description < b.description ? -1 : 1))
      expect(overview.commonest).toEqual(most.slice(0, 10))
      expect(overview.features + (overview.withoutExplanation ?? 0)).toBe(1024)
    })

    test('has the notebook\'s hits of "decept"', async () => {
      // df[df['description'].str.contains('decept', case=False)]
      const expected = rows.filter(({ description }) => description.toUpperCase().includes('DECEPT'))
      const { hits, total } = await mirror.search({ query: 'decept', mode: 'substring', source, limit: 1000, countFor: 10_000 })
      const key = (index: string | number, description: string) => `${index} ${description}`
      expect(total).toBe(expected.length)
      expect(hits.map(hit => key(hit.index, hit.description)).sort()).toEqual(
        expected.map(({ index, description }) => key(index, description)).sort()
      )
    })
  }
)

test('the export that was made holds what the counts are about', () => {
  expect(duplicated(made, 'index', 'description')).toBe(1)
  expect(duplicated(made, 'description')).toBeGreaterThan(2)
  expect(new Set(made.map(({ index }) => index)).size).toBeLessThan(1024)
})

test('without a width nothing is said to be missing; statistics of every feature tell it', async () => {
  expect(await mirror.overview('made/0-made-res', null)).toMatchObject({ width: null, withoutExplanation: null, firstWithout: [] })
  await mirror.importFiles([path.join(demo, 'features')])
  const rows = readExport('2-demo-res-1k')
  expect(await mirror.overview('demo-gemma2-tiny/2-demo-res-1k', null)).toMatchObject({
    width: { features: 1024, from: 'statistics' },
    withoutExplanation: 1024 - new Set(rows.map(({ index }) => index)).size
  })
  await expect(mirror.overview('no/where', null)).rejects.toMatchObject({ kind: 'mirror/no-source' })
})
