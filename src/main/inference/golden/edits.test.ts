/** Every edit of fixtures/golden/index.json against what TransformerLens and SAELens computed, and how edits act together. */
import fs from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { FeatureEdit, Variant } from '../../../contract/run.ts'
import { generated } from './generate-greedily.ts'
import {
  expectClose,
  expectHook,
  expectOutputs,
  expectSameActive,
  expectValues,
  golden,
  promptOf,
  readingOf,
  runAndSave,
  tensorsOf,
  variantOf
} from './golden-data.ts'
import { clean, editOf, membersOf, saeCase, saeIndex, splicesOf } from './sae-cases.ts'

type EditCase = (typeof saeIndex.edits)[number]

/** The job of a case: its SAEs, and the variant with its edits. */
async function jobOf(entry: EditCase) {
  const { ids } = await promptOf(entry.model, entry.prompt)
  const saes = [entry.sae].flat().flatMap(id => membersOf(saeCase(id)))
  const nameOf = (id: string) => membersOf(saeCase(id))[0]?.name ?? ''
  const [first = ''] = [entry.sae].flat()
  const edits = [entry.edit].flat().map(edit => editOf(edit, nameOf(edit.sae ?? first)))
  const base = entry.spliced ? splicesOf('edited', saes, entry.error_term) : { ...clean, name: 'edited' }
  const edited: Variant = { ...base, edits }
  return { ids, edited, job: { model: golden('models', entry.model), prompt: { ids }, saes, ...readingOf(entry.model_variant) } }
}

const compared = new Set<string>()

describe('edits equal the peers', () => {
  for (const entry of saeIndex.edits) {
    test(entry.file, async () => {
      const { ids, edited, job } = await jobOf(entry)
      const { result, saved } = await runAndSave({ ...job, variants: [clean, edited] })
      compared.add(entry.file)
      const expected = await tensorsOf(golden(entry.file))
      const ours = variantOf(saved, 'edited')
      expectOutputs(result, 'edited', ours.get('logits'), expected, ids)
      const hooks = [...expected].filter(([name]) => !name.startsWith('output.'))
      expect(hooks.length).toBeGreaterThan(0)
      for (const [name, values] of hooks) {
        expectHook(name, ours.get(name), values)
        if (name.endsWith('hook_sae_acts_post')) expectSameActive(name, ours.get(name), values)
      }
    })
  }

  test('none is left out', async () => {
    const found = await fs.readdir(golden('edits'), { recursive: true })
    const files = found.filter(name => name.endsWith('.safetensors')).map(name => `edits/${name.replaceAll('\\', '/')}`)
    expect([...compared].sort()).toEqual(files.sort())
  })
})

describe('edits hold for generated tokens', () => {
  for (const entry of saeIndex.edits.filter(each => each.greedy_new_tokens_edit_at_every_position !== undefined)) {
    test(entry.file, async () => {
      const { edited, job } = await jobOf(entry)
      const expected = entry.greedy_new_tokens_edit_at_every_position ?? []
      const { result } = await generated({ ...job, variants: [clean, edited], maxNewTokens: expected.length })
      const continuation = result.continuations.find(({ variant }) => variant === 'edited')
      expect(continuation?.tokens.map(({ id }) => id)).toEqual(expected)
    })
  }
})

describe('several edits', () => {
  const [entry] = saeIndex.edits
  if (entry === undefined) throw new Error('the golden index has no edits')
  const edit = (sae: string, more: Partial<FeatureEdit>): FeatureEdit => ({
    sae,
    feature: 108,
    kind: 'scale',
    value: 1,
    positions: 'all',
    ...more
  })

  test('as rows of one pass give what each gives alone', async () => {
    const cases = saeIndex.edits.filter(({ model, sae, prompt }) => model === entry.model && sae === entry.sae && prompt === entry.prompt)
    expect(cases.length).toBeGreaterThan(5)
    const jobs = await Promise.all(cases.map(jobOf))
    const variants = jobs.map(({ edited }, place) => ({ ...edited, name: `edited ${place}` }))
    const { saved } = await runAndSave({ ...(jobs[0]?.job ?? raise()), variants: [clean, ...variants] })
    for (const [place, { file }] of cases.entries()) {
      const expected = expectValues('logits', (await tensorsOf(golden(file))).get('output.logits'))
      expectClose(file, variantOf(saved, `edited ${place}`).get('logits'), expected, 5e-4, 0)
    }
  })

  test('of one feature act one after the other, and of no activation change nothing', async () => {
    const { job, edited } = await jobOf(entry)
    const sae = job.saes[0]?.name ?? ''
    const with_ = (name: string, edits: FeatureEdit[]): Variant => ({ name, splices: edited.splices, edits })
    const { saved } = await runAndSave({
      ...job,
      variants: [
        clean,
        with_('doubled twice', [edit(sae, { value: 2 }), edit(sae, { value: 2 })]),
        with_('four times', [edit(sae, { value: 4 })]),
        with_('set and doubled', [edit(sae, { kind: 'set', value: 3 }), edit(sae, { value: 2 })]),
        with_('set', [edit(sae, { kind: 'set', value: 6 })]),
        with_('once', [edit(sae, { value: 1 })]),
        with_('unedited', [])
      ]
    })
    const logits = (name: string) => expectValues(name, variantOf(saved, name).get('logits'))
    expectClose('twice', logits('doubled twice'), logits('four times'), 1e-5, 0)
    expectClose('set', logits('set and doubled'), logits('set'), 1e-5, 0)
    expectClose('once', logits('once'), logits('unedited'), 1e-5, 0)
    expect(() => expectClose('not the same', logits('four times'), logits('unedited'), 1e-2, 0)).toThrow()
  })

  test('steering a variant that splices adds to what stands in', async () => {
    const { job, edited } = await jobOf(entry)
    const sae = job.saes[0]?.name ?? ''
    const steer = edit(sae, { kind: 'steer', value: 4.7 })
    const { saved } = await runAndSave({
      ...job,
      variants: [
        clean,
        { name: 'steered', splices: edited.splices, edits: [steer] },
        { name: 'spliced', splices: edited.splices },
        { name: 'steered clean', splices: [], edits: [steer] }
      ]
    })
    const values = (variant: string, name: string) => expectValues(name, variantOf(saved, variant).get(name)).data
    const [hook, next] = [String(entry.hook), 'blocks.2.hook_resid_pre']
    const [plain, added] = [values('clean', hook), values('steered clean', hook)]
    const [spliced, steered] = [values('spliced', next), values('steered', next)]
    for (const [at, value] of steered.entries()) {
      expect(value - (spliced[at] ?? 0)).toBeCloseTo((added[at] ?? 0) - (plain[at] ?? 0), 4)
    }
    expect(added).not.toEqual(plain)
  })
})

function raise(): never {
  throw new Error('there is no such case')
}
