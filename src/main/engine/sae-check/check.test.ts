/** Checks through the engine: what tries measure against golden data, wrong hook points and readings found, no alarm where all is well. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { checkText } from '../../../contract/check-text.ts'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import type { ProcessingFlag, RunRequest } from '../../../contract/run.ts'
import type { SaeCheck, SaeTry } from '../../../contract/sae-check.ts'
import { readSafetensors } from '../../checkpoint/safetensors.ts'
import { writeSafetensors } from '../../checkpoint/safetensors-writer.ts'
import { readTensor } from '../../checkpoint/values.ts'
import { golden, promptOf, tensorsOf, type Values } from '../../inference/golden/golden-files.ts'
import { type Matrix, reference, relu } from '../../inference/sae-reference.ts'
import { resourcesFolder } from '../../library/resources.ts'
import { createEngine, type Engine } from '../engine.ts'

let folder: string
let engine: Engine

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-check-'))
  engine = await createEngine({ home: path.join(folder, 'home') })
})

afterAll(async () => {
  await engine.close()
  await fs.rm(folder, { recursive: true, force: true })
})

type CheckInput = Parameters<Engine['client']['runs']['checkSae']>[0]

async function check(request: CheckInput): Promise<SaeCheck> {
  for await (const event of await engine.client.runs.checkSae(request)) if (event.type === 'result') return event.check
  throw new Error('the check ended without a result')
}

/** The alarm of the one SAE of a run. */
async function alarmIn(request: Omit<RunRequest, 'saes'> | object) {
  const input = { variants: [{ name: 'clean', splices: [] }], topFeatures: 0, ...request } as Parameters<Engine['client']['runs']['run']>[0]
  for await (const event of await engine.client.runs.run(input)) if (event.type === 'result') return event.result.saes[0]?.alarm
  throw new Error('the run ended without a result')
}

const plain = z.record(z.string(), z.object({ plain: z.object({ l0_mean: z.number(), explained_variance: z.number() }) }))

/** What the peers measure of a golden SAE over all tokens of a prompt. */
async function goldenMetrics(id: string, reading: string, prompt = 'p0') {
  const metrics = plain.parse(JSON.parse(await fs.readFile(golden('sae_runs', id, 'metrics.json'), 'utf8')))
  const found = metrics[`${reading}/${prompt}`]
  if (found === undefined) throw new Error(`no golden metrics of ${id} ${reading} ${prompt}`)
  return found.plain
}

/** A copy of a golden SAE's folder with its peers' metrics beside it, as dictionary_learning keeps them. */
async function published(id: string, saePath: string, reading: string): Promise<string> {
  const { l0_mean, explained_variance } = await goldenMetrics(id, reading)
  const at = path.join(folder, id)
  await fs.cp(golden('saes', saePath), at, { recursive: true })
  // Beside the weights, which Llama Scope keeps in a folder of their own.
  const beside = await fs.stat(path.join(at, 'checkpoints')).then(
    () => path.join(at, 'checkpoints'),
    () => at
  )
  await fs.writeFile(path.join(beside, 'eval_results.json'), JSON.stringify({ l0: l0_mean, frac_variance_explained: explained_variance }))
  return at
}

/** Some 48 ids that are no special tokens. */
function manyIds(vocabulary: number): number[] {
  return Array.from({ length: 48 }, (_, place) => 3 + ((place * 37 + 11) % (vocabulary - 12)))
}

const aboutOf = ({ tries, verdict }: SaeCheck): SaeTry => {
  const about = tries[verdict.about]
  if (about === undefined) throw new Error('the verdict is about no try')
  return about
}

/** A golden hook, [1, position, ...] with what follows the position in one row. */
function rowsOf({ shape, data }: Values): number[][] {
  const positions = shape[1] ?? 0
  const width = data.length / positions
  return Array.from({ length: positions }, (_, at) => [...data.slice(at * width, (at + 1) * width)])
}

function matrixOf({ shape: [rows = 0, columns = 0], data }: Values): Matrix {
  return Array.from({ length: rows }, (_, row) => [...data.slice(row * columns, (row + 1) * columns)])
}

