import { describe, expect, test } from 'vitest'
import { type FeatureEdit, variant } from '../../contract/run.ts'
import { checkVariants } from '../../main/inference/variants.ts'
import { editsInWords } from './edit-words.ts'
import {
  canStand,
  columnsOf,
  columnsWithout,
  type EditSetting,
  namesOfColumns,
  putInto,
  settingOf,
  splicesIn,
  withColumns,
  withEdits
} from './edited-variants.ts'
import { looksOf, type SplicedSae, shownVariants, targetOf } from './shown-variants.ts'

const edit = (more: Partial<FeatureEdit> = {}): FeatureEdit => ({
  ...{ sae: 'l0_15', feature: 1022, kind: 'set', value: 0, positions: 'all' },
  ...more
})
const column = (setting: EditSetting, ...edits: FeatureEdit[]) => ({ splices: splicesIn(setting, edits), edits })
const nameOf = (setting: EditSetting, ...edits: FeatureEdit[]) => namesOfColumns(withColumns([], [column(setting, ...edits)]), false, [])[0]
const sae = (name: string, hook: string): SplicedSae => ({
  ...{ name, summary: { hook, hookOut: null }, alone: true, withError: false, joined: 'spliced' }
})
const open = [sae('l0_15', 'blocks.2.hook_resid_post'), sae('early', 'blocks.1.hook_resid_post')]
const none = { spliced: false, withError: false }

describe('a column is named', () => {
  test.each([
    ['#1022 off', 'spliced', [edit()]],
    ['#1022 x2', 'spliced', [edit({ kind: 'scale', value: 2 })]],
    ['#1022 =8.333', 'spliced', [edit({ value: 8.33333 })]],
    ['#1022 +8', 'as-is', [edit({ kind: 'steer', value: 8 })]],
    ['#1022 -8', 'as-is', [edit({ kind: 'steer', value: -8 })]],
    ['#1022 +0', 'as-is', [edit({ kind: 'steer', value: 0 })]],
    ['#1022 +8, spliced', 'spliced', [edit({ kind: 'steer', value: 8 })]],
    ['#1022 off +error', 'with-error', [edit()]],
    ['#1022 off @5', 'spliced', [edit({ positions: [[5, 6]] })]],
    ['#1022 off @5:', 'spliced', [edit({ positions: [[5, null]] })]],
    ['#1022 off no special', 'spliced', [edit({ positions: 'no-special' })]],
    ['#1022 off, #7 x2', 'spliced', [edit(), edit({ feature: 7, kind: 'scale', value: 2 })]]
  ] as const)('%s', (name, setting, edits) => {
    expect(nameOf(setting, ...edits)).toBe(name)
  })

  test('with its SAE where several are open, and otherwise than all others', () => {
    const edits = [edit(), edit({ feature: 7 }), edit({ sae: 'early', feature: 3 })]
    expect(namesOfColumns(withColumns([], [column('spliced', ...edits)]), true, [])).toEqual(['l0_15 #1022 off, #7 off, early #3 off'])
    const columns = withColumns([], [column('spliced', edit()), column('spliced', edit())])
    expect(namesOfColumns(columns, true, ['l0_15 #1022 off'])).toEqual(['l0_15 #1022 off (2)', 'l0_15 #1022 off (3)'])
  })

  test('shortly, however many edits it has', () => {
    const edits = Array.from({ length: 40 }, (_, feature) => edit({ feature }))
    const name = nameOf('with-error', ...edits) ?? ''
    expect(name).toBe('#0 off, 39 more +error')
    expect(variant.shape.name.safeParse(name).success).toBe(true)
  })
})

