/** `splice eval`: the peers' numbers, what `splice run` says of the same tokens, mistakes, Ctrl-C, and going on after a kill. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type EvaluationResult, evaluationResult } from '../../src/contract/evaluation.ts'
import { runResult } from '../../src/contract/run.ts'
import { demo, root, splice, startSplice, temporaryFolder } from '../command-line.ts'
import { golden, promptIds } from '../golden.ts'

const home = temporaryFolder()
const folder = temporaryFolder()

function fileOf(name: string, content: string): string {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

async function evaluate(args: readonly string[]): Promise<EvaluationResult> {
  const { code, stdout, stderr } = await splice(['eval', ...args, '--json'], { home })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.trimEnd()).not.toContain('\n')
  return evaluationResult.parse(JSON.parse(stdout))
}

function expectNear(name: string, actual: unknown, expected: number, tolerance: number): void {
  expect(Math.abs(Number(actual) - expected), `${name}: ${actual} for ${expected}`).toBeLessThanOrEqual(tolerance)
}

const demoSaes = [
  'demo-scope-res/layer_1/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_3',
  'demo-saelens/blocks.2.hook_mlp_out',
  'demo-saelens/blocks.2.attn.hook_z'
].map(name => join(root, 'resources/demo/saes', name))

describe('the numbers', () => {
  const metrics = z.record(z.string(), z.record(z.string(), z.unknown()))
  const numbers = z.record(z.string(), z.number())

  test("are the peers' on golden ids", async () => {
    const sae = join(golden, 'saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13/params.npz')
    const file = join(golden, 'sae_runs/gemma2-tiny.gemma_scope_res_l1/metrics.json')
    const recorded = metrics.parse(JSON.parse(readFileSync(file, 'utf8')))['processed/p0']
    const ids = fileOf('golden.json', JSON.stringify([promptIds('gemma2-tiny', 'p0')]))
    const reading = ['--processing', 'all', '--layer-order', 'transformer-lens']
    const result = await evaluate([
      '--model',
      join(golden, 'models/gemma2-tiny'),
      '--sae',
      sae,
      '--ids-file',
      ids,
      ...reading,
      '--special-tokens'
    ])
    const plain = numbers.parse(recorded?.plain)
    const textbook = { l0: 'l0_mean', mse: 'mse_per_element', explainedVariance: 'explained_variance', cosineSimilarity: 'cosine_mean' }
    for (const [ours, theirs] of Object.entries(textbook)) {
      const expected = plain[theirs] ?? Number.NaN
      expectNear(ours, Object.entries(result).find(([name]) => name === ours)?.[1], expected, 1e-3 * Math.abs(expected))
    }
    const readings = { all_tokens: 'saelens_run_evals__all_tokens', exclude_special_tokens: 'saelens_run_evals__ignore_first_id' } as const
    for (const reading of ['all_tokens', 'exclude_special_tokens'] as const) {
      const { ce_loss_score: _, ...expected } = numbers.parse(recorded?.[readings[reading]])
      const ours = new Map(Object.entries(result.saelens[reading]))
      for (const [name, value] of Object.entries(expected)) expectNear(name, ours.get(name), value, 1e-3 * Math.abs(value))
    }
  })

  test.each(demoSaes)('of %s are those of a run on the same tokens', async sae => {
    const text = 'Once upon a time there was a curious fox who found an old key near the river.'
    const file = fileOf('one-line.txt', `${text}\n`)
    const result = await evaluate(['--model', demo.model, '--sae', sae, '--text', file])
    const outcome = await splice(['run', '--model', demo.model, '--sae', sae, '--prompt', text, '--json'], { home })
    const run = runResult.parse(JSON.parse(outcome.stdout))
    const reading = run.saes[0]?.byVariant.clean
    expect([result.tokens, result.positions, result.sequences]).toEqual([run.tokens.length, run.tokens.length - 1, 1])
    expect(result.processing).toEqual(run.processing)
    for (const name of ['l0', 'mse', 'explainedVariance', 'cosineSimilarity'] as const) {
      expectNear(name, result[name], Number(reading?.[name]), 1e-5 * Math.abs(Number(reading?.[name])))
    }
    const kl = Number(run.comparison.find(({ variant }) => variant === 'spliced')?.meanKl)
    expectNear('KL', result.klDivergence, kl, 1e-5)
    // The first prediction is made at BOS.
    const lossOf = (name: string) => {
      const logProbs =
        run.variants
          .find(variant => variant.name === name)
          ?.logProbs.slice(2)
          .map(Number) ?? []
      return -logProbs.reduce((sum, value) => sum + value, 0) / logProbs.length
    }
    expectNear('clean loss', result.ceClean, lossOf('clean'), 1e-5)
    expectNear('spliced loss', result.ceSpliced, lossOf('spliced'), 1e-5)
  })

  test('of a text are of all its documents, whatever file they come in', async () => {
    const texts = ['Once upon a time there was a fox.', 'Two plus two is four.', 'The scratchpad says nothing.']
    const lines = fileOf('lines.txt', texts.join('\n'))
    const json = fileOf('lines.jsonl', texts.map(text => JSON.stringify({ text })).join('\n'))
    const request = ['--model', demo.model, '--sae', demo.sae]
    const [joined, fromJson, apart] = [
      await evaluate([...request, '--text', lines]),
      await evaluate([...request, '--text', json]),
      await evaluate([...request, '--text', lines, '--documents', 'apart'])
    ]
    const without = ({ corpus: _corpus, seconds: _seconds, ...rest }: EvaluationResult) => rest
    expect(without(fromJson)).toEqual(without(joined))
    expect([joined.sequences, apart.sequences]).toEqual([1, 3])
    expect(apart.tokens).toBe(joined.tokens)
    expect(apart.positions).toBe(apart.tokens - 3)
    const short = await evaluate([...request, '--text', lines, '--context', '8', '--no-bos'])
    expect([short.sequences, short.context, short.positions]).toEqual([Math.ceil(short.tokens / 8), 8, short.tokens])
  })
})

test('the table says the same in words', async () => {
  const file = fileOf('table.txt', 'Once upon a time there was a fox.\n')
  const { code, stdout } = await splice(['eval', '--model', demo.model, '--sae', demo.sae, '--text', file, '--saelens-batch', '2'], {
    home
  })
  expect(code).toBe(0)
  for (const part of [
    'explained variance',
    'zero ablated',
    'SAELens, batches of 2',
    'relative_reconstruction_bias',
    'special excluded',
    file
  ]) {
    expect(stdout).toContain(part)
  }
})

describe('mistakes are one line that names them', () => {
  const text = fileOf('fine.txt', 'Once upon a time')
  const request = ['--model', demo.model, '--sae', demo.sae]
  const whole = [...request, '--text', text]

  test.each([
    [[], '--model: splice eval needs a model'],
    [['--model', demo.model], '--sae: splice eval needs an SAE'],
    [[...request, '--sae', demo.roughSae, '--text', text], '--sae is given twice'],
    [request, '--text: splice eval needs a text'],
    [[...whole, '--ids-file', text], '--text and --ids-file are both given'],
    [[...request, '--ids-file', text, '--documents', 'apart'], '--documents has no meaning for ids'],
    [[...request, '--ids-file', text, '--no-bos'], '--no-bos has no meaning for ids'],
    [[...whole, '--documents', 'glued'], '--documents "glued" is unknown'],
    [[...whole, '--context', '1'], '--context "1" is not a whole number from 2'],
    [[...whole, '--context', '100000'], '--context: sequences of 100000 tokens are asked for'],
    [[...whole, '--batch-tokens', '0'], '--batch-tokens "0" is not a whole number'],
    [[...whole, '--special-ids', '2,x'], '--special-ids: "x" is not a token id'],
    [[...whole, '--resume', ''], '--resume is empty'],
    [[...whole, '--resume', text], `--resume: ${text} is no state of an evaluation`],
    [[...whole, '--resume', join(folder, 'no/where')], 'cannot be written'],
    [[...request, '--text', join(folder, 'gone.txt')], `${join(folder, 'gone.txt')} does not exist`],
    [[...request, '--ids-file', text], `${text} is no array of arrays of token ids: "O" at byte 0`],
    [[...request, '--ids-file', fileOf('not-json.json', '[[2,106,')], 'not-json.json ends before its array of arrays of token ids does'],
    [
      [...request, '--ids-file', fileOf('words.json', '[[2,"a"]]')],
      'words.json is no array of arrays of token ids: "\\"" at byte 4 in sequence 1'
    ],
    [[...request, '--ids-file', fileOf('empty.json', '')], 'empty.json ends before its array'],
    [[...request, '--ids-file', fileOf('none.json', '[]')], 'nothing is in'],
    [[...request, '--ids-file', fileOf('hollow.json', '[[2,5],[]]')], 'sequence 2 of'],
    [[...request, '--ids-file', fileOf('outside.json', '[[2,5],[2,70000]]')], 'token id 70000 in sequence 2 of'],
    [[...request, '--text', fileOf('empty.txt', '\n')], 'nothing is in'],
    [[...request, '--text', fileOf('nothing.txt', '')], 'nothing is in'],
    [[...request, '--text', folder], `${folder} is not a file`],
    [['--model', demo.model, '--sae', join(folder, 'no-sae'), '--text', text], `${join(folder, 'no-sae')}`],
    [['--model', join(folder, 'no-model'), '--sae', demo.sae, '--text', text], `${join(folder, 'no-model')}`],
    [[...request, '--text', fileOf('broken.jsonl', '{"text":"a"}\n{"no":1}\n')], 'line 2 of'],
    [['--model', join(golden, 'models/gpt2-tiny'), '--sae', `${demo.sae}@blocks.0.hook_resid_post`, '--text', text], 'has 32'],
    [[...whole, 'more'], 'takes no argument "more"']
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await splice(['eval', ...args], { home })
    expect({ code, stdout, stderr }).toMatchObject({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^splice: .*\n$/)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toContain(message)
  })
})

describe('a long evaluation', () => {
  const rows = Array.from({ length: 96 }, (_, row) => [2, ...Array.from({ length: 127 }, (_, at) => 4 + ((row * 131 + at * 37) % 2000))])
  const ids = fileOf('long.json', JSON.stringify(rows))
  const request = ['eval', '--model', demo.model, '--sae', demo.sae, '--ids-file', ids, '--batch-tokens', '256', '--json']
  const numbersOf = (stdout: string) => ({ ...evaluationResult.parse(JSON.parse(stdout)), seconds: 0 })

  test('ends with 130 on Ctrl-C and leaves nothing but what it was told to keep', async () => {
    const own = temporaryFolder()
    const run = startSplice([...request, '--resume', join(own, 'state')], { home, cwd: own })
    while (!existsSync(join(own, 'state')) && run.child.exitCode === null) await wait(5)
    run.child.kill('SIGINT')
    const { code, stdout, stderr } = await run.ended
    expect({ code, stdout, stderr }).toEqual({ code: 130, stdout: '', stderr: '' })
    expect(readdirSync(own)).toEqual(['state'])
  })

  test('goes on after a kill, and ends with exactly the same numbers', async () => {
    const own = temporaryFolder()
    const state = join(own, 'state')
    const whole = await splice(request, { home })
    // A slow machine has time for lines of progress; anything else does not belong there.
    const quiet = { code: 0, stderr: expect.stringMatching(/^([\d,]+ of about [^\n]*\n)*$/) }
    expect(whole).toMatchObject(quiet)
    const sizes: number[] = []
    // Killed twice: in the middle of it, and again where it went on.
    for (const growth of [40_000, 300_000]) {
      const run = startSplice([...request, '--resume', state], { home, cwd: own })
      const begun = existsSync(state) ? statSync(state).size : 0
      while (run.child.exitCode === null && (!existsSync(state) || Math.abs(statSync(state).size - begun) < growth)) await wait(2)
      expect(run.child.exitCode, 'it was killed before its end').toBeNull()
      run.child.kill('SIGKILL')
      expect(await run.ended).toMatchObject({ code: null, stdout: '' })
      sizes.push(statSync(state).size)
    }
    expect(sizes.every(size => size > 1000)).toBe(true)
    const rest = await splice([...request, '--resume', state], { home })
    expect(rest).toMatchObject(quiet)
    expect(numbersOf(rest.stdout)).toEqual(numbersOf(whole.stdout))
    expect(readdirSync(own)).toEqual(['state'])

    const other = await splice([...request, '--special-tokens', '--resume', state], { home })
    expect(other).toMatchObject({ code: 2, stdout: '' })
    expect(other.stderr).toContain('belongs to another evaluation: the counting of special tokens was false, and now is true')
  })
})