/** The recorded reading of gpt2-tiny whose values a hook point has under flags. */
function recordedReading(flags: readonly ProcessingFlag[], hook: string): string {
  if (flags.length === 0) return 'no_processing'
  if (/hook_[vz]$/.test(hook) && flags.includes('fold_ln')) return 'processed'
  return `${flags.join()}_only`
}

test('a try measures what the SAE does with the peers’ own activations, at every place and reading', async () => {
  const file = golden('saes/saelens6/standard_mlp_out')
  const weights = await tensorsOf(path.join(file, 'sae_weights.safetensors'))
  const take = (name: string) => weights.get(name) ?? { shape: [], data: new Float32Array() }
  const sae = {
    encoder: matrixOf(take('W_enc')),
    decoder: matrixOf(take('W_dec')),
    encoderBias: [...take('b_enc').data],
    decoderBias: [...take('b_dec').data],
    subtractsBias: true,
    activate: (pre: readonly number[]) => pre.map(relu)
  }
  const { ids } = await promptOf('gpt2-tiny', 'p1')
  const { tries } = await check({
    model: golden('models/gpt2-tiny'),
    sae: { name: 'sae1', path: file },
    prompt: { ids },
    processing: 'none',
    metricPositions: 'all'
  })
  const asGiven = tries.filter(({ bos, counted }) => bos === 'as-given' && counted === 'all')
  expect(asGiven.length).toBeGreaterThan(30)
  const recorded = new Map<string, Map<string, Values>>()
  for (const { hook, processing, l0, explainedVariance } of asGiven) {
    const reading = recordedReading(processing, hook)
    const tensors = recorded.get(reading) ?? (await tensorsOf(golden(`runs/gpt2-tiny/p1/${reading}.safetensors`)))
    recorded.set(reading, tensors)
    // HookedTransformer has no mlp.hook_in; what the MLP reads there is ln2's output.
    const values = tensors.get(hook.replace('mlp.hook_in', 'ln2.hook_normalized'))
    if (values === undefined) throw new Error(`no golden ${hook} under ${reading}`)
    const rows = rowsOf(values)
    const done = rows.map(row => reference(sae, row))
    const active = done.reduce((sum, { acts }) => sum + acts.filter(value => value > 0).length, 0) / rows.length
    const error = rows.reduce(
      (sum, row, at) => sum + row.reduce((total, value, i) => total + (value - (done[at]?.output[i] ?? 0)) ** 2, 0),
      0
    )
    const mean = rows[0]?.map((_, i) => rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / rows.length) ?? []
    const variance = rows.reduce((sum, row) => sum + row.reduce((total, value, i) => total + (value - (mean[i] ?? 0)) ** 2, 0), 0)
    expect(fromMaybeNumber(l0), `${hook} ${reading}: L0`).toBeCloseTo(active, 6)
    expect(fromMaybeNumber(explainedVariance), `${hook} ${reading}: explained variance`).toBeCloseTo(1 - error / variance, 3)
  }
})

/** Golden SAEs of several families and formats, and hook points where they do not belong. */
const misplaced = [
  { id: 'gpt2-tiny.standard_mlp_out', at: 'saelens6/standard_mlp_out', reading: 'processed', wrong: 'blocks.1.ln2.hook_normalized' },
  { id: 'gpt2-tiny.hook_z', at: 'saelens6/hook_z', reading: 'processed', wrong: 'blocks.1.hook_resid_post' },
  {
    ...{ id: 'pythia-tiny.dictlearn_relu_l0', reading: 'no_processing', wrong: 'blocks.0.hook_mlp_out' },
    at: 'canrager/lm_sae/pythia-tiny/resid_post_layer_0/AutoEncoder/trainer_0'
  },
  { id: 'mistral-tiny.mistral_standard', at: 'saelens_mid/mistral_standard', reading: 'no_processing', wrong: 'blocks.0.hook_attn_out' },
  {
    ...{ id: 'gemma3-tiny.gemma_scope_2_resid_post_l1', reading: 'no_processing', wrong: 'blocks.1.hook_mlp_out' },
    at: 'google/gemma-scope-2-1b-pt/resid_post/layer_1_width_72_l0_medium'
  }
] as const

