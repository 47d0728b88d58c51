/** `splice generate` and `splice test-prompt`: the peers' continuations and answers, the shapes that scripts rely on, and mistakes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { demo, splice, startSplice, temporaryFolder } from '../command-line.ts'
import { golden } from '../golden.ts'

const home = temporaryFolder()

const generation = z.object({
  seed: z.int(),
  variants: z.array(
    z.object({
      name: z.string(),
      sample: z.int().optional(),
      text: z.string(),
      ending: z.string(),
      tokens: z.array(
        z.object({ id: z.int(), text: z.string(), logProb: z.number(), features: z.record(z.string(), z.array(z.unknown())).optional() })
      )
    })
  )
})

async function jsonOf<Schema extends z.ZodType>(args: readonly string[], schema: Schema): Promise<z.infer<Schema>> {
  const { code, stdout, stderr } = await splice([...args, '--json'], { home })
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
  expect(stdout.trimEnd()).not.toContain('\n')
  return schema.parse(JSON.parse(stdout))
}

const recorded = z.object({
  ids: z.array(z.int()),
  variants: z.record(
    z.string(),
    z.object({
      greedy_new_tokens: z.array(z.int()).optional(),
      test_prompt: z
        .array(
          z.object({
            answers: z.array(z.array(z.int())),
            positions: z.array(
              z.object({ answers: z.array(z.object({ token: z.int(), rank: z.int(), logit: z.number(), prob: z.number() })) })
            )
          })
        )
        .optional()
    })
  )
})

function recordedRun(model: string, reading: string) {
  const { ids, variants } = recorded.parse(JSON.parse(readFileSync(join(golden, 'runs', model, 'p0.json'), 'utf8')))
  const { greedy_new_tokens: greedy = [], test_prompt: tests = [] } = variants[reading] ?? {}
  return { ids: ids.join(','), greedy, tests }
}

const cases = [
  ['gpt2-tiny', 'processed', 'all'],
  ['llama-tiny', 'no_processing', 'none']
] as const

describe.each(cases)('%s %s', (name, reading, processing) => {
  const model = join(golden, 'models', name)

  test('temperature 0 gives the recorded continuation', async () => {
    const { ids, greedy } = recordedRun(name, reading)
    const asked = ['generate', '--model', model, '--ids', ids, '--processing', processing, '--temperature', '0', '--no-stop-at-eos']
    const { variants } = await jsonOf([...asked, '--max-new-tokens', String(greedy.length)], generation)
    expect(variants.map(({ name: variant }) => variant)).toEqual(['clean'])
    expect(variants[0]?.tokens.map(({ id }) => id)).toEqual(greedy)
  })

  test('answers have the recorded ranks, logits and probabilities', async () => {
    const { ids, tests } = recordedRun(name, reading)
    const several = tests.find(({ answers }) => answers.some(answer => answer.length > 1)) ?? tests[0]
    const answers = several?.answers.flatMap(answer => ['--answer-ids', answer.join(',')]) ?? []
    const schema = z.object({
      answers: z.array(
        z.object({
          tokens: z.array(
            z.object({
              id: z.int(),
              text: z.string(),
              variants: z.array(z.object({ name: z.string(), rank: z.int(), logit: z.number(), probability: z.number() }))
            })
          )
        })
      ),
      topK: z.array(z.object({ name: z.string(), tokens: z.array(z.object({ id: z.int() })).length(4) }))
    })
    const result = await jsonOf(
      ['test-prompt', '--model', model, '--ids', ids, '--processing', processing, '--top-k', '4', ...answers],
      schema
    )
    for (const [place, position] of (several?.positions ?? []).entries()) {
      for (const [which, expected] of position.answers.entries()) {
        const token = result.answers[which]?.tokens[place]
        const verdict = token?.variants[0]
        expect({ id: token?.id, rank: verdict?.rank }).toEqual({ id: expected.token, rank: expected.rank })
        expect(Math.abs((verdict?.logit ?? Number.NaN) - expected.logit)).toBeLessThan(5e-4)
        expect(Math.abs((verdict?.probability ?? Number.NaN) - expected.prob)).toBeLessThan(5e-4)
      }
    }
  })
})

describe('on the demo', () => {
  const asked = ['--model', demo.model, '--prompt', 'Once upon a time'] as const

  test('every variant goes its own way, features at its tokens, the same seed the same texts', async () => {
    const args = [
      'generate',
      ...asked,
      '--sae',
      demo.roughSae,
      '--variants',
      'clean,spliced',
      '--max-new-tokens',
      '8',
      '--seed',
      '3',
      '--top-features',
      '2'
    ]
    const first = await jsonOf(args, generation)
    expect(first.seed).toBe(3)
    expect(first.variants.map(({ name }) => name)).toEqual(['clean', 'spliced'])
    for (const { text, tokens } of first.variants) {
      expect(tokens).toHaveLength(8)
      expect(tokens.map(token => token.text).join('')).toBe(text)
      expect(tokens.every(token => (token.features?.sae1?.length ?? 0) <= 2)).toBe(true)
    }
    expect(first.variants[0]?.text).not.toBe(first.variants[1]?.text)
    expect((await jsonOf(args, generation)).variants).toEqual(first.variants)
  })

  test('samples are entries of their own', async () => {
    const { variants } = await jsonOf(['generate', ...asked, '--samples', '3', '--max-new-tokens', '6'], generation)
    expect(variants.map(({ name, sample }) => [name, sample])).toEqual([
      ['clean', 0],
      ['clean', 1],
      ['clean', 2]
    ])
    expect(new Set(variants.map(({ text }) => text)).size).toBe(3)
  })

  test('an answer gets a space in front unless it has one or none is wanted, and keeps its place on the command line', async () => {
    const texts = z.object({ answers: z.array(z.object({ text: z.string() })) })
    const args = ['test-prompt', ...asked, '--answer', 'there', '--answer-ids', '391', '--answer', ' there']
    expect((await jsonOf(args, texts)).answers.map(({ text }) => text)).toEqual([' there', ' a', ' there'])
    expect((await jsonOf([...args, '--no-prepend-space'], texts)).answers[0]?.text).toBe('there')
  })

  test('Ctrl-C ends a long continuation at once, with nothing printed', async () => {
    const run = startSplice(['generate', ...asked, '--max-new-tokens', '400', '--samples', '32', '--no-stop-at-eos', '--json'], { home })
    await wait(1500)
    run.child.kill('SIGINT')
    const { code, stdout } = await run.ended
    expect([130, null]).toContain(code)
    expect(stdout).toBe('')
  })

  test.each([
    [['generate', ...asked, '--temperature', 'hot'], '--temperature'],
    [['generate', ...asked, '--top-p', '1.5'], '--top-p'],
    [['generate', ...asked, '--max-new-tokens', '0'], '--max-new-tokens'],
    [['generate', '--model', demo.model, '--ids', Array.from({ length: 512 }, () => 5).join(',')], 'context'],
    [['test-prompt', ...asked], '--answer'],
    [['test-prompt', ...asked, '--answer', ''], '--answer'],
    [['test-prompt', ...asked, '--answer-ids', '1,x'], '--answer-ids'],
    [['test-prompt', ...asked, '--answer-ids', '99999'], '99999']
  ])('%j is a mistake', async (args, named) => {
    const { code, stdout, stderr } = await splice(args, { home })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toContain(named)
  })
})
