import { expect, test } from 'vitest'
import type { CachedHook, HookTable } from '../../../contract/hooks.ts'
import { cellsTsv, hooksTsv } from './hooks-tsv.ts'
import { axisLabels, headsOf, kindOf } from './picture-axes.ts'

const scores: CachedHook = {
  name: 'blocks.0.attn.hook_attn_scores',
  sae: null,
  shape: [1, 2, 3, 3],
  axes: ['batch', 'head', 'query', 'key'],
  bytes: 72,
  statistics: { mean: 0.1234567890123, std: null, min: -1, max: 1, finite: 12, nan: 0, positiveInfinity: 0, negativeInfinity: 6 },
  difference: { meanAbsolute: 'NaN', maxAbsolute: 0.5, compared: 12, unlike: 0 }
}
const tokens = ['<bos>', ' a', '"'].map((text, id) => ({ id, text, special: id === 0 }))

test('the table is unrounded and leaves undefined numbers empty', () => {
  const table: HookTable = {
    model: { path: '/m', name: 'm' },
    tokens,
    variant: 'spliced',
    against: 'clean',
    hooks: [scores],
    replaced: [],
    milliseconds: 1
  }
  const [header, row] = hooksTsv(table, table.hooks)
    .split('\n')
    .map(line => line.split('\t'))
  expect(header).toEqual([
    'hook',
    'SAE',
    'shape',
    'bytes',
    'mean',
    'std',
    'min',
    'max',
    'finite',
    'NaN',
    'inf',
    '-inf',
    'mean |difference| to clean',
    'max |difference| to clean'
  ])
  expect(row).toEqual([scores.name, '', '[1, 2, 3, 3]', '72', '0.1234567890123', '', '-1', '1', '12', '0', '0', '6', 'NaN', '0.5'])
  expect(
    hooksTsv({ ...table, against: null }, table.hooks)
      .split('\n')[0]
      ?.split('\t')
  ).toHaveLength(12)
})

test('attention is a row per head and query, with tokens on both sides', () => {
  const { rows, columns } = axisLabels(scores, tokens, null)
  const cells = (values: number[]) => ({
    values: Float32Array.from(values),
    rows: [0, 3] as [number, number],
    columns: [0, 3] as [number, number],
    rowsPerCell: 2,
    columnsPerCell: 2
  })
  const text = cellsTsv(
    [
      { plane: '0', cells: cells([1, Number.NEGATIVE_INFINITY, 0.5, 2]) },
      { plane: '1', cells: cells([3, 4, 5, Number.NaN]) }
    ],
    rows,
    columns
  )
  expect(text.split('\n').map(line => line.split('\t'))).toEqual([
    ['head', 'query', 'token', 'key 0–1 <bos>', '"key 2 """'],
    ['0', '0–1', '<bos>', '1', '-Infinity'],
    ['0', '2', '""""', '0.5', '2'],
    ['1', '0–1', '<bos>', '3', '4'],
    ['1', '2', '""""', '5', 'NaN']
  ])
})

test('a picture is told by the axes of its activation', () => {
  const q = {
    ...scores,
    name: 'blocks.0.attn.hook_q',
    shape: [1, 3, 2, 4],
    axes: ['batch', 'position', 'head', 'feature'] as CachedHook['axes']
  }
  const acts = {
    ...scores,
    name: 'x.hook_sae_acts_post',
    sae: 'res',
    shape: [1, 3, 16],
    axes: ['batch', 'position', 'feature'] as CachedHook['axes']
  }
  expect([scores, q, acts].map(kindOf)).toEqual(['attention', 'heads', 'plain'])
  expect([scores, q, acts].map(headsOf)).toEqual([2, 2, 0])
  expect(axisLabels(q, tokens, null).columns).toMatchObject({ title: 'head, d', headWidth: 4 })
  expect(axisLabels(q, tokens, 1).columns).toMatchObject({ title: 'd', text: null })
  expect(axisLabels(acts, tokens, null)).toMatchObject({ rows: { title: 'position' }, columns: { title: 'SAE feature' } })
  expect(axisLabels(acts, tokens, null).rows.text?.(1)).toBe('·a')
  const flattened = { ...scores, name: 'q_norm.hook_scale', shape: [6, 1], axes: ['position-head', 'feature'] as CachedHook['axes'] }
  expect([kindOf(flattened), axisLabels(flattened, tokens, null).rows.text?.(3)]).toEqual(['plain', '·a 1'])
})
