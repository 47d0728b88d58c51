/** `--edit`: the peers' numbers for edits of features, on the command line. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { splice, temporaryFolder } from '../command-line.ts'
import { golden, promptIds, readTensors, tensorOf, tokenLogProbs } from '../golden.ts'

const home = temporaryFolder()
const edit = z.object({
  kind: z.enum(['ablate', 'scale', 'set', 'steer']),
  feature: z.int(),
  factor: z.number().optional(),
  value: z.number().optional(),
  strength: z.number().optional(),
  positions: z.union([z.literal('all'), z.array(z.int())])
})
const { edits, saes } = z
  .object({
    edits: z.array(
      z.object({
        sae: z.union([z.string(), z.array(z.string())]),
        model: z.string(),
        model_variant: z.string(),
        prompt: z.string(),
        edit: z.union([edit, z.array(z.unknown())]),
        error_term: z.boolean(),
        file: z.string(),
        greedy_new_tokens_edit_at_every_position: z.array(z.int()).optional()
      })
    ),
    saes: z.array(z.object({ id: z.string(), path: z.string().optional() }))
  })
  .parse(JSON.parse(readFileSync(join(golden, 'index.json'), 'utf8')))

/** One case of each kind, of different SAEs where there are some; those of two SAEs are compared in-process. */
const cases = ['ablate', 'scale', 'set', 'steer'].flatMap((kind, place) => {
  const found = edits.filter(entry => !Array.isArray(entry.edit) && entry.edit.kind === kind)
  const [plain, withError] = [false, true].map(errorTerm => found.filter(entry => entry.error_term === errorTerm))
  return [plain?.[place % (plain.length || 1)], withError?.[place % (withError.length || 1)]].filter(entry => entry !== undefined)
})

/** `--edit` as a person would write a golden edit. */
function optionsOf({ kind, feature, factor, value, strength, positions }: z.infer<typeof edit>, variant: string): string[] {
  const change = { ablate: '=0', scale: `x${factor}`, set: `=${value}`, steer: `+${strength}` }[kind]
  const ranges = positions === 'all' ? [''] : positions.map(position => `@${position}:${position + 1}`)
  return ranges.flatMap(range => ['--edit', `${variant}:s:${feature}${change}${range}`])
}

const run = z.object({ variants: z.array(z.object({ name: z.string(), logProbs: z.array(z.number().nullable()) })) })
const generation = z.object({ variants: z.array(z.object({ name: z.string(), tokens: z.array(z.object({ id: z.int() })) })) })

function argumentsOf(entry: (typeof edits)[number]): { args: string[]; variant: string } {
  const path = saes.find(({ id }) => id === entry.sae)?.path ?? ''
  const [processing, order] = entry.model_variant.split('__')
  const isSteered = !Array.isArray(entry.edit) && entry.edit.kind === 'steer'
  const variant = entry.error_term ? 'spliced+error' : isSteered ? 'steered' : 'off'
  return {
    variant,
    args: [
      ...['--model', join(golden, 'models', entry.model), '--sae', `s=${join(golden, path)}`],
      ...['--ids', promptIds(entry.model, entry.prompt).join(',')],
      ...['--processing', processing === 'processed' ? 'all' : 'none'],
      ...['--layer-order', order === 'hf_layer_order' ? 'checkpoint' : 'transformer-lens'],
      ...['--variants', entry.error_term ? 'clean,spliced+error' : 'clean'],
      ...(Array.isArray(entry.edit) ? [] : optionsOf(edit.parse(entry.edit), variant))
    ]
  }
}

describe('a run has the peers’ log-probs', () => {
  test.each(cases)('$file', async entry => {
    const { args, variant } = argumentsOf(entry)
    const { code, stdout, stderr } = await splice(['run', ...args, '--no-history', '--json'], { home })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const ours = run.parse(JSON.parse(stdout)).variants.find(({ name }) => name === variant)?.logProbs ?? []
    const expected = tokenLogProbs(
      tensorOf(readTensors(join(golden, entry.file)), 'output.log_probs'),
      promptIds(entry.model, entry.prompt)
    )
    expect(ours.length).toBe(expected.length)
    for (const [position, value] of expected.entries()) {
      if (value === null) expect(ours[position]).toBeNull()
      else expect(Math.abs((ours[position] ?? Number.NaN) - value), `token ${position}`).toBeLessThanOrEqual(5e-4)
    }
  })
})

test('edits hold for every generated token', async () => {
  const entry = edits.find(({ greedy_new_tokens_edit_at_every_position: greedy }) => greedy !== undefined)
  if (entry === undefined) throw new Error('the golden index has no continuation under an edit')
  const expected = entry.greedy_new_tokens_edit_at_every_position ?? []
  const { args, variant } = argumentsOf(entry)
  const options = ['--temperature', '0', '--max-new-tokens', String(expected.length), '--no-stop-at-eos', '--json']
  const { code, stdout, stderr } = await splice(['generate', ...args, ...options], { home })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const tokens = generation.parse(JSON.parse(stdout)).variants.find(({ name }) => name === variant)?.tokens
  expect(tokens?.map(({ id }) => id)).toEqual(expected)
})

test.each([
  ['off:s:99999=0', /edits feature 99999 of s, which has \d+/],
  ['off:s:1=0@90:99', /positions 90:99 do not fit a prompt of 9 tokens/]
])('--edit %s is refused with one line', async (text, message) => {
  const [entry] = cases
  if (entry === undefined) throw new Error('there are no cases')
  const { args } = argumentsOf({ ...entry, error_term: false, edit: [] })
  const { code, stderr } = await splice(['run', ...args, '--edit', text], { home })
  expect(code).toBe(2)
  expect(stderr).toMatch(message)
  expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2)
})
