/** `splice attribute`: the peers' effects, what is kept, and mistakes in one line. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { splice, temporaryFolder } from '../command-line.ts'
import { golden, promptIds, readTensors, tensorOf } from '../golden.ts'

const home = temporaryFolder()
const model = join(golden, 'models', 'gemma2-tiny')
const { saes } = z
  .object({ saes: z.array(z.object({ id: z.string(), path: z.string().optional() })) })
  .parse(JSON.parse(readFileSync(join(golden, 'index.json'), 'utf8')))
const sae = 'gemma2-tiny.gemma_scope_res_l1'
const saePath = join(golden, saes.find(({ id }) => id === sae)?.path ?? '')
const ids = promptIds('gemma2-tiny', 'p1')
const common = ['--model', model, '--sae', `s=${saePath}`, '--ids', ids.join(','), '--processing', 'none']

const attribution = z.object({
  base: z.number(),
  clean: z.number(),
  effects: z.array(
    z.object({
      index: z.int(),
      position: z.int().nullable(),
      activation: z.number(),
      effect: z.number(),
      explanations: z.array(z.object({ description: z.string() }))
    })
  ),
  groups: z.array(z.object({ name: z.string(), features: z.array(z.int()), effect: z.number() })),
  pairs: z.array(z.object({ effect: z.number(), interaction: z.number() })),
  keptAs: z.string().nullable()
})

async function attributed(...args: string[]) {
  const { code, stdout, stderr } = await splice(['attribute', ...common, ...args, '--json'], { home })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return attribution.parse(JSON.parse(stdout))
}

/** Log-prob of a token as predicted at a position, from a golden file. */
function logProb(file: string, position: number, id: number): number {
  const { shape, values } = tensorOf(readTensors(join(golden, file)), 'output.log_probs')
  return values[position * (shape[2] ?? 0) + id] ?? Number.NaN
}

describe('effects are the difference of the peers’ runs', () => {
  const last = ids.length - 1
  const edited = `edits/${sae}/p1_0_ablate`
  test('with the error term, where the base is the clean run', async () => {
    const { base, clean, effects } = await attributed('--target', '7', '--features', '108', '--no-history')
    const unablated = logProb('runs/gemma2-tiny/p1/no_processing__hf_layer_order.safetensors', last, 7)
    expect(Math.abs(base - unablated)).toBeLessThanOrEqual(5e-4)
    expect(Math.abs(clean - base)).toBeLessThanOrEqual(1e-4)
    const expected = logProb(`${edited}__error_term.safetensors`, last, 7) - unablated
    expect(effects.map(({ index }) => index)).toEqual([108])
    expect(Math.abs((effects[0]?.effect ?? Number.NaN) - expected)).toBeLessThanOrEqual(5e-4)
  })

  test('without it, at a position in the middle, as the difference of two logits', async () => {
    const { base, effects } = await attributed('--target', '7-101@3', '--features', '108', '--no-error-term', '--no-history')
    const difference = (file: string) => logProb(file, 3, 7) - logProb(file, 3, 101)
    const unablated = difference(`sae_runs/${sae}/no_processing__hf_layer_order/p1.safetensors`)
    expect(Math.abs(base - unablated)).toBeLessThanOrEqual(1e-3)
    expect(Math.abs((effects[0]?.effect ?? Number.NaN) - (difference(`${edited}.safetensors`) - unablated))).toBeLessThanOrEqual(1e-3)
  })
})

describe('on the demo', () => {
  const demo = join(import.meta.dirname, '../../resources/demo')
  const args = [
    ...['attribute', '--model', join(demo, 'model'), '--sae', join(demo, 'saes/demo-scope-res/layer_2/width_1k/average_l0_15')],
    ...['--prompt', 'Would you be able to travel through time using a wormhole?']
  ]

  test('features have their explanations, and the result is kept with a run of the prompt', async () => {
    const { code, stdout } = await splice([...args, '--target', ' time@7', '--top', '8', '--pairs', '3', '--group', 'two=1,2', '--json'], {
      home
    })
    expect(code).toBe(0)
    const { effects, pairs, groups, keptAs } = attribution.parse(JSON.parse(stdout))
    expect(effects).toHaveLength(8)
    expect(effects.some(({ explanations }) => explanations.length > 0)).toBe(true)
    expect(pairs).toHaveLength(3)
    expect(groups).toMatchObject([{ name: 'two', features: [1, 2] }])
    const shown = await splice(['runs', 'show', keptAs ?? ''], { home })
    expect(shown.code).toBe(0)
    expect(shown.stdout).toContain('wormhole')
  })

  test('the table names the quantity, base and features', async () => {
    const { code, stdout } = await splice([...args, '--target', 'loss', '--top', '4', '--each-position', '--no-history'], { home })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^mean loss$/m)
    expect(stdout).toMatch(/^base \d\.\d{3}, spliced with the error term; clean \d\.\d{3}$/m)
    expect(stdout).toMatch(/^4 of \d+ features at positions; 6 rows/m)
    expect(stdout.split('\n').filter(line => /^ *\d+ +\d+\.\d\d +[+-]?\d\.\d{4} +\d+ "/.test(line))).toHaveLength(4)
  })

  test.each([
    [['--target', 'travel through'], /is not one token of .* but \d+: "/],
    [['--target', ' time@99'], /^splice: --target: there is no position 99 in a prompt of \d+ tokens/],
    [['--target', ' time- time'], /^splice: --target: both tokens are/],
    [['--target', ' time', '--features', '99999'], /^splice: --features: feature 99999 is none of the 1024/],
    [['--target', ' time@x'], /^splice: --target " time@x" is no quantity/],
    [[], /needs a target/]
  ])('%s is refused with one line', async (more, message) => {
    const { code, stdout, stderr } = await splice([...args, ...more, '--no-history'], { home })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })
})
