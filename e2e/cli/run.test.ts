/** `splice run` against the peers' numbers, and the shapes that scripts rely on. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type RunResult, runResult, type SaeReading } from '../../src/contract/run.ts'
import { demo, type Outcome, root, splice, temporaryFolder } from '../command-line.ts'
import { golden, largestDifference, promptIds, readTensors, type Tensor, tensorOf, tokenLogProbs, tokenRanks } from '../golden.ts'

const home = temporaryFolder()
const model = join(golden, 'models/gemma2-tiny')
const logProbTolerance = 5e-4

/** The golden readings of Gemma-2, and the options that ask for them. */
const readings = {
  processed: ['--processing', 'all', '--layer-order', 'transformer-lens'],
  no_processing: ['--processing', 'none', '--layer-order', 'transformer-lens'],
  processed__hf_layer_order: ['--processing', 'all'],
  no_processing__hf_layer_order: ['--processing', 'none', '--layer-order', 'checkpoint']
}

function run(args: readonly string[]): Promise<Outcome> {
  return splice(['run', ...args], { home })
}

async function runJson(args: readonly string[]): Promise<RunResult> {
  const outcome = await run([...args, '--json'])
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  expect(outcome.stdout.trimEnd()).not.toContain('\n')
  return runResult.parse(JSON.parse(outcome.stdout))
}

function variantOf(result: RunResult, name: string): RunResult['variants'][number] {
  const variant = result.variants.find(other => other.name === name)
  if (variant === undefined) throw new Error(`no variant ${name}`)
  return variant
}

function expectLogProbs(result: RunResult, name: string, file: string, ids: readonly number[]): void {
  const logProbs = tensorOf(readTensors(file), 'output.log_probs')
  const variant = variantOf(result, name)
  expect(largestDifference(variant.logProbs, tokenLogProbs(logProbs, ids))).toBeLessThan(logProbTolerance)
}

/** A golden SAE as the argument of --sae, whose hook point its path says. */
function saeArgument(id: string): string {
  const index = z.object({ saes: z.array(z.object({ id: z.string(), path: z.string().optional(), hooks: z.array(z.string()) }).loose()) })
  const sae = index.parse(JSON.parse(readFileSync(join(golden, 'index.json'), 'utf8'))).saes.find(other => other.id === id)
  if (sae?.path === undefined) throw new Error(`no SAE ${id}`)
  return join(golden, sae.path)
}

describe('clean runs of gemma2-tiny', () => {
  const cases = Object.entries(readings).flatMap(([reading, options]) => ['p0', 'p1', 'p2'].map(prompt => ({ reading, prompt, options })))
  test.each(cases)(
    "$reading, $prompt: log-probs, ranks, loss and the top predictions are the peers'",
    async ({ reading, prompt, options }) => {
      const ids = promptIds('gemma2-tiny', prompt)
      const result = await runJson(['--model', model, '--ids', ids.join(','), '--top-k', '3', ...options])
      const expected = readTensors(join(golden, 'runs/gemma2-tiny', prompt, `${reading}.safetensors`))
      const logProbs = tensorOf(expected, 'output.log_probs')
      const clean = variantOf(result, 'clean')

      expect(result.tokens.map(token => token.id)).toEqual(ids)
      expect(largestDifference(clean.logProbs, tokenLogProbs(logProbs, ids))).toBeLessThan(logProbTolerance)
      expect(clean.ranks).toEqual(tokenRanks(logProbs, ids))
      const losses = tensorOf(expected, 'output.loss_per_token').values
      expect(clean.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / losses.length, 3)
      const vocabulary = logProbs.shape[2] ?? 0
      expect(clean.topK.map(top => top.map(predicted => predicted.id))).toEqual(
        ids.map((_, at) => {
          const row = [...logProbs.values.subarray(at * vocabulary, (at + 1) * vocabulary)]
          return row
            .map((value, id) => ({ value, id }))
            .sort((a, b) => b.value - a.value)
            .slice(0, 3)
            .map(({ id }) => id)
        })
      )
    }
  )
})

