/**
 * Every file that is made to hurt, through `splice inspect`, and where it can be run, through `splice run`: refused with one line
 * or accepted, nothing written, nothing executed.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { inspection } from '../../src/contract/inspection.ts'
import { runResult } from '../../src/contract/run.ts'
import { type Outcome, root, splice, temporaryFolder } from '../command-line.ts'
import { golden, promptIds } from '../golden.ts'

const home = temporaryFolder()
const here = temporaryFolder()
const hostile = join(golden, 'hostile')
const cases = z
  .array(z.object({ path: z.string(), expect: z.string(), stage: z.enum(['load', 'attach']).optional(), attach_to: z.string().optional() }))
  .parse(JSON.parse(readFileSync(join(hostile, 'hostile.json'), 'utf8')))

/** What a careful loader does, by the words of hostile.json. A sentence that nobody has thought about fails. */
function wantedOf(sentence: string): 'accept' | 'reject' | 'either' {
  if (sentence === 'accept' || sentence === 'reject') return sentence
  expect(sentence).toMatch(/^(accept|reject).*( or |, or |at attach)/)
  return 'either'
}

function expectRefusal({ code, stdout, stderr }: Outcome): void {
  expect({ code, stdout, stderr }).toMatchObject({ code: 2, stdout: '' })
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(stderr).toMatch(/^splice: .+/)
}

/** Names and times of everything in a folder that tests must not change. */
function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => `${name} ${statSync(join(folder, name)).mtimeMs}`)
    .sort()
}

let before: string[] = []
beforeAll(() => {
  before = contents(golden)
})
afterAll(() => {
  expect(contents(golden)).toEqual(before)
  expect(readdirSync(here)).toEqual([])
  for (const folder of [root, tmpdir(), home]) expect(readdirSync(folder).filter(name => name.includes('PWNED'))).toEqual([])
})

describe.concurrent('splice inspect', () => {
  test.each(cases)('$path: $expect', async ({ path, expect: sentence }) => {
    const wanted = wantedOf(sentence)
    const outcome = await splice(['inspect', join(hostile, path), '--json'], { home, cwd: here })
    if (outcome.code !== 0 || wanted === 'reject') {
      expectRefusal(outcome)
      expect(wanted).not.toBe('accept')
      return
    }
    expect(outcome.stderr).toBe('')
    expect(inspection.parse(JSON.parse(outcome.stdout)).tensors.length).toBeGreaterThan(0)
  })
})

/** A run with the model that an SAE is made for, or with a small model where it is made for none. */
function runWith(sae: string, model: string): Promise<Outcome> {
  const ids = promptIds(model, 'p1').join(',')
  return splice(['run', '--model', join(golden, 'models', model), '--sae', sae, '--ids', ids, '--json'], { home, cwd: here })
}

describe.concurrent('splice run', () => {
  const saes = cases.filter(({ path }) => path.startsWith('sae_mismatch/'))
  test.each(saes)('with the SAE $path: $expect', async ({ path, expect: sentence, attach_to: model = 'gpt2-tiny' }) => {
    const outcome = await runWith(join(hostile, path), model)
    if (sentence !== 'accept') return expectRefusal(outcome)
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    const spliced = runResult.parse(JSON.parse(outcome.stdout)).comparison.find(({ variant }) => variant === 'spliced')
    expect(Number(spliced?.meanKl)).toBeGreaterThan(0)
  })

  const models = cases.filter(({ path }) => path.startsWith('checkpoints/'))
  test.each(models)('the model $path: $expect', async ({ path, expect: sentence }) => {
    const outcome = await splice(['run', '--model', join(hostile, path), '--ids', '1,3,4,5', '--json'], { home, cwd: here })
    if (outcome.code !== 0) return expectRefusal(outcome)
    expect(sentence).toBe('accept or reject, but visibly')
    expect(runResult.parse(JSON.parse(outcome.stdout)).warnings.join()).toMatch(/not numbers/)
  })
})
