import { expect, test } from 'vitest'
import { checkVariants } from '../../main/inference/variants.ts'
import { joinedSaes, rivalOf, type SplicedSae, shownVariants, targetOf } from './shown-variants.ts'

const sae = (name: string, hook: string, more: Partial<SplicedSae> = {}): SplicedSae => ({
  ...{ name, summary: { hook, hookOut: null }, alone: true, withError: false, joined: 'spliced' },
  ...more
})
const early = sae('early', 'blocks.1.hook_resid_post')
const late = sae('late', 'blocks.2.hook_resid_post', { withError: true, joined: 'with-error' })
const none = { spliced: false, withError: false }
const both = { spliced: true, withError: true }
const splicesOf = (saes: SplicedSae[], joint: typeof none) =>
  shownVariants(saes, joint, 'all').map(({ name, splices }) => [
    name,
    splices.map(({ sae: of, errorTerm }) => `${of}${errorTerm ? '+error' : ''}`)
  ])

test('each SAE alone, without and with its error term', () => {
  expect(splicesOf([early, late], none)).toEqual([
    ['clean', []],
    ['spliced: early', ['early']],
    ['spliced: late', ['late']],
    ['spliced: late+error', ['late+error']]
  ])
})

test('together as each one takes part, and with all error terms', () => {
  expect(splicesOf([early, late], both).slice(4)).toEqual([
    ['together', ['early', 'late+error']],
    ['together+error', ['early+error', 'late+error']]
  ])
})

test('together alone, where none runs by itself', () => {
  const alone = { alone: false, withError: false }
  expect(
    splicesOf(
      [
        { ...early, ...alone },
        { ...late, ...alone }
      ],
      { spliced: true, withError: false }
    ).map(([name]) => name)
  ).toEqual(['clean', 'together'])
})

test('one SAE, or one that is left out, makes no joint variant', () => {
  expect(splicesOf([early], both).map(([name]) => name)).toEqual(['clean', 'spliced: early'])
  expect(splicesOf([early, { ...late, joined: 'left-out' }], both).some(([name]) => name === 'together')).toBe(false)
})

test('of two SAEs at one hook point the first takes part; a transcoder stands where it writes', () => {
  const other = sae('other', 'blocks.1.hook_resid_post')
  const transcoder = sae('mlp', 'blocks.1.hook_resid_mid', {
    summary: { hook: 'blocks.1.hook_resid_mid', hookOut: 'blocks.1.hook_mlp_out' }
  })
  const saes = [early, other, late, transcoder]
  expect(joinedSaes(saes).map(({ name }) => name)).toEqual(['early', 'late', 'mlp'])
  expect([rivalOf(other, saes)?.name, rivalOf(early, saes)]).toEqual(['early', null])
  const known = saes.map(one => ({ name: one.name, target: targetOf(one) ?? '', sae: { dSae: 8 } }))
  expect(() => checkVariants(shownVariants(saes, both, 'all'), known)).not.toThrow()
})

test('colours are the SAEs’ own, and error terms are dashed', () => {
  expect(shownVariants([early, late], both, 'all').map(({ color, dashed }) => `${color}${dashed ? ' dashed' : ''}`)).toEqual([
    '--variant-clean',
    '--variant-1',
    '--variant-2',
    '--variant-2 dashed',
    '--variant-joint',
    '--variant-joint dashed'
  ])
})