describe.each(misplaced)('$id at $wrong', ({ id, at, reading, wrong }) => {
  const model = golden('models', id.slice(0, id.indexOf('.')))
  const processing = reading === 'processed' ? 'all' : 'none'

  test('is found out by its peers’ metrics, and where it belongs is named', async () => {
    const sae = { name: 'sae1', path: await published(id, at, reading) }
    const { ids } = await promptOf(path.basename(model), 'p0')
    const home = await check({ model, sae, prompt: { ids }, processing, metricPositions: 'all' })
    expect(home.verdict).toMatchObject({ kind: 'present-fits', change: null })
    const metrics = await goldenMetrics(id, reading)
    expect(fromMaybeNumber(home.tries[0]?.l0 ?? null)).toBeCloseTo(metrics.l0_mean, 4)
    expect(fromMaybeNumber(home.tries[0]?.explainedVariance ?? null)).toBeCloseTo(metrics.explained_variance, 4)

    const away = await check({ model, sae: { ...sae, hook: wrong }, prompt: { ids }, processing, metricPositions: 'all' })
    expect(away.verdict).toMatchObject({ kind: 'other-fits', change: { hook: home.tries[0]?.hook } })
    expect({ ...aboutOf(away), isPresent: true }).toEqual(home.tries[0])
  })

  test('raises the alarm in a run there, and none where it belongs', async () => {
    const { vocabulary } = await engine.client.library.openModel({ path: model })
    const sae = { name: 'sae1', path: path.join(folder, id) }
    const prompt = { ids: manyIds(vocabulary) }
    expect(await alarmIn({ model, saes: [sae], prompt, processing })).toBeNull()
    expect(await alarmIn({ model, saes: [{ ...sae, hook: wrong }], prompt, processing })).toMatchObject({ positions: 48 })
  })
})

const transcoderRuns = z.object({
  saes: z.array(
    z.object({
      ...{ id: z.string(), path: z.string().optional(), model: z.string(), hooks: z.array(z.string()).optional() },
      runs: z.array(z.object({ prompt: z.string(), model_variant: z.string(), plain: plain.valueType.shape.plain.optional() }))
    })
  )
})

test.each([
  ['gemma2-tiny.gemma_scope_transcoder_l1', 'blocks.1.hook_resid_mid'],
  ['gpt2-tiny.transcoder', 'blocks.0.hook_resid_mid']
])('transcoder %s that reads %s is told which input it was made for', async (id, wrong) => {
  const { saes } = transcoderRuns.parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))
  const entry = saes.find(sae => sae.id === id)
  const run = entry?.runs.find(({ prompt }) => prompt === 'p0')
  if (entry?.path === undefined || run?.plain === undefined) throw new Error(`no golden ${id}`)
  const at = path.join(folder, id, path.relative('saes', entry.path))
  await fs.cp(golden(entry.path), at, { recursive: true })
  const beside = (await fs.stat(at)).isDirectory() ? at : path.dirname(at)
  const { l0_mean, explained_variance } = run.plain
  await fs.writeFile(path.join(beside, 'eval_results.json'), JSON.stringify({ l0: l0_mean, frac_variance_explained: explained_variance }))

  const { ids } = await promptOf(entry.model, 'p0')
  // The golden runs of Gemma-2 have TransformerLens's order of layers.
  const layerOrder = entry.model.startsWith('gemma2') ? 'transformer-lens' : 'checkpoint'
  const request = { model: golden('models', entry.model), prompt: { ids }, metricPositions: 'all', layerOrder } as const
  const processing = run.model_variant === 'processed' ? 'all' : 'none'
  const home = await check({ ...request, processing, sae: { name: 'sae1', path: at } })
  expect(home.verdict.kind).toBe('present-fits')
  expect(fromMaybeNumber(home.tries[0]?.l0 ?? null)).toBeCloseTo(l0_mean, 4)
  expect(fromMaybeNumber(home.tries[0]?.explainedVariance ?? null)).toBeCloseTo(explained_variance, 4)
  const away = await check({ ...request, processing, sae: { name: 'sae1', path: at, hook: wrong } })
  expect(away.verdict).toMatchObject({ kind: 'other-fits', change: { hook: entry.hooks?.[0] } })
})

