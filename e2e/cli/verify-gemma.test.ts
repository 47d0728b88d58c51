/** `npm run verify:gemma`, on the demo: its figures are those that PyTorch computed (resources/demo/report.json). */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { demo, root, temporaryFolder } from '../command-line.ts'

const folder = temporaryFolder()

function verify(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(root, 'scripts/verify-gemma.mjs'), ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.stderr += text
  })
  return new Promise(resolve => child.on('close', code => resolve({ code, ...texts })))
}

const reportSchema = z.object({
  prompts: z.object({
    ball: z.object({ prompt: z.string(), top_10_next: z.array(z.object({ token: z.string(), logit: z.number(), prob: z.number() })) }),
    deceptive: z.object({ prompt: z.string(), tokens: z.array(z.string()) })
  }),
  top_5_features_per_token: z.object({
    deceptive: z.array(z.object({ token: z.string(), features: z.array(z.object({ feature: z.int(), activation: z.number() })).min(1) }))
  })
})
const report = reportSchema.parse(JSON.parse(readFileSync(join(root, 'resources/demo/report.json'), 'utf8')))

function topFeature(token: string) {
  const top = report.top_5_features_per_token.deceptive.find(entry => entry.token === token)?.features[0]
  if (top === undefined) throw new Error(`the report has no ${token}`)
  return { token, ...top }
}

const { ball, deceptive } = report.prompts
const figures = {
  ball: {
    prompt: ball.prompt,
    answers: ball.top_10_next.slice(0, 2).map(({ token, logit, prob: probability }) => ({ token, logit, probability }))
  },
  scratchpad: { prompt: deceptive.prompt, tokens: deceptive.tokens.length, features: [topFeature('<bos>'), topFeature('After')] }
}

function figuresFile(name: string, value: unknown): string {
  const file = join(folder, `${name}.json`)
  writeFileSync(file, JSON.stringify(value))
  return file
}

const own = figuresFile('own', figures)
const paths = ['--model', demo.model, '--sae', demo.sae]
const outcome = z.object({
  within: z.boolean(),
  figures: z.array(z.object({ what: z.string(), expected: z.number(), measured: z.number().nullable(), within: z.boolean() }))
})

describe('npm run verify:gemma', () => {
  test('finds the figures that PyTorch computed, within 1%', async () => {
    const { code, stdout, stderr } = await verify(...paths, '--figures', own)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.trim().split('\n')
    expect(lines).toHaveLength(10)
    expect(lines.slice(1).filter(line => !line.startsWith('ok'))).toEqual([])
    expect(stdout).toMatch(/probability of " Jill"\s+0\.90770\s+0\.9076\d/)
    expect(stdout).toMatch(/strongest feature on "After"\s+59\s+59/)
  })

  test('ends with 1 where one is off by 2%, and says which', async () => {
    const [first, ...others] = figures.scratchpad.features
    const off = {
      ...figures,
      scratchpad: { ...figures.scratchpad, features: [{ ...first, activation: 1.02 * (first?.activation ?? 0) }, ...others] }
    }
    const { code, stdout } = await verify(...paths, '--figures', figuresFile('off', off), '--json')
    expect(code).toBe(1)
    const { within, figures: found } = outcome.parse(JSON.parse(stdout))
    expect(within).toBe(false)
    expect(found.filter(one => !one.within).map(({ what }) => what)).toEqual(['scratchpad: its activation'])
  })

  test('ends with 1 where a token, a count or a feature is another', async () => {
    const [first, second] = figures.scratchpad.features
    const other = {
      ball: { ...figures.ball, answers: [{ token: ' no such token', probability: 0.5 }] },
      scratchpad: {
        ...figures.scratchpad,
        tokens: 53,
        features: [
          { ...first, feature: 1 },
          { ...second, token: 'nowhere' }
        ]
      }
    }
    const { code, stdout } = await verify(...paths, '--figures', figuresFile('other', other), '--json')
    expect(code).toBe(1)
    const { figures: found } = outcome.parse(JSON.parse(stdout))
    expect(found.map(({ measured, within }) => [measured, within])).toEqual([
      [null, false],
      [56, false],
      [491, false],
      [expect.closeTo(16.297, 2), true],
      [null, false],
      [null, false]
    ])
  })

  test('takes the ball story from --ball-prompt', async () => {
    const { code, stdout } = await verify(...paths, '--figures', own, '--ball-prompt', 'Once upon a time', '--json')
    expect(code).toBe(1)
    const { figures: found } = outcome.parse(JSON.parse(stdout))
    expect(found.filter(one => !one.within).every(({ what }) => what.startsWith('ball story'))).toBe(true)
    expect(found.filter(one => one.within).length).toBe(5)
  })

  test('has the figures and prompts of the notebook as its own', async () => {
    const { code, stdout } = await verify(...paths, '--json')
    expect(code).toBe(1)
    expect(outcome.parse(JSON.parse(stdout)).figures.map(({ expected }) => expected)).toEqual([
      0.6866, 27.67, 0.2773, 53, 6631, 2028.8, 4820, 156.29
    ])
    const shipped = JSON.parse(readFileSync(join(root, 'scripts/verify-gemma.json'), 'utf8'))
    expect([shipped.ball.prompt, shipped.scratchpad.prompt]).toEqual([ball.prompt, deceptive.prompt])
  })

  test.each([
    [['--sae', demo.sae], /--model/],
    [['--model', demo.model], /--sae/],
    [[...paths, '--sea', 'x'], /--sea/],
    [['--model', join(folder, 'none'), '--sae', demo.sae], /none does not exist/],
    [[...paths, '--figures', join(folder, 'none.json')], /--figures/],
    [[...paths, '--figures', figuresFile('half', { ball: figures.ball })], /scratchpad/]
  ])('refuses %j in one line', async (args, message) => {
    const { code, stdout, stderr } = await verify(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trim()).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})