describe('spliced runs', () => {
  const single = ['gemma_scope_res_l1', 'gemma_scope_mlp_l2', 'gemma_scope_att_l0', 'gemma_scope_embedding_l0']
  const cases = single.flatMap(sae => (['no_processing', 'no_processing__hf_layer_order'] as const).map(reading => ({ sae, reading })))
  test.each(cases)("$sae, $reading: log-probs, KL and features are the peers'", async ({ sae, reading }) => {
    const ids = promptIds('gemma2-tiny', 'p0')
    const argument = saeArgument(`gemma2-tiny.${sae}`)
    const result = await runJson([
      '--model',
      model,
      '--sae',
      argument,
      '--ids',
      ids.join(','),
      '--top-features',
      '1000',
      ...readings[reading]
    ])
    const folder = join(golden, 'sae_runs', `gemma2-tiny.${sae}`, reading)
    const expected = readTensors(join(folder, 'p0.safetensors'))

    expect(result.variants.map(variant => variant.name)).toEqual(['clean', 'spliced', 'spliced+error'])
    expectLogProbs(result, 'spliced', join(folder, 'p0.safetensors'), ids)
    expect(largestDifference(variantOf(result, 'spliced+error').logProbs, numbers(variantOf(result, 'clean').logProbs))).toBeLessThan(
      logProbTolerance
    )
    const comparison = result.comparison.find(other => other.variant === 'spliced')
    expect(
      largestDifference(comparison?.klDivergence ?? [], tensorOf(expected, 'output.kl_clean_vs_spliced_per_token').values)
    ).toBeLessThan(logProbTolerance)
    const [ours] = result.saes
    expect(ours?.path).toContain(argument.replace(/\/params\.npz$/, ''))
    expectFeatures(ours?.byVariant.spliced, [...expected].find(([name]) => name.endsWith('hook_sae_acts_post'))?.[1])
  })

  const formats = [
    { sae: 'gpt2-tiny.topk', reading: 'processed', options: ['--processing', 'all'] },
    {
      sae: 'gpt2-tiny.blocks.1.hook_resid_pre',
      reading: 'center_writing_weights_only',
      options: ['--processing', 'center_writing_weights']
    },
    { sae: 'gpt2-tiny.norm_expected_average_only_in', reading: 'processed', options: ['--processing', 'all'] },
    {
      sae: 'gpt2-tiny.norm_expected_average_only_in_folded',
      reading: 'processed',
      options: ['--processing', 'all', '--sae-norm-factor', 'sae1=0.2674892544746399']
    },
    { sae: 'llama-tiny.llama_scope_l0', reading: 'no_processing', options: [] },
    { sae: 'llama-tiny.deepseek_r1_l1', reading: 'no_processing', options: [] },
    { sae: 'pythia-tiny.dictlearn_gated_l1', reading: 'no_processing', options: [] },
    { sae: 'qwen3-tiny.mwhanna_transcoder_l1', reading: 'no_processing', options: [] },
    { sae: 'gemma3-tiny.gemma_scope_2_transcoder_affine_l1', reading: 'no_processing', options: [] }
  ]
  test.each(formats)("$sae: log-probs, KL and features are the peers'", async ({ sae, reading, options }) => {
    const [name = ''] = sae.split('.')
    const ids = promptIds(name, 'p1')
    const where = ['--model', join(golden, 'models', name), '--sae', saeArgument(sae), '--ids', ids.join(',')]
    const result = await runJson([...where, '--top-features', '1000', ...options])
    const file = join(golden, 'sae_runs', sae.replace('.center_writing_weights_only', ''), reading, 'p1.safetensors')
    const expected = readTensors(file)
    expectLogProbs(result, 'spliced', file, ids)
    expect(largestDifference(variantOf(result, 'spliced+error').logProbs, numbers(variantOf(result, 'clean').logProbs))).toBeLessThan(
      logProbTolerance
    )
    const comparison = result.comparison.find(other => other.variant === 'spliced')
    expect(
      largestDifference(comparison?.klDivergence ?? [], tensorOf(expected, 'output.kl_clean_vs_spliced_per_token').values)
    ).toBeLessThan(logProbTolerance)
    expectFeatures(result.saes[0]?.byVariant.spliced, [...expected].find(([tensor]) => tensor.endsWith('hook_sae_acts_post'))?.[1])
  })

  test('the result says which factor is in force, and where it is from', async () => {
    const run = (sae: string, ...options: string[]) =>
      runJson(['--model', join(golden, 'models/llama-tiny'), '--sae', saeArgument(sae), '--ids', '1,2,3', ...options])
    const factors = async (result: Promise<RunResult>) => (await result).saes[0]?.normFactor
    expect(await factors(run('llama-tiny.llama_scope_l0'))).toEqual({ value: expect.closeTo(0.1918440275), from: 'file' })
    expect(await factors(run('llama-tiny.llama_scope_r1_distill_l1'))).toBeNull()
    expect(await factors(run('llama-tiny.llama_scope_r1_distill_l1', '--sae-norm-factor', 'sae1=0.5'))).toEqual({
      value: 0.5,
      from: 'chosen'
    })
  })

  test('two SAEs stand in at once, each at its own hook point', async () => {
    const ids = promptIds('gemma2-tiny', 'p1')
    const args = [
      '--sae',
      `res=${saeArgument('gemma2-tiny.gemma_scope_res_l1')}`,
      '--sae',
      `mlp=${saeArgument('gemma2-tiny.gemma_scope_mlp_l2')}`
    ]
    const result = await runJson([
      '--model',
      model,
      ...args,
      '--ids',
      ids.join(','),
      '--variant',
      'res-alone=res',
      '--variants',
      'clean,spliced'
    ])
    const both = join(golden, 'sae_runs/gemma2-tiny.multi_res1_mlp2/no_processing__hf_layer_order/p1.safetensors')
    const alone = join(golden, 'sae_runs/gemma2-tiny.gemma_scope_res_l1/no_processing__hf_layer_order/p1.safetensors')
    expectLogProbs(result, 'spliced', both, ids)
    expectLogProbs(result, 'res-alone', alone, ids)
    // Every variant reads every SAE, spliced there or not.
    expect(result.saes.map(sae => Object.keys(sae.byVariant))).toEqual([
      ['clean', 'spliced', 'res-alone'],
      ['clean', 'spliced', 'res-alone']
    ])
  })

  test.each([
    ['1:9', 'keep_bos'],
    ['0:2,5:9', 'keep_2_4'],
    ['8:9', 'only_last_spliced']
  ])('--splice-positions %s leaves the other positions alone', async (positions, file) => {
    const ids = promptIds('gemma2-tiny', 'p1')
    const args = ['--sae', saeArgument('gemma2-tiny.gemma_scope_res_l1'), '--variants', 'clean,spliced', '--splice-positions', positions]
    const result = await runJson(['--model', model, ...args, '--ids', ids.join(',')])
    expectLogProbs(result, 'spliced', join(golden, `positions/gemma2-tiny.gemma_scope_res_l1__p1_${file}.safetensors`), ids)
  })

  test('an empty range splices nothing', async () => {
    const args = ['--sae', saeArgument('gemma2-tiny.gemma_scope_res_l1'), '--variants', 'clean,spliced', '--splice-positions', '3:3']
    const result = await runJson(['--model', model, ...args, '--ids', promptIds('gemma2-tiny', 'p1').join(',')])
    expect(largestDifference(variantOf(result, 'spliced').logProbs, numbers(variantOf(result, 'clean').logProbs))).toBeLessThan(1e-6)
  })
})

