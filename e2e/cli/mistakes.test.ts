/** What a person can get wrong: exit code 2, one line on stderr that names it and says what to do, nothing on stdout. */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { runResult } from '../../src/contract/run.ts'
import { commands } from '../../src/main/cli/help.ts'
import { makeBrokenModels } from '../broken-models.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { golden } from '../golden.ts'

const home = temporaryFolder()
const broken = temporaryFolder()
const sharded = join(golden, 'models/gemma2-tiny')

beforeAll(() => {
  cpSync(demo.model, join(broken, 'no-tokenizer'), { recursive: true })
  rmSync(join(broken, 'no-tokenizer/tokenizer.json'))
  mkdirSync(join(broken, 'not-npz'))
  writeFileSync(join(broken, 'not-npz/params.npz'), 'not an archive')
})

/** Runs a command that has to fail as a mistake; gives its one line. */
async function mistakeOf(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await splice(args, { home })
  expect({ stderr, code, stdout }).toMatchObject({ code: 2, stdout: '' })
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  return stderr.trimEnd()
}

const runDemo = ['run', '--model', demo.model] as const
const prompt = ['--prompt', 'Once upon a time'] as const

describe('files', () => {
  const model = (name: string) => ['run', '--model', join(broken, name), ...prompt]

  test.each(Object.entries(makeBrokenModels(broken)))('a model folder: %s', async (name, named) => {
    expect(await mistakeOf(model(name))).toMatch(named)
  })
  test('a folder that is not there', async () => {
    expect(await mistakeOf(model('gone'))).toContain(join(broken, 'gone'))
  })
  test('a text prompt for a model without a tokenizer', async () => {
    expect(await mistakeOf(model('no-tokenizer'))).toMatch(/tokenizer|--ids/)
  })
  test('an npz whose shapes do not fit the model', async () => {
    const line = await mistakeOf(['run', '--model', sharded, '--ids', '2,5', '--sae', `${demo.sae}@blocks.1.hook_resid_post`])
    expect(line).toContain('128')
    expect(line).toContain('32')
  })
  test('an npz that is none', async () => {
    expect(await mistakeOf([...runDemo, ...prompt, '--sae', `${join(broken, 'not-npz')}@blocks.1.hook_resid_post`])).toContain('params.npz')
  })
  test('npz files with contradictory shapes', async () => {
    for (const name of ['gemma_scope_threshold_length', 'gemma_scope_w_dec_other_width']) {
      const sae = `${join(golden, 'hostile/sae_mismatch', name)}@blocks.1.hook_resid_post`
      expect(await mistakeOf(['run', '--model', sharded, '--ids', '2,5', '--sae', sae])).toContain('params.npz')
    }
  })
  test('an SAE of a layer that the model does not have', async () => {
    const sae = join(golden, 'hostile/sae_mismatch/layer_99/width_16k/average_l0_10')
    expect(await mistakeOf(['run', '--model', sharded, '--ids', '2,5', '--sae', sae])).toMatch(/99/)
  })
  test.each([
    'config_dim_mismatch',
    'config_absurd_dims',
    'config_head_indivisible',
    'index_path_traversal',
    'index_absolute_path',
    'tensor_missing'
  ])('the checkpoint %s', async name => {
    await mistakeOf(['run', '--model', join(golden, 'hostile/checkpoints', name), '--ids', '2,5'])
  })
  test('a folder to save in that is not there', async () => {
    const file = join(broken, 'gone/out.safetensors')
    expect(await mistakeOf([...runDemo, ...prompt, '--save', file])).toContain(file)
    expect(existsSync(join(broken, 'gone'))).toBe(false)
  })
})

