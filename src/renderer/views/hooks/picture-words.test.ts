import { expect, test } from 'vitest'
import { cellMeaning, cellText, columnsText, type PictureFacts, valueText } from './picture-words.ts'

const tokens = ['<bos>', 'Would', ' you', ' be'].map((text, id) => ({ id, text, special: id === 0 }))
const attention: PictureFacts = { kind: 'attention', tokens, tokenRows: true, head: 2, dHead: 1, columnTitle: 'key' }
const stream: PictureFacts = { kind: 'plain', tokens, tokenRows: true, head: null, dHead: 1, columnTitle: 'd' }
const queries: PictureFacts = { kind: 'heads', tokens, tokenRows: true, head: null, dHead: 8, columnTitle: 'head, d' }

test('attention goes from a key to a query, each by its token; cells of several say from where to where', () => {
  expect(cellText({ head: null, rows: [3, 4], columns: [1, 2], value: 0.25 }, attention)).toBe(
    'head 2: from key 1 "Would" to query 3 " be": 0.2500'
  )
  expect(cellText({ head: 0, rows: [2, 4], columns: [0, 2], value: Number.NEGATIVE_INFINITY }, { ...attention, head: null })).toBe(
    'head 0: from key 0–1 "<bos>" to "Would" to query 2–3 " you" to " be": −∞'
  )
})

test('other activations have a position and a feature, or a head and its d', () => {
  expect(cellText({ head: null, rows: [2, 3], columns: [7, 10], value: -2 }, stream)).toBe('position 2 " you", d 7–9: -2')
  expect(columnsText([17, 18], queries)).toBe('head 2, d 1')
  expect(columnsText([6, 10], queries)).toBe('head 0, d 6 to head 1, d 1')
  expect(columnsText([3, 5], { ...queries, head: 1 })).toBe('head 1, d 3–4')
  expect(cellText({ head: null, rows: [5, 6], columns: [0, 1], value: Number.NaN }, { ...stream, tokenRows: false })).toBe(
    'row 5, d 0: NaN'
  )
  expect([valueText(Number.POSITIVE_INFINITY), valueText(0)]).toEqual(['∞', '0'])
})

test('what a cell stands for is said, and how it sums up', () => {
  const cells = (rowsPerCell: number, columnsPerCell: number) => ({
    values: new Float32Array(1),
    rows: [0, 4] as [number, number],
    columns: [0, 9] as [number, number],
    rowsPerCell,
    columnsPerCell
  })
  expect(cellMeaning(cells(1, 1), stream, 'mean')).toBe('each cell is one value')
  expect(cellMeaning(cells(1, 3), stream, 'largest')).toBe('each cell stands for 1 position × 3 values: the one of largest |x|')
  expect(cellMeaning(cells(2, 1), attention, 'mean')).toBe('each cell stands for 2 queries × 1 key: their mean')
})