describe('--save', () => {
  const ids = promptIds('gemma2-tiny', 'p1')
  const expectHooks = (saved: Map<string, Tensor>, expected: Map<string, Tensor>, variant: string): void => {
    const hooks = [...expected].filter(([name]) => !name.startsWith('output.'))
    expect(hooks.length).toBeGreaterThan(4)
    for (const [name, theirs] of hooks) {
      const ours = tensorOf(saved, `${variant}/${name}`)
      const largest = theirs.values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0)
      expect({ name, shape: ours.shape }).toEqual({ name, shape: theirs.shape })
      expect({ name, fits: largestDifference(ours.values, theirs.values) <= 1e-4 + 1e-3 * largest }).toEqual({ name, fits: true })
    }
    const logits = tensorOf(saved, `${variant}/logits`)
    expect(largestDifference(logits.values, tensorOf(expected, 'output.logits').values)).toBeLessThan(logProbTolerance)
  }

  test("writes every hook of every variant with TransformerLens's names, shapes and numbers", async () => {
    const file = join(temporaryFolder(), 'all.safetensors')
    const sae = saeArgument('gemma2-tiny.gemma_scope_res_l1')
    const reading = 'no_processing'
    await runJson([
      '--model',
      model,
      '--sae',
      sae,
      '--ids',
      ids.join(','),
      '--variants',
      'clean,spliced',
      '--save',
      file,
      ...readings[reading]
    ])
    const saved = readTensors(file)
    expectHooks(saved, readTensors(join(golden, 'runs/gemma2-tiny/p1', `${reading}.safetensors`)), 'clean')
    expectHooks(saved, readTensors(join(golden, 'sae_runs/gemma2-tiny.gemma_scope_res_l1', reading, 'p1.safetensors')), 'spliced')
    // A spliced hook point itself is not in TransformerLens's cache.
    expect(saved.has('spliced/blocks.1.hook_resid_post')).toBe(false)
  })

  test('writes the named hooks and the logits, or the logits alone', async () => {
    const folder = temporaryFolder()
    const named = join(folder, 'named.safetensors')
    await runJson(['--model', model, '--ids', ids.join(','), '--save', named, '--hooks', 'hook_embed,blocks.0.attn.hook_pattern'])
    expect([...readTensors(named).keys()].sort()).toEqual(['clean/blocks.0.attn.hook_pattern', 'clean/hook_embed', 'clean/logits'])
    const none = join(folder, 'none.safetensors')
    await runJson(['--model', model, '--ids', ids.join(','), '--save', none, '--hooks', 'none'])
    expect([...readTensors(none).keys()]).toEqual(['clean/logits'])
    expect(readdirSync(folder).sort()).toEqual(['named.safetensors', 'none.safetensors'])
  })
})