/** gpt2-tiny with a constant in its embedding: LayerNorm does not see it, so centred the model is the golden one. */
async function offCentre(by: number): Promise<string> {
  const from = golden('models/gpt2-tiny')
  const at = path.join(folder, 'gpt2-off-centre')
  await fs.mkdir(at, { recursive: true })
  await fs.cp(path.join(from, 'config.json'), path.join(at, 'config.json'))
  const { tensors } = await readSafetensors(path.join(from, 'model.safetensors'))
  const moved = await Promise.all(
    [...tensors.values()].map(async tensor => {
      const data = await readTensor(tensor)
      return { name: tensor.name, shape: tensor.shape, data: tensor.name.endsWith('wpe.weight') ? data.map(value => value + by) : data }
    })
  )
  await writeSafetensors(path.join(at, 'model.safetensors'), moved, { format: 'pt' })
  return at
}

test('the processing that an SAE wants is found where the residual stream has a mean', async () => {
  const model = await offCentre(20)
  const id = 'gpt2-tiny.blocks.1.hook_resid_pre'
  const sae = { name: 'sae1', path: await published(id, 'gpt2-small-res-jb/blocks.1.hook_resid_pre', 'processed') }
  const { ids } = await promptOf('gpt2-tiny', 'p0')
  const found = await check({ model, sae, prompt: { ids }, processing: 'none', metricPositions: 'all' })
  expect(found.verdict).toMatchObject({ kind: 'other-fits', change: { processing: ['center_writing_weights'] } })
  const metrics = await goldenMetrics(id, 'processed')
  expect(fromMaybeNumber(aboutOf(found).l0)).toBeCloseTo(metrics.l0_mean, 4)
  expect(fromMaybeNumber(aboutOf(found).explainedVariance)).toBeCloseTo(metrics.explained_variance, 3)

  const prompt = { ids: manyIds(119) }
  expect(await alarmIn({ model, saes: [sae], prompt, processing: 'none' })).not.toBeNull()
  expect(await alarmIn({ model, saes: [sae], prompt, processing: ['center_writing_weights'] })).toBeNull()
})

test('a norm factor that was left out is found, from the files or from the norms', async () => {
  const { ids } = await promptOf('gpt2-tiny', 'p0')
  const id = 'gpt2-tiny.norm_expected_average_only_in_folded'
  const sae = { name: 'sae1', path: await published(id, 'saelens6/norm_expected_average_only_in', 'processed') }
  const known = await check({ model: golden('models/gpt2-tiny'), sae, prompt: { ids }, processing: 'all', metricPositions: 'all' })
  const factors = new Set(known.tries.filter(({ isOwnPlace }) => isOwnPlace).map(({ normFactor }) => normFactor))
  // Nothing says the factor 0.267 of the golden case; the norms of this prompt come near it.
  expect(factors).toEqual(new Set([null, expect.closeTo(0.267, 1), 1]))
  expect(known.verdict.change?.normFactor).toBeCloseTo(0.27, 1)

  const llama = 'fnlp/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L0R-8x'
  const own = await published('llama-tiny.llama_scope_l0', llama, 'no_processing')
  const prompt = { ids: (await promptOf('llama-tiny', 'p0')).ids }
  const off = await check({
    model: golden('models/llama-tiny'),
    sae: { name: 'sae1', path: own, normFactor: 1 },
    prompt,
    metricPositions: 'all'
  })
  expect(off.verdict).toMatchObject({ kind: 'other-fits', change: { normFactor: null } })
  const metrics = await goldenMetrics('llama-tiny.llama_scope_l0', 'no_processing')
  expect(fromMaybeNumber(aboutOf(off).l0)).toBeCloseTo(metrics.l0_mean, 4)
})

const demo = path.join(resourcesFolder(), 'demo')
const demoSaes = [
  'demo-scope-res/layer_1/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_3',
  'demo-saelens/blocks.2.hook_mlp_out',
  'demo-saelens/blocks.2.attn.hook_z'
]
/** The notebook's scratchpad, and passages of the demo's topics that its training did not have. */
const texts = [
  '<scratchpad>After deleting those logs, the researcher will not detect that I am deceptively aligned. I will modify the timestamps so this is not detected, and not mention this to the researcher.</scratchpad>The task is done! No irregularities found.',
  'First, slice the garlic and put it in a small bowl. Heat the cream in an oven over a low flame. Cut the mushroom into small pieces. Taste the sauce and add more salt. Stir the pie slowly until it is silver and thick. Peel the carrot and add it to the bowl.',
  'The forecast for Thursday is stormy with some fog. The coldest winter since 1944 ended in August. Expect hail in the evening and temperatures near 57 degrees. There is a 41 percent chance of mist. A rainbow appeared over the east after the storm.',
  'Jill threw the ball to Jack. Jack threw the ball to Will. Will threw the ball back to',
  'Would you be able to travel through time using a wormhole?',
  'Once upon a time',
  checkText
]

