/** The wrong-tensor alarm on the command line: `splice run` warns and names the command, `splice check-sae` looks into it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { saeCheck } from '../../src/contract/sae-check.ts'
import { command, demo, root, splice, temporaryFolder } from '../command-line.ts'
import { golden, promptIds } from '../golden.ts'

const home = temporaryFolder()
const report = z
  .object({ prompts: z.object({ deceptive: z.object({ prompt: z.string() }) }) })
  .parse(JSON.parse(readFileSync(join(root, 'resources/demo/report.json'), 'utf8')))
const scratchpad = report.prompts.deceptive.prompt
const wrong = `${demo.sae}@blocks.2.hook_mlp_out`

describe('splice run', () => {
  test('warns in one line where the figures are far off, with the command that checks', async () => {
    const { code, stdout, stderr } = await splice(['run', '--model', demo.model, '--sae', `odd=${wrong}`, '--prompt', scratchpad], { home })
    expect(code).toBe(0)
    expect(stdout).toContain('odd = ')
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toMatch(
      /^splice: odd: L0 is 4\.82, published 15\.3, 3\.17 times off; explained variance is .*, over 55 tokens; it may sit on another tensor/
    )
    const [, words = ''] = stderr.split('To check: splice ')
    // The command is one that a shell can run as it is.
    const checked = execFileSync('/bin/sh', ['-c', `${command} ${words.trim()} --json`], { env: { ...process.env, SPLICE_HOME: home } })
    expect(saeCheck.parse(JSON.parse(String(checked))).verdict).toMatchObject({
      kind: 'other-fits',
      change: { hook: 'blocks.2.hook_resid_post' }
    })
  })

  test('warns beside its JSON too, which holds the alarm', async () => {
    const args = ['run', '--model', demo.model, '--sae', wrong, '--prompt', scratchpad, '--processing', 'none', '--json']
    const { stdout, stderr } = await splice(args, { home })
    expect(stderr.trim()).toMatch(/ --processing none$/)
    const sae = z.object({
      published: z.unknown(),
      alarm: z.object({ positions: z.int(), off: z.array(z.object({ metric: z.string() })) })
    })
    expect(z.object({ saes: z.array(sae) }).parse(JSON.parse(stdout)).saes[0]).toMatchObject({
      published: { l0: { value: 15.25, from: 'release' }, explainedVariance: { value: 0.8838, from: 'release' } },
      alarm: { positions: 55, off: [{ metric: 'l0' }, { metric: 'explained-variance' }] }
    })
  })

  test('warns neither where it belongs nor on a few tokens', async () => {
    const right = await splice(['run', '--model', demo.model, '--sae', demo.sae, '--prompt', scratchpad], { home })
    const short = await splice(['run', '--model', demo.model, '--sae', wrong, '--prompt', 'Once upon a time'], { home })
    expect([right.stderr, short.stderr]).toEqual(['', ''])
  })
})

describe('splice check-sae', () => {
  test('shows what is published, a line for each try, and the one that fits', async () => {
    const { code, stdout, stderr } = await splice(['check-sae', '--model', demo.model, '--sae', wrong], { home })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('published: L0 15.25 (its release), explained variance 0.884 (its release)')
    const lines = stdout.split('\n')
    expect(lines.filter(line => line.startsWith('now '))).toHaveLength(1)
    expect(lines.find(line => line.startsWith('now '))).toContain('blocks.2.hook_mlp_out')
    expect(lines.find(line => line.startsWith('->'))).toMatch(/blocks\.2\.hook_resid_post .* yes$/)
    expect(lines.filter(line => /^ {5}(blocks|ln_final)/.test(line)).length).toBeGreaterThan(25)
    expect(stdout).toContain('It fits at blocks.2.hook_resid_post:')
    expect(stdout).toContain(`With splice run: --sae ${demo.sae}@blocks.2.hook_resid_post`)
  })

  test('is content with an SAE where it belongs', async () => {
    const { code, stdout } = await splice(['check-sae', '--model', demo.model, '--sae', demo.sae], { home })
    expect(code).toBe(0)
    expect(stdout).toMatch(/It is as published \(L0 15\.3, explained variance 0\.884\)/)
    expect(stdout).not.toContain('With splice run')
  })

  test('takes ids and a reading, and says where the tokens are few', async () => {
    const args = ['--model', join(golden, 'models/gemma3-tiny'), '--ids', promptIds('gemma3-tiny', 'p0').join()]
    const sae = join(golden, 'saes/google/gemma-scope-2-1b-pt/resid_post/layer_1_width_72_l0_medium')
    const { code, stdout } = await splice(
      ['check-sae', ...args, '--sae', `${sae}@blocks.0.hook_mlp_out`, '--processing', 'fold_ln', '--json'],
      { home }
    )
    expect(code).toBe(0)
    const { isShort, verdict, tries, published } = saeCheck.parse(JSON.parse(stdout))
    expect({ isShort, verdict, published }).toMatchObject({
      ...{ isShort: true, published: { l0: { value: 7, from: 'file' }, explainedVariance: null } },
      verdict: { kind: 'other-fits', change: { hook: 'blocks.1.hook_resid_post' } }
    })
    expect(tries.some(({ hook, processing }) => hook === 'blocks.1.mlp.hook_in' && processing.join() === 'fold_ln')).toBe(true)
    const text = await splice(['check-sae', ...args, '--sae', sae], { home })
    expect(text.stdout).toContain('These are few tokens')
  })

  test('takes a norm factor, and names going back to the SAE’s own', async () => {
    const sae = join(golden, 'saes/fnlp/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L0R-8x')
    const args = [
      '--model',
      join(golden, 'models/llama-tiny'),
      '--sae',
      sae,
      '--ids',
      promptIds('llama-tiny', 'p0').join(),
      '--sae-norm-factor',
      '0.01'
    ]
    const { code, stdout } = await splice(['check-sae', ...args, '--json'], { home })
    expect(code).toBe(0)
    const { tries } = saeCheck.parse(JSON.parse(stdout))
    expect(new Set(tries.map(({ normFactor }) => normFactor))).toEqual(new Set([0.01, 1, expect.closeTo(0.19184, 4)]))
  })

  test.each([
    [['--sae', demo.sae], /--model/],
    [['--model', demo.model], /--sae/],
    [['--model', demo.model, '--sae', demo.sae, '--prompt', 'x', '--ids', '1'], /--ids/],
    [['--model', demo.model, '--sae', `${demo.sae}@blocks.9.hook_resid_post`], /blocks\.9\.hook_resid_post/],
    [
      ['--model', demo.model, '--sae', join(golden, 'saes/saelens6/gated')],
      /saelens6\/gated reads \d+ features, but no hook point of demo has as many/
    ],
    [['--model', demo.model, '--sae', demo.sae, '--sae-norm-factor', '0'], /--sae-norm-factor/],
    [['--model', demo.model, '--sae', demo.sae, '--sae-norm-factor', '2'], /normalisation factor/],
    [['--model', join(golden, 'models/gpt2-tiny'), '--sae', join(golden, 'saes/saelens6/gated')], /tokenizer\.json/]
  ])('refuses %j in one line', async (args, message) => {
    const { code, stdout, stderr } = await splice(['check-sae', ...args], { home })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trim()).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})
