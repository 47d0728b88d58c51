/** Every model, reading and prompt of fixtures/golden/index.json against what TransformerLens computes: hooks, their order, outputs. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ProcessingFlag, processingFlag } from '../../../contract/run.ts'
import {
  expectHook,
  expectOutputs,
  expectValues,
  golden,
  index,
  promptOf,
  readingOf,
  runAndSave,
  tensorsOf,
  variantOf
} from './golden-data.ts'
import { modelCases as cases } from './model-cases.ts'

const clean = { name: 'clean', splices: [] }

test('every recorded run of a model is compared here', async () => {
  const files = await fs.readdir(golden('runs'), { recursive: true })
  const recorded = files.filter(file => file.endsWith('.safetensors')).map(file => path.join('runs', file))
  expect(cases.map(({ file }) => file).sort()).toEqual(recorded.sort())
  for (const { id, variants, prompts } of index.models) {
    for (const variant of variants) {
      for (const prompt of prompts) {
        expect(cases, `${id} ${variant} ${prompt.id}`).toContainEqual(
          expect.objectContaining({ model: id, reading: variant, prompt: prompt.id })
        )
      }
    }
  }
})

describe('models equal TransformerLens at every hook point', () => {
  for (const { model, reading, prompt, file, order } of cases) {
    test(`${model} ${prompt} ${reading}`, async () => {
      const { ids } = await promptOf(model, prompt)
      const expected = await tensorsOf(golden(file))
      const { result, saved } = await runAndSave({
        model: golden('models', model),
        prompt: { ids },
        variants: [clean],
        ...readingOf(reading)
      })
      const ours = variantOf(saved, 'clean')
      // Some readings record outputs alone.
      if (order.length > 0) expect([...ours.keys()].filter(name => name !== 'logits')).toEqual(order)
      for (const [name, values] of expected) if (!name.startsWith('output.')) expectHook(name, ours.get(name), values)
      expectOutputs(result, 'clean', ours.get('logits'), expected, ids)
    })
  }
})

describe('a run cut into one block a stage, pieces of the vocabulary and three positions at a time gives the same', () => {
  for (const { model, reading, prompt, file } of cases.filter(
    candidate => candidate.prompt === 'p0' && candidate.reading === 'processed'
  )) {
    test(model, async () => {
      const { ids } = await promptOf(model, prompt)
      const job = { model: golden('models', model), prompt: { ids }, variants: [clean], ...readingOf(reading) }
      const { result, saved } = await runAndSave(job, { parameters: 1000, rows: 3 })
      const expected = await tensorsOf(golden(file))
      const ours = variantOf(saved, 'clean')
      for (const [name, values] of expected) if (!name.startsWith('output.')) expectHook(name, ours.get(name), values)
      expectOutputs(result, 'clean', ours.get('logits'), expected, ids)
    })
  }
})

/** The recorded reading whose values a hook point has under some flags: each flag moves hook points of its own. */
function readingWith(flags: ReadonlySet<ProcessingFlag>, hook: string): string {
  const only = (flag: ProcessingFlag) => (flags.has(flag) ? `${flag}_only` : 'no_processing')
  if (hook === 'output.logits') return flags.has('center_unembed') ? 'processed' : 'no_processing'
  if (/hook_(pos_)?embed$|hook_resid_|hook_attn_out|hook_mlp_out/.test(hook)) return only('center_writing_weights')
  if (hook.endsWith('hook_normalized')) return only('fold_ln')
  // A norm's bias that fold_ln made part of b_V goes with it.
  if (/hook_[vz]$/.test(hook)) return flags.has('fold_ln') && flags.has('fold_value_biases') ? 'processed' : only('fold_value_biases')
  return 'no_processing'
}

describe('any combination of flags does what each flag does', () => {
  const combinations = Array.from({ length: 16 }, (_, bits) => processingFlag.options.filter((_, place) => (bits >> place) & 1))
  for (const model of [...new Set(index.extra_variants.map(extra => extra.model))]) {
    test.each(combinations.map(flags => ({ flags, name: flags.join(' + ') || 'none' })))(`${model}: $name`, async ({ flags }) => {
      const { ids } = await promptOf(model, 'p1')
      const { result, saved } = await runAndSave({
        model: golden('models', model),
        prompt: { ids },
        variants: [clean],
        processing: flags,
        layerOrder: 'checkpoint'
      })
      const ours = variantOf(saved, 'clean')
      const recorded = new Map(
        await Promise.all(
          cases
            .filter(candidate => candidate.model === model && candidate.prompt === 'p1')
            .map(async ({ reading, file }) => [reading, await tensorsOf(golden(file))] as const)
        )
      )
      const expected = (hook: string) => expectValues(hook, recorded.get(readingWith(new Set(flags), hook))?.get(hook))
      for (const [hook, values] of ours) if (hook !== 'logits') expectHook(hook, values, expected(hook))
      const outputs = new Map(recorded.get('no_processing')).set('output.logits', expected('output.logits'))
      expectOutputs(result, 'clean', ours.get('logits'), outputs, ids)
    })
  }
})
