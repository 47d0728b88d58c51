/** `splice patch`: the peers' log-probs of both prompts, grids and single cells, what is kept, and mistakes in one line. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { patchingResult, patchResult } from '../../src/contract/patching.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { golden, promptIds, readTensors, tensorOf } from '../golden.ts'

const home = temporaryFolder()
const grids = patchingResult.extend({ keptAs: z.string().nullable() })

async function printed(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await splice(['patch', ...args, '--json'], { home })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

describe('on a golden model', () => {
  const [base, source] = [promptIds('gpt2-tiny', 'p0'), promptIds('gpt2-tiny', 'p1')]
  const length = Math.min(base.length, source.length)
  const last = length - 1
  const pair = ['--ids', base.slice(0, length).join(), '--source-ids', source.slice(0, length).join()]
  const common = ['--model', join(golden, 'models', 'gpt2-tiny'), ...pair, '--target', '7', '--no-history']
  const logProb = (prompt: string) => {
    const { shape, values } = tensorOf(readTensors(join(golden, `runs/gpt2-tiny/${prompt}/processed.safetensors`)), 'output.log_probs')
    return values[last * (shape[2] ?? 0) + 7] ?? Number.NaN
  }

  test('the last residual stream where the quantity is makes the source of the base', async () => {
    const found = grids.parse(await printed(...common, '--site', 'resid_post', '--site', 'z'))
    expect(Math.abs(Number(found.base) - logProb('p0'))).toBeLessThanOrEqual(5e-4)
    expect(Math.abs(Number(found.source) - logProb('p1'))).toBeLessThanOrEqual(5e-4)
    const [stream, heads] = found.sites
    expect(stream).toMatchObject({ site: 'resid_post', head: null, axis: 'position' })
    expect(heads).toMatchObject({ site: 'z', head: null, axis: 'head' })
    expect(Math.abs(Number(stream?.effects.at(-1)?.[last]) - (logProb('p1') - logProb('p0')))).toBeLessThanOrEqual(1e-3)
    expect(Number(stream?.normalised?.at(-1)?.[last])).toBeCloseTo(1, 2)
    expect(heads?.effects.map(row => row.length)).toEqual(Array(found.layers).fill(found.heads))
  })

  test('one cell is that of the grid, with the predictions of all three', async () => {
    const found = grids.parse(await printed(...common, '--site', 'z:1'))
    const one = patchResult.parse(await printed(...common, '--site', 'z', '--cell', `1:${last}:1`, '--top-k', '3'))
    expect(Number(one.effect)).toBeCloseTo(Number(found.sites[0]?.effects[1]?.[last]), 4)
    expect(one.hook).toBe('blocks.1.attn.hook_z')
    expect([one.predictions.base, one.predictions.patched, one.predictions.source].map(tokens => tokens.length)).toEqual([3, 3, 3])
  })
})

describe('on the demo', () => {
  const ball = (name: string) => `${name} threw the ball to Jack. Jack threw the ball to Will. Will threw the ball back to`
  const args = ['--model', demo.model, '--prompt', ball('Anna'), '--source', ball('Mary'), '--target', ' Mary- Anna']

  test('the name is carried to the end by heads of the first layer, and the grids are kept with a run of the prompt', async () => {
    const { sites, base, source, keptAs } = grids.parse(await printed(...args, '--site', 'resid_pre', '--site', 'z'))
    const [stream, heads] = sites
    expect([Number(base) < -5, Number(source) > 5]).toEqual([true, true])
    // Before the first block the name is where it is written, behind it at the end.
    expect(Number(stream?.normalised?.[0]?.[1])).toBeCloseTo(1, 3)
    expect(Number(stream?.normalised?.[1]?.[1])).toBeLessThan(0.1)
    expect(Number(stream?.normalised?.[1]?.[20])).toBeGreaterThan(0.9)
    const strongest =
      heads?.effects
        .flat()
        .map(Number)
        .toSorted((a, b) => b - a) ?? []
    expect(
      heads?.effects[0]
        ?.map(Number)
        .toSorted((a, b) => b - a)
        .slice(0, 2)
    ).toEqual(strongest.slice(0, 2))
    const shown = await splice(['runs', 'show', keptAs ?? ''], { home })
    expect(shown.stdout).toMatch(/^ +1 +"Anna"/m)
  })

  test('tables name both runs, what differs and the cells', async () => {
    const { code, stdout } = await splice(['patch', ...args, '--site', 'attn_out', '--no-history'], { home })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^logit of " Mary" \(\d+\) minus " Anna" \(\d+\) after " to" at 20$/m)
    expect(stdout).toMatch(/^base -\d\.\d{3}, source \d\.\d{3}$/m)
    expect(stdout).toMatch(/^tokens that differ, base \/ source: 1 "Anna" \/ "Mary"$/m)
    expect(stdout).toMatch(/^attn_out .*20 " to"$/m)
    expect(stdout.match(/^layer \d( +[+-]?\d+\.\d{3}){8}$/gm)).toHaveLength(4)
    const one = await splice(['patch', ...args, '--site', 'resid_pre', '--cell', '1:20', '--top-k', '2'], { home })
    expect(one.stdout).toMatch(/^after 20 " to" +base +patched +source$/m)
    expect(one.stdout).toMatch(/^0 +" Anna" [\d.]+% +" Mary" [\d.]+% +" Mary" [\d.]+%$/m)
  })

  test.each([
    [
      ['--source', 'Mary threw the ball'],
      /^splice: --source: the prompt has 21 tokens and the source 5: from position 1 on .*"Anna" \(\d+\)/
    ],
    [['--site', 'z:9'], /^splice: --site: there is no head 9 in demo, which has 4\. The last one is 3\./],
    [['--site', 'resid'], /^splice: --site "resid" is unknown\. Choose one of resid_pre/],
    [['--cell', '9:1'], /^splice: --cell: there is no layer 9 in demo/],
    [['--cell', '1:1', '--from', '99'], /^splice: --from: there is no position 99 in a source of 21 tokens/],
    [['--cell', '1:1:2'], /resid_pre has no heads/],
    [['--from', '3'], /--from is of one cell/],
    [['--target', ' Mary@99'], /^splice: --target: there is no position 99/]
  ])('%j is refused with one line', async (more, message) => {
    const replaced = args.filter((_, at) => !more.includes(args[at - (at % 2)] ?? ''))
    const { code, stdout, stderr } = await splice(['patch', ...replaced, ...more, '--no-history'], { home })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })
})