test('the engine takes what columns ask for', () => {
  const columns = withColumns(
    [],
    [
      column('spliced', edit(), edit({ sae: 'early', feature: 3, kind: 'scale', value: 2 })),
      column('with-error', edit()),
      column('as-is', edit({ kind: 'steer', value: 2 }))
    ]
  )
  const shown = shownVariants(open, none, 'no-special', columns)
  const known = open.map(one => ({ name: one.name, target: targetOf(one) ?? '', sae: { dSae: 2000 } }))
  expect(() => checkVariants(shown, known)).not.toThrow()
  expect(shown.slice(3).map(({ splices }) => splices)).toEqual([
    ['l0_15', 'early'].map(name => ({ sae: name, errorTerm: false, positions: 'no-special' })),
    [{ sae: 'l0_15', errorTerm: true, positions: 'no-special' }],
    []
  ])
})

test('only steering stands in the model as it is; other edits bring a splice along', () => {
  expect([canStand('as-is', [edit()]), canStand('as-is', [edit({ kind: 'steer' })]), canStand('spliced', [edit()])]).toEqual([
    false,
    true,
    true
  ])
  const [steered] = withColumns([], [column('as-is', edit({ kind: 'steer', value: 2 }))])
  if (steered === undefined) throw new Error('no column')
  expect(settingOf(withEdits(steered, [...steered.edits, edit()]))).toBe('spliced')
  const withError = putInto(steered, 'with-error')
  expect(withError.splices).toEqual([{ sae: 'l0_15', errorTerm: true }])
  const both = withEdits(withError, [...withError.edits, edit({ sae: 'early' })])
  expect(both.splices).toEqual([
    { sae: 'l0_15', errorTerm: true },
    { sae: 'early', errorTerm: true }
  ])
  expect(withEdits(both, [edit({ sae: 'early' })]).splices).toEqual([{ sae: 'early', errorTerm: true }])
})

test('columns come back from a run as they were, with the names that others gave them', () => {
  const columns = withColumns([], [column('spliced', edit()), column('as-is', edit({ kind: 'steer', value: 2, positions: [[3, null]] }))])
  const asked = shownVariants(open, none, 'all', columns)
  const back = columnsOf([
    ...asked,
    { name: 'off', splices: [{ sae: 'early', errorTerm: true, positions: 'all' }], edits: [edit({ sae: 'early' })] }
  ])
  const plain = (all: typeof back) => all.map(({ splices, edits, look }) => ({ splices, edits, look }))
  expect(plain(back.slice(0, 2))).toEqual(plain(columns))
  expect(
    shownVariants(open, none, 'all', back)
      .map(({ name }) => name)
      .slice(3)
  ).toEqual(['l0_15 #1022 off', 'l0_15 #1022 +2 @3:', 'off'])
})

test('a column keeps its colour when another one goes, and a free colour is taken first', () => {
  const columns = withColumns([], [column('spliced', edit()), column('spliced', edit({ feature: 2 })), column('with-error', edit())])
  const left = columns.slice(1)
  const colors = (all: typeof columns) =>
    shownVariants(open, none, 'all', all)
      .slice(3)
      .map(({ color, dashed }) => [color, dashed])
  expect(colors(left)).toEqual([
    ['--edit-2', false],
    ['--edit-3', true]
  ])
  expect(colors(withColumns(left, [column('spliced', edit({ feature: 9 }))])).at(-1)).toEqual(['--edit-1', false])
  const saes = open.map(({ name }) => ({ name, path: '' }))
  expect(looksOf({ saes, variants: shownVariants(open, none, 'all', columns) }).map(({ color }) => color)).toEqual([
    ...['--variant-clean', '--variant-1', '--variant-2', '--edit-1', '--edit-2', '--edit-3']
  ])
})

test('columns close with their SAE', () => {
  const columns = withColumns([], [column('spliced', edit()), column('spliced', edit({ sae: 'early' }))])
  expect(columnsWithout(columns, name => name === 'early').map(({ edits }) => edits[0]?.sae)).toEqual(['early'])
})

test('edits are told in words', () => {
  expect(editsInWords({ edits: [edit(), edit({ kind: 'steer', value: -2, positions: [[3, null]] })] })).toBe(
    'l0_15 feature 1022 set to 0 at all; l0_15 feature 1022 steered by -2 at 3:'
  )
  expect(editsInWords({})).toBeNull()
})
