/** Configs and processing effects against what TransformerLens has and does: fixtures/golden of all ten families. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readSafetensors } from '../checkpoint/safetensors.ts'
import { readTensor } from '../checkpoint/values.ts'
import { readHookedConfig } from './hooked-config.ts'
import { processingEffects } from './processing-effects.ts'

const golden = fileURLToPath(new URL('../../../fixtures/golden', import.meta.url))
const config = z.record(z.string(), z.unknown())
const index = z
  .object({
    models: z.array(
      z.object({ id: z.string(), path: z.string(), prompts: z.array(z.object({ id: z.string() })), tl_cfg: z.record(z.string(), config) })
    ),
    extra_variants: z.array(
      z.object({ model: z.string(), variant: z.string(), runs: z.array(z.object({ prompt: z.string(), hooks: z.string().optional() })) })
    )
  })
  .parse(JSON.parse(await fs.readFile(path.join(golden, 'index.json'), 'utf8')))

async function readConfig(model: { path: string }) {
  return readHookedConfig(JSON.parse(await fs.readFile(path.join(golden, model.path, 'config.json'), 'utf8')))
}

/** Fields where this project follows the checkpoint and the fixtures' TransformerLens something else. */
const differing: Record<string, Record<string, unknown>> = {
  // The fixture was converted by the Gemma-2 path.
  'gemma-tiny': { original_architecture: 'GemmaForCausalLM' },
  // TransformerLens lists 16 layers whatever the model has, and starts with a global one; see __hf_layer_order.
  'gemma2-tiny': { attn_types: ['local', 'global', 'local', 'global'] }
}

describe("config.json in HookedTransformerConfig's names", () => {
  test('there are ten families', () => expect(index.models).toHaveLength(10))
  for (const model of index.models) {
    test(model.id, async () => {
      const { config: ours } = await readConfig(model)
      const theirs = model.tl_cfg.no_processing ?? {}
      const fields = Object.keys(ours ?? {})
      expect(fields.length).toBeGreaterThan(30)
      const expected = Object.fromEntries(fields.map(field => [field, theirs[field]]))
      expect(ours).toEqual({ ...expected, ...differing[model.id] })
    })
  }
  test("Gemma-2's layers alternate as in the checkpoint", () => {
    const theirs = index.models.find(model => model.id === 'gemma2-tiny')?.tl_cfg.no_processing__hf_layer_order?.attn_types
    expect(z.array(z.string()).parse(theirs).slice(0, 4)).toEqual(differing['gemma2-tiny']?.attn_types)
  })
  test('a family that is not known, and a field that is missing, are named', () => {
    expect(readHookedConfig({ model_type: 'mamba' }).why).toContain('mamba')
    expect(readHookedConfig({ model_type: 'llama', hidden_size: 8 }).why).toContain('num_hidden_layers')
    expect(readHookedConfig([]).why).toContain('model_type')
  })
})

type Values = { data: Float32Array }

async function tensorsOf(model: string, prompt: string, variant: string): Promise<Map<string, Values>> {
  const { tensors } = await readSafetensors(path.join(golden, 'runs', model, prompt, `${variant}.safetensors`))
  return new Map(await Promise.all([...tensors.values()].map(async one => [one.name, { data: await readTensor(one) }] as const)))
}

/** Whether two activations differ by more than the peers' own noise. */
function differs(a: Values | undefined, b: Values | undefined): boolean {
  if (a === undefined || b === undefined) return a !== b
  let largest = 0
  for (const value of b.data) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value))
  return a.data.some((value, at) => Number.isFinite(value) && Math.abs(value - (b.data[at] ?? Number.NaN)) > 1e-4 + 1e-3 * largest)
}

async function changedHooks(model: string, prompt: string, variant: string) {
  const plain = await tensorsOf(model, prompt, 'no_processing')
  const other = await tensorsOf(model, prompt, variant)
  const names = [...plain.keys()].filter(name => !name.startsWith('output.'))
  return {
    names,
    changed: names.filter(name => differs(plain.get(name), other.get(name))),
    logits: differs(plain.get('output.logits'), other.get('output.logits')),
    logProbs: differs(plain.get('output.log_probs'), other.get('output.log_probs'))
  }
}

/** The hook points that patterns mean, among those there are. */
function meant(patterns: readonly string[], names: readonly string[]): string[] {
  const expressions = patterns.map(pattern => new RegExp(`^${pattern.replaceAll('.', '\\.').replace('*', '\\d+')}$`))
  return names.filter(name => expressions.some(expression => expression.test(name)))
}

describe('what the processing flags change is what they change in TransformerLens', () => {
  for (const model of index.models) {
    test(`${model.id}, all flags together`, async () => {
      const { config: ours, hasValueBiases } = await readConfig(model)
      if (ours === null) throw new Error('no config')
      const effects = processingEffects(ours, hasValueBiases)
      const prompt = model.prompts[0]?.id ?? ''
      const { names, changed, logits, logProbs } = await changedHooks(model.id, prompt, 'processed')
      expect(changed).toEqual(
        meant(
          effects.flatMap(effect => effect.hookPoints),
          names
        )
      )
      expect(logits).toBe(effects.some(effect => effect.logits !== null))
      expect(logProbs).toBe(false)
    })
  }
  test.each(index.extra_variants.map(extra => [extra.model, extra.variant, extra.runs] as const))('%s, %s', async (id, variant, runs) => {
    const model = index.models.find(candidate => candidate.id === id)
    const flag = variant.replace(/_only$/, '')
    if (model === undefined) throw new Error(id)
    const { config: ours, hasValueBiases } = await readConfig(model)
    if (ours === null) throw new Error('no config')
    const effect = processingEffects(ours, hasValueBiases).find(candidate => candidate.flag === flag)
    const { names, changed } = await changedHooks(id, runs.find(run => run.hooks === 'all')?.prompt ?? '', variant)
    expect(changed.length).toBeGreaterThan(0)
    expect(changed).toEqual(meant(effect?.hookPoints ?? [], names))
  })
})