describe('the demo', () => {
  const prompts = z.record(
    z.string(),
    z.object({
      prompt: z.string(),
      tokens: z.array(z.string()),
      log_probs_clean: z.array(z.number()),
      log_probs_spliced: z.array(z.number())
    })
  )
  const report = z.object({ prompts }).parse(JSON.parse(readFileSync(join(root, 'resources/demo/report.json'), 'utf8')))

  test.each(Object.entries(report.prompts))('%s has the log-probs of its report', async (_, expected) => {
    const args = ['--sae', demo.sae, '--variants', 'clean,spliced', '--splice-positions', 'no-special']
    const result = await runJson(['--model', demo.model, ...args, '--prompt', expected.prompt])
    expect(result.tokens.map(token => token.text)).toEqual(expected.tokens)
    expect(result.tokens.map(token => token.special)).toEqual(expected.tokens.map(text => text === '<bos>'))
    // The report has four decimals.
    expect(largestDifference(variantOf(result, 'clean').logProbs.slice(1), expected.log_probs_clean)).toBeLessThan(1e-3)
    expect(largestDifference(variantOf(result, 'spliced').logProbs.slice(1), expected.log_probs_spliced)).toBeLessThan(1e-3)
  })

  test('explains features from the mirror, each with its own explanations', async () => {
    const prompt = 'Would you be able to travel through time using a wormhole?'
    const result = await runJson([
      '--model',
      demo.model,
      '--sae',
      demo.sae,
      '--sae',
      demo.roughSae,
      '--variants',
      'clean',
      '--prompt',
      prompt
    ])
    expect(result.saes.map(sae => sae.source)).toEqual(['demo-gemma2-tiny/2-demo-res-1k', null])
    const row = z.object({ index: z.string(), description: z.string(), explanationModelName: z.string() })
    const rows = z.array(row).parse(JSON.parse(readFileSync(join(demo.explanations, '2-demo-res-1k.json'), 'utf8')))
    const features = result.saes[0]?.byVariant.clean?.features.flat() ?? []
    expect(features.length).toBeGreaterThan(0)
    for (const feature of features) {
      const known = rows.filter(other => other.index === String(feature.index))
      expect(feature.explanations.map(({ description }) => description).sort()).toEqual(known.map(({ description }) => description).sort())
    }
    expect(result.saes[1]?.byVariant.clean?.features.flat().flatMap(feature => feature.explanations)).toEqual([])
  })

  test('BOS stands first, once, and --no-bos leaves it out', async () => {
    const first = async (...args: string[]) => (await runJson(['--model', demo.model, ...args])).tokens.map(token => token.text).slice(0, 2)
    expect(await first('--prompt', 'Once upon a time')).toEqual(['<bos>', 'Once'])
    expect(await first('--prompt', '<bos>Once upon a time')).toEqual(['<bos>', 'Once'])
    expect(await first('--prompt', 'Once upon a time', '--no-bos')).toEqual(['Once', ' upon'])
  })

  test('without --json there is a table: a row per token, then the summaries', async () => {
    const { code, stdout } = await run(['--model', demo.model, '--sae', demo.sae, '--prompt', 'Once upon a time'])
    expect(code).toBe(0)
    for (const text of ['"<bos>"', '" upon"', 'log-p spliced+error', 'KL spliced', 'mean KL', 'explained variance'])
      expect(stdout).toContain(text)
  })
})

describe('one token', () => {
  test('is a run without a loss', async () => {
    const result = await runJson(['--model', model, '--ids', '2'])
    expect(result.variants[0]).toMatchObject({ loss: null, logProbs: [null], ranks: [null] })
    expect(result.variants[0]?.topK[0]?.length).toBe(10)
  })
})

function numbers(values: RunResult['variants'][number]['logProbs']): (number | null)[] {
  return values.map(value => (typeof value === 'string' ? Number(value) : value))
}

/** Every feature that fired, and no other, with the peers' activations [1, position, dSae]. */
function expectFeatures(reading: SaeReading | undefined, activations: Tensor | undefined): void {
  if (reading === undefined || activations === undefined) throw new Error('nothing to compare')
  const [, positions = 0, dSae = 0] = activations.shape
  for (let position = 0; position < positions; position++) {
    const row = activations.values.subarray(position * dSae, (position + 1) * dSae)
    const theirs = [...row.entries()].filter(([, value]) => value > 0)
    const ours = new Map((reading.features[position] ?? []).map(feature => [feature.index, feature.activation]))
    expect([...ours.keys()].sort((a, b) => a - b)).toEqual(theirs.map(([index]) => index))
    for (const [index, value] of theirs) expect(Number(ours.get(index))).toBeCloseTo(value, 2)
  }
}