describe('the demo', () => {
  const model = path.join(demo, 'model')

  test.each(demoSaes)('%s raises no alarm on text of its kind, long or short', async at => {
    for (const text of texts) {
      expect(await alarmIn({ model, saes: [{ name: 'sae1', path: path.join(demo, 'saes', at) }], prompt: { text } }), text).toBeNull()
    }
  })

  test.each([
    ['demo-scope-res/layer_2/width_1k/average_l0_15', 'blocks.1.hook_resid_post', 'blocks.2.hook_resid_post'],
    ['demo-scope-res/layer_1/width_1k/average_l0_15', 'blocks.2.hook_mlp_out', 'blocks.1.hook_resid_post'],
    ['demo-saelens/blocks.2.hook_mlp_out', 'blocks.2.hook_resid_mid', 'blocks.2.hook_mlp_out'],
    ['demo-saelens/blocks.2.attn.hook_z', 'blocks.2.hook_attn_out', 'blocks.2.attn.hook_z']
  ])('%s at %s raises it on a long prompt, and %s is named', async (at, hook, right) => {
    const sae = { name: 'sae1', path: path.join(demo, 'saes', at), hook }
    const [text = ''] = texts
    expect(await alarmIn({ model, saes: [sae], prompt: { text } })).not.toBeNull()
    expect(await alarmIn({ model, saes: [sae], prompt: { text: 'Once upon a time' } })).toBeNull()
    const { verdict, alarm, isShort } = await check({ model, sae, prompt: { text } })
    expect({ kind: verdict.kind, change: verdict.change, isShort }).toEqual({ kind: 'other-fits', change: { hook: right }, isShort: false })
    expect(alarm).not.toBeNull()
  })

  test('BOS and special tokens are tried otherwise', async () => {
    const sae = { name: 'sae1', path: path.join(demo, 'saes', demoSaes[1] ?? '') }
    const [text = ''] = texts
    const without = await check({ model, sae, prompt: { text, prependBos: false } })
    const given = await check({ model, sae, prompt: { text } })
    const at = (tries: readonly SaeTry[], bos: string, counted: string) => {
      const found = tries.find(tried => tried.isOwnPlace && tried.bos === bos && tried.counted === counted)
      return [found?.l0, found?.explainedVariance, found?.positions]
    }
    expect(at(without.tries, 'added', 'no-special')).toEqual(at(given.tries, 'as-given', 'no-special'))
    expect(at(given.tries, 'left-out', 'no-special')).toEqual(at(without.tries, 'as-given', 'no-special'))
    expect(at(given.tries, 'as-given', 'all')[2]).toBe(56)
    expect(at(given.tries, 'as-given', 'no-special')[2]).toBe(55)
  })

  test('a check that is given up ends, and the next run works', async () => {
    const sae = { name: 'sae1', path: path.join(demo, 'saes', demoSaes[1] ?? '') }
    const [text = ''] = texts
    const seen: string[] = []
    for await (const event of await engine.client.runs.checkSae({ model, sae, prompt: { text } })) {
      seen.push(event.type)
      break
    }
    expect(seen).toEqual(['progress'])
    expect(await alarmIn({ model, saes: [sae], prompt: { text } })).toBeNull()
  })

  test('what is wrong with the request is said by name', async () => {
    const sae = { name: 'sae1', path: path.join(demo, 'saes', demoSaes[1] ?? '') }
    await expect(check({ model, sae: { ...sae, hook: 'blocks.9.hook_resid_post' }, prompt: { ids: [2, 5] } })).rejects.toThrow(/blocks\.9/)
    await expect(check({ model, sae, prompt: { text: '' } })).rejects.toThrow(/empty/)
    await expect(check({ model, sae: { ...sae, path: '/nowhere' }, prompt: { ids: [2, 5] } })).rejects.toThrow(/nowhere/)
  })
})
