/** `splice hooks`: names and shapes against the peers' caches, without running anything. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type HookPoints, hookPoints } from '../../src/contract/hooks.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { golden, promptIds, readTensors } from '../golden.ts'

const home = temporaryFolder()
const model = join(golden, 'models/gemma2-tiny')
const sae = join(golden, 'saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13')

async function hooksOf(args: readonly string[]): Promise<HookPoints> {
  const outcome = await splice(['hooks', ...args, '--json'], { home })
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  expect(outcome.stdout.trimEnd()).not.toContain('\n')
  return hookPoints.parse(JSON.parse(outcome.stdout))
}

/** A symbolic shape for a prompt of so many tokens; `4*pos` is four times that. */
function sized(shape: readonly (number | string)[], tokens: number): number[] {
  return shape.map(size => (typeof size === 'string' ? tokens * Number(/^(\d+)\*/.exec(size)?.[1] ?? 1) : size))
}

describe('splice hooks', () => {
  const models = readdirSync(join(golden, 'models'))
  test.each(models)('lists what TransformerLens caches of %s, in its order, with its shapes', async id => {
    const { points, model: listed } = await hooksOf(['--model', join(golden, 'models', id)])
    const recorded = z
      .object({ variants: z.record(z.string(), z.object({ cache_order: z.array(z.string()).optional() })) })
      .parse(JSON.parse(readFileSync(join(golden, 'runs', id, 'p1.json'), 'utf8')))
    expect(listed.name).toBe(id)
    expect(points.map(point => point.name)).toEqual(recorded.variants.no_processing?.cache_order)
    const cache = readTensors(join(golden, 'runs', id, 'p1/no_processing.safetensors'))
    const tokens = promptIds(id, 'p1').length
    for (const { name, shape, sae: of, replacedBy } of points) {
      expect(sized(shape, tokens), name).toEqual(cache.get(name)?.shape)
      expect([of, replacedBy]).toEqual([null, []])
    }
    expect(points.find(point => point.name === 'blocks.0.attn.hook_pattern')?.shape).toContain('query')
  })

  test('a transcoder reads one hook point and replaces another', async () => {
    const transcoder = join(golden, 'saes/saelens6/transcoder')
    const { points, saes } = await hooksOf(['--model', join(golden, 'models/gpt2-tiny'), '--sae', `t=${transcoder}`])
    expect(saes).toMatchObject([{ hook: 'blocks.0.ln2.hook_normalized', target: 'blocks.0.hook_mlp_out' }])
    expect(points.filter(point => point.replacedBy.length > 0).map(point => point.name)).toEqual(['blocks.0.hook_mlp_out'])
    expect(points.filter(point => point.sae === 't' && point.errorTermOnly).map(point => point.name)).toEqual(['transcoder.error'])
  })

  test("an SAE brings its own hook points and marks the one it replaces; every block has the MLP's input", async () => {
    const { points, saes } = await hooksOf(['--model', model, '--sae', `res=${sae}`])
    expect(saes).toMatchObject([{ name: 'res', hook: 'blocks.1.hook_resid_post' }])
    expect(points.filter(point => point.replacedBy.length > 0)).toMatchObject([
      { name: 'blocks.1.hook_resid_post', sae: null, replacedBy: ['res'] }
    ])
    const own = points.filter(point => point.sae === 'res')
    const tokens = promptIds('gemma2-tiny', 'p0').length
    const folder = join(golden, 'sae_runs/gemma2-tiny.gemma_scope_res_l1/no_processing')
    const cached = new Map([...readTensors(join(folder, 'p0__error_term.safetensors')), ...readTensors(join(folder, 'p0.safetensors'))])
    expect(own.map(point => point.name).sort()).toEqual([...cached.keys()].filter(name => !name.startsWith('output.')).sort())
    for (const { name, shape } of own) expect(sized(shape, tokens), name).toEqual(cached.get(name)?.shape)
    expect(own.filter(point => point.errorTermOnly).map(point => point.name)).toEqual(['blocks.1.hook_resid_post.hook_sae_error'])
    expect(points.filter(point => point.name.endsWith('mlp.hook_in'))).toHaveLength(4)
  })

  test('two SAEs of one hook point are both listed', async () => {
    const { points } = await hooksOf(['--model', demo.model, '--sae', `fine=${demo.sae}`, '--sae', `rough=${demo.roughSae}`])
    expect(points.find(point => point.name === 'blocks.2.hook_resid_post')?.replacedBy).toEqual(['fine', 'rough'])
    expect(points.filter(point => point.name.endsWith('hook_sae_acts_post')).map(point => point.sae)).toEqual(['fine', 'rough'])
  })

  test('prints a line each for people', async () => {
    const { code, stdout, stderr } = await splice(['hooks', '--model', demo.model, '--sae', `${demo.sae}@blocks.1.hook_resid_post`], {
      home
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^demo {2}4 layers {2}\d+ hook points, 6 of them of SAEs\nsae1 = .* at blocks\.1\.hook_resid_post\n/)
    expect(stdout).toMatch(/^blocks\.0\.attn\.hook_pattern +\[1, 4, query, key\]$/m)
    expect(stdout).toMatch(/^blocks\.1\.hook_resid_post +\[1, pos, 128\] +replaced where sae1 is spliced$/m)
    expect(stdout).toMatch(/^blocks\.1\.hook_resid_post\.hook_sae_error +\[1, pos, 128\] +sae1, with the error term alone$/m)
  })

  test.each([
    [[], '--model'],
    [['--model', '/nowhere'], '/nowhere'],
    [['--model', demo.model, '--sae', '/nowhere'], '/nowhere'],
    [['--model', demo.model, '--sae', `${demo.sae}@blocks.9.hook_resid_post`], 'blocks.9.hook_resid_post'],
    [['--model', demo.model, '--sae', `${demo.sae}@blocks.1.attn.hook_pattern`], 'blocks.1.attn.hook_pattern'],
    [['--model', model, '--sae', `${demo.sae}@blocks.1.hook_resid_post`], '128'],
    [['--model', demo.model, '--prompt', 'x'], '--prompt'],
    [['--model', demo.model, 'x'], 'x']
  ])('%j is a mistake of one line', async (args, named) => {
    const { code, stdout, stderr } = await splice(['hooks', ...args], { home })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toContain(named)
  })
})