describe('hook points', () => {
  test('a hook point that does not exist', async () => {
    expect(await mistakeOf([...runDemo, ...prompt, '--sae', `${demo.sae}@blocks.9.hook_resid_post`])).toContain('blocks.9.hook_resid_post')
    const file = join(broken, 'hooks.safetensors')
    expect(await mistakeOf([...runDemo, ...prompt, '--save', file, '--hooks', 'blocks.0.hook_nothing'])).toContain('blocks.0.hook_nothing')
    expect(existsSync(file)).toBe(false)
  })
  test('two SAEs of one hook point under spliced: the line points to --variant', async () => {
    expect(await mistakeOf([...runDemo, ...prompt, '--sae', demo.sae, '--sae', demo.roughSae])).toContain('--variant sae1=sae1')
    expect(await mistakeOf([...runDemo, ...prompt, '--sae', demo.sae, '--sae', demo.roughSae, '--variant', 'both=sae1,sae2'])).toMatch(
      /both/
    )
  })
  test('two SAEs of one hook point, each in a variant of its own, work', async () => {
    const variants = ['--variant', 'fine=sae1', '--variant', 'rough=sae2']
    const outcome = await splice([...runDemo, ...prompt, '--sae', demo.sae, '--sae', demo.roughSae, ...variants, '--json'], { home })
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(runResult.parse(JSON.parse(outcome.stdout)).comparison.map(other => other.variant)).toEqual(['fine', 'rough'])
  })
})

describe('prompts', () => {
  test('token ids out of range', async () => {
    expect(await mistakeOf([...runDemo, '--ids', '2,2048'])).toContain('2048')
    expect(await mistakeOf([...runDemo, '--ids=-1'])).toContain('-1')
  })
  test('an empty prompt', async () => {
    expect(await mistakeOf([...runDemo, '--prompt', '', '--no-bos'])).toMatch(/empty/i)
    expect(await mistakeOf([...runDemo, '--ids', ''])).toMatch(/empty/i)
  })
  test("a prompt longer than the model's context", async () => {
    expect(await mistakeOf([...runDemo, '--ids', Array.from({ length: 513 }, () => 2).join(',')])).toMatch(/513.*512/)
  })
  test('a prompt of one token works', async () => {
    const { code, stderr } = await splice([...runDemo, '--ids', '2', '--json'], { home })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
})

describe('options', () => {
  test.each([
    [[], 'No command is given'],
    [['frob'], '"frob"'],
    [['run'], '--model'],
    [['run', '--modle', 'x'], '--modle'],
    [[...runDemo], '--prompt'],
    [[...runDemo, '--prompt', 'a', '--ids', '2'], '--ids'],
    [[...runDemo, '--prompt', 'a', '--provider', 'tpu'], '--provider'],
    [[...runDemo, '--prompt', 'a', '--hooks', 'blocks.0.hook_nothing'], 'blocks.0.hook_nothing'],
    [[...runDemo, '--prompt', 'a', '--sae', '/gone'], '/gone'],
    [[...runDemo, '--prompt', 'a', 'more'], 'more'],
    [[...runDemo, '--prompt', 'a', '--sae', demo.sae, '--sae-norm-factor', 'sae1=2'], 'normalize_activations is none'],
    [['inspect'], 'PATH'],
    [['inspect', '/gone'], '/gone'],
    [['inspect', demo.model, 'more'], 'more'],
    [['inspect', demo.explanations], 'neither a model nor an SAE'],
    [['search'], 'QUERY'],
    [['search', ''], 'QUERY'],
    [['search', 'a', '--mode', 'guess'], '--mode'],
    [['search', 'a', '--limit', '0'], '--limit'],
    [['search', 'a', '--db', '/gone.sqlite'], '/gone.sqlite'],
    [['import'], 'PATH'],
    [['import', '/gone.json'], '/gone.json'],
    [['serve', '--port', 'x'], '--port'],
    [['serve', 'here'], 'here'],
    [['serve', '--only', 'nowhere-at-all'], 'nowhere-at-all'],
    [['library', 'here'], 'here'],
    [['download'], 'REPO']
  ])('%j', async (args, named) => {
    expect(await mistakeOf(args)).toContain(named)
  })

  test('help and version exit with 0 and say so on stdout', async () => {
    for (const args of [['--help'], ['--version'], ...commands.map(command => [command, '--help'])]) {
      const { code, stdout, stderr } = await splice(args, { home })
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' })
      expect(stdout).toMatch(args[0] === '--version' ? /^\d+\.\d+\.\d+\n$/ : /splice/)
    }
  })
})
