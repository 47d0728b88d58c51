/** `splice logit-lens`: the peers' numbers for every layer and position, on the command line. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { golden, largestDifference, promptIds, readTensors, tensorOf } from '../golden.ts'

const home = temporaryFolder()
const { logit_lens: cases } = z
  .object({
    logit_lens: z.array(
      z.object({
        model: z.string(),
        model_variant: z.string(),
        prompt: z.string(),
        labels: z.array(z.string()),
        soft_cap: z.number().nullable(),
        file: z.string()
      })
    )
  })
  .parse(JSON.parse(readFileSync(join(golden, 'index.json'), 'utf8')))

const standing = z.object({ logProbs: z.array(z.number().nullable()), ranks: z.array(z.int().nullable()) })
const lens = z.object({
  tokens: z.array(z.object({ id: z.int() })),
  softCap: z.number().nullable(),
  variants: z.array(
    z.object({
      name: z.string(),
      final: z.array(z.object({ id: z.int(), text: z.string() })),
      layers: z.array(
        z.object({
          label: z.string(),
          topK: z.array(z.array(z.object({ id: z.int(), text: z.string(), logit: z.number(), logProb: z.number() }))),
          klToFinal: z.array(z.number()),
          final: standing,
          actual: standing
        })
      )
    })
  )
})

function argumentsOf({ model, model_variant, prompt }: (typeof cases)[number]): string[] {
  return [
    ...['--model', join(golden, 'models', model), '--ids', promptIds(model, prompt).join(','), '--processing', 'all'],
    ...['--layer-order', model_variant.endsWith('hf_layer_order') ? 'checkpoint' : 'transformer-lens']
  ]
}

async function lensOf(args: readonly string[]) {
  const { code, stdout, stderr } = await splice(['logit-lens', ...args, '--json'], { home })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return lens.parse(JSON.parse(stdout))
}

describe('the golden logits, saved, and what is said of them', () => {
  test.each(cases)('$file', async entry => {
    const file = join(home, `${entry.file.replaceAll('/', '-')}`)
    const expected = readTensors(join(golden, entry.file))
    const { values, shape } = tensorOf(expected, 'logit_lens.logits')
    const result = await lensOf([...argumentsOf(entry), '--no-soft-cap', '--save', file])
    const saved = tensorOf(readTensors(file), 'clean/logit_lens.logits')
    expect(saved.shape).toEqual(shape)
    expect(largestDifference(saved.values, values)).toBeLessThanOrEqual(5e-4)

    const [variant] = result.variants
    expect(variant?.layers.map(({ label }) => label)).toEqual(entry.labels)
    const [, positions = 0, vocabulary = 0] = shape
    for (const [layer, { topK }] of (variant?.layers ?? []).entries()) {
      expect(topK.length).toBe(positions)
      for (const [position, [best]] of topK.entries()) {
        const row = values.subarray((layer * positions + position) * vocabulary, (layer * positions + position + 1) * vocabulary)
        expect(Math.abs((best?.logit ?? Number.NaN) - Math.max(...row))).toBeLessThanOrEqual(5e-4)
        expect(Math.abs((best?.logit ?? Number.NaN) - (row[best?.id ?? -1] ?? Number.NaN))).toBeLessThanOrEqual(5e-4)
      }
    }
    expect(variant?.layers.at(-1)?.klToFinal).toEqual(Array.from({ length: positions }, () => 0))
  })

  test.each(cases.filter(({ soft_cap }) => soft_cap !== null))('$file, soft-capped as the model itself', async entry => {
    const file = join(home, 'capped.safetensors')
    const result = await lensOf([...argumentsOf(entry), '--save', file])
    expect(result.softCap).toBe(entry.soft_cap)
    const expected = tensorOf(readTensors(join(golden, entry.file)), 'logit_lens.logits_soft_capped')
    expect(largestDifference(tensorOf(readTensors(file), 'clean/logit_lens.logits').values, expected.values)).toBeLessThanOrEqual(5e-4)
  })
})

test('variants with splices and edits, at some positions', async () => {
  const args = ['--model', demo.model, '--prompt', 'Ann has a red cup', '--sae', `res=${demo.sae}`, '--edit', 'off:res:1=0']
  const { tokens, variants } = await lensOf([...args, '--variants', 'clean,spliced', '--positions', '2:5', '--top-k', '3'])
  expect(variants.map(({ name }) => name)).toEqual(['clean', 'spliced', 'off'])
  for (const { layers, final } of variants) {
    expect(final.length).toBe(3)
    for (const { topK, actual } of layers) {
      expect(topK.map(top => top.length)).toEqual([3, 3, 3])
      expect(actual.ranks.every(rank => rank !== null)).toBe(tokens.length > 5)
    }
  }
})

test('a table for people', async () => {
  const { code, stdout } = await splice(['logit-lens', '--model', demo.model, '--prompt', 'Ann has a red cup'], { home })
  expect(code).toBe(0)
  const lines = stdout.split('\n')
  expect(lines.find(line => line.startsWith('clean'))).toContain('mean KL')
  const labels = lines.map(line => line.split(' ')[0]).filter(label => label?.endsWith('_pre') || label === 'final_post')
  expect(labels[0]).toBe('final_post')
  expect(labels.at(-1)).toBe('0_pre')
})

test.each([
  ['--positions', '4:2'],
  ['--positions', '0:999'],
  ['--top-k', '0']
])('%s %s is refused with one line, and leaves no file', async (option, value) => {
  const file = join(home, 'refused.safetensors')
  const args = ['logit-lens', '--model', demo.model, '--prompt', 'Ann has a red cup', option, value, '--save', file]
  const { code, stdout, stderr } = await splice(args, { home })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.trimEnd().split('\n').length).toBe(1)
  expect(existsSync(file)).toBe(false)
})
