/** docs/parity.md lists what there is, and the comparison behind it tells near from far. */
import fs from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { formats } from '../../sae/formats/registry.ts'
import { families } from '../../transformer/registry.ts'
import { golden } from './golden-files.ts'
import { type Difference, differenceOf, familyName, type ParityRow } from './parity.ts'
import { notVerified, parityPage, roundUp, worstHook } from './parity-page.ts'

const page = await fs.readFile(fileURLToPath(new URL('../../../../docs/parity.md', import.meta.url)), 'utf8')
const rowsOf = (text: string) => text.split('\n').filter(line => line.startsWith('|'))

describe('docs/parity.md (npm run parity writes it)', async () => {
  const runs = z.array(z.object({ model_variant: z.string() })).optional()
  const index = z
    .object({
      models: z.array(z.object({ id: z.string(), variants: z.array(z.string()) })),
      saes: z.array(z.object({ id: z.string(), runs })),
      extra_variants: z.array(
        z.object({ model: z.string(), variant: z.string(), sae_runs: z.array(z.object({ sae: z.string() })).optional() })
      ),
      spliced_transcoders: z.array(z.object({ sae: z.string(), model_variant: z.string() })),
      positions: z.array(z.object({ file: z.string(), model_variant: z.string() })),
      tl_state: z.array(z.object({ file: z.string() })),
      edits: z.array(z.object({ file: z.string() })),
      logit_lens: z.array(z.object({ file: z.string() })),
      logit_effects: z.array(z.object({ sae: z.string() }))
    })
    .parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))
  const named = (file: string) => file.replace(/\.safetensors$/, '')
  const compared = [
    ...index.models.flatMap(({ id, variants }) => variants.map(reading => ({ id, reading }))),
    ...index.saes.flatMap(({ id, runs: its }) => (its ?? []).map(({ model_variant: reading }) => ({ id, reading }))),
    ...index.extra_variants.flatMap(({ model, variant: reading, sae_runs: its }) => [
      { id: model, reading },
      ...(its ?? []).map(({ sae: id }) => ({ id, reading }))
    ]),
    ...index.spliced_transcoders.map(({ sae: id, model_variant: reading }) => ({ id, reading })),
    ...index.positions.map(({ file, model_variant: reading }) => ({ id: named(file), reading }))
  ]
  const keys = [...new Set(compared.map(({ id, reading }) => `${id} ${reading}`))].map(key => key.split(' '))

  test.each(keys)('has a row for %s under %s', (id = '', reading = '') => {
    const rows = rowsOf(page).filter(line => line.includes(`\`${id}\``) && line.split(' | ')[1] === reading)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatch(/ \| \d+ \| (\de-\d+|0) \| /)
    expect(rows[0]).not.toContain('over tolerance')
  })

  test('names every recorded case that it does not compare', () => {
    const others = [
      ...[...index.tl_state, ...index.edits, ...index.logit_lens].map(({ file }) => named(file)),
      ...index.logit_effects.map(({ sae }) => sae)
    ]
    const last = page.slice(page.indexOf('## Recorded, not compared'))
    expect(others.filter(name => !last.includes(`\`${name}\``))).toEqual([])
  })

  test('has every family and every format of the registries, and says what has no case', () => {
    for (const { modelTypes } of families) {
      const section = page.split('\n## ').find(text => text.startsWith(`${familyName(modelTypes)}\n`)) ?? ''
      for (const { name } of formats)
        expect(section, `${familyName(modelTypes)} with ${name}`).toMatch(new RegExp(`\\| (.*, )?${name}(,.*)? \\|`))
    }
    const byFormat = page.slice(page.indexOf('## By format'), page.indexOf(`## ${familyName(families[0]?.modelTypes ?? [])}`))
    expect(formats.filter(({ name }) => !rowsOf(byFormat).some(line => line.startsWith(`| ${name} |`)))).toEqual([])
  })
})

test('a family or format without a case is said to be not verified', async () => {
  const empty = await parityPage([])
  const lines = rowsOf(empty).filter(line => line.includes(notVerified))
  expect(lines).toHaveLength(formats.length + 2 * families.length)
})

const values = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) })

describe('a difference', () => {
  test('is the largest one, beside the largest value', () => {
    const { absolute, relative, isWithin } = differenceOf('x', values(1, 2, -4), values(1.5, 2, -4), 'hook')
    expect({ absolute, relative, isWithin }).toEqual({ absolute: 0.5, relative: 0.125, isWithin: false })
    expect(differenceOf('x', values(1, 2, -4), values(1.001, 2, -4), 'hook').isWithin).toBe(true)
    expect(differenceOf('x', values(1, 2, -4), values(1.001, 2, -4), 'logits').isWithin).toBe(false)
  })

  test('is infinite where something is missing, of another shape, not a number, or infinite on one side', () => {
    const infinite = { absolute: Number.POSITIVE_INFINITY, isWithin: false }
    expect(differenceOf('x', undefined, values(1), 'hook')).toMatchObject(infinite)
    expect(differenceOf('x', values(1, 2), values(1), 'hook')).toMatchObject(infinite)
    expect(differenceOf('x', values(Number.NaN), values(1), 'hook')).toMatchObject(infinite)
    expect(differenceOf('x', values(1), values(Number.NEGATIVE_INFINITY), 'hook')).toMatchObject(infinite)
    expect(differenceOf('x', values(Number.NEGATIVE_INFINITY), values(Number.NEGATIVE_INFINITY), 'hook').absolute).toBe(0)
  })
})

test('differences are rounded up to 1, 2 or 5 times a power of ten', () => {
  expect([3.1e-6, 4.9e-6, 5e-6, 5.1e-6, 1e-5, 0].map(roundUp).map(value => value.toPrecision(1))).toEqual(
    [5e-6, 5e-6, 5e-6, 1e-5, 1e-5, 0].map(value => value.toPrecision(1))
  )
})

test('the worst hook is the first of those that are the worst when rounded', () => {
  const hook = (name: string, relative: number): Difference => ({ name, absolute: 1, relative, isWithin: true })
  expect(worstHook([hook('a', 1e-6), hook('b', 3.1e-6), hook('c', 4.9e-6)])).toBe('b')
})

test('a row over its tolerance says so', async () => {
  const [family] = families
  const far = { name: 'blocks.0.hook_resid_post', absolute: 1, relative: 0.5, isWithin: false }
  const row: ParityRow = {
    ...{ family: familyName(family?.modelTypes ?? []), format: null, reading: 'processed' },
    ...{ cases: ['some-case'], files: ['a-file'], logits: [], hooks: [far] }
  }
  expect(rowsOf(await parityPage([row])).find(line => line.includes('some-case'))).toContain('over tolerance')
})
