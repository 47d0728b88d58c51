/** Whole evaluations: in any batches the same numbers, taken up again after any pass, refused where they are another's. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { EvaluationProgress, EvaluationResult } from '../../contract/evaluation.ts'
import { passesOf, type Window, windowsOf } from '../corpus/passes.ts'
import type { Sequence } from '../corpus/sequences.ts'
import { type EvaluationHooks, evaluateHere } from '../engine/evaluation-fixture.ts'
import { golden } from '../inference/golden/golden-data.ts'
import { membersOf, saeCase } from '../inference/golden/sae-cases.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-test-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

/** Sequences of many lengths that begin with `bos`, the same each time. */
function sequencesOf(bos: number, count: number, longest: number, vocabulary = 90): number[][] {
  let state = 5
  const draw = (below: number) => {
    state = (state * 48271) % 2147483647
    return state % below
  }
  return Array.from({ length: count }, () => [bos, ...Array.from({ length: draw(longest) }, () => 3 + draw(vocabulary - 3))])
}

async function idFile(name: string, sequences: readonly (readonly number[])[]): Promise<string> {
  const file = path.join(folder, name)
  await fs.writeFile(file, JSON.stringify(sequences))
  return file
}

function requestOf(sae: string, file: string): Record<string, unknown> {
  const entry = saeCase(sae)
  const [member] = membersOf(entry)
  return { model: golden('models', entry.model), sae: member, corpus: { kind: 'ids', file }, provider: 'cpu' }
}

/** Everything in a result that is a number or a list of them, by its path. */
function numbersIn(value: unknown, name = ''): [string, number][] {
  if (typeof value === 'number') return [[name, value]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => numbersIn(inner, `${name}.${key}`))
}

function expectSameNumbers(actual: EvaluationResult, expected: EvaluationResult): void {
  const ours = new Map(numbersIn({ ...actual, seconds: null }))
  const theirs = numbersIn({ ...expected, seconds: null })
  expect([...ours.keys()]).toEqual(theirs.map(([name]) => name))
  for (const [name, value] of theirs) {
    const difference = Math.abs((ours.get(name) ?? Number.NaN) - value)
    expect(difference, `${name}: ${ours.get(name)} for ${value}`).toBeLessThanOrEqual(2e-5 * Math.max(1, Math.abs(value)))
  }
}

describe('passes', () => {
  test('are full, hold every sequence once, and pad little', () => {
    const lengths = [100, 3, 98, 97, 4, 100, 2]
    const passes = passesOf(lengths, { batchTokens: 200 })
    expect(passes).toEqual([
      { places: [0, 5], length: 100 },
      { places: [2, 3], length: 98 },
      { places: [4, 1, 6], length: 4 }
    ])
    expect(passesOf([500], { batchTokens: 200 })).toEqual([{ places: [0], length: 500 }])
  })

  test('are of windows that hold whole batches of SAELens and at least one pass', async () => {
    const cursor = (offset: number) => ({ offset, line: 1, piece: 0, token: 0 })
    async function* sequences(): AsyncGenerator<Sequence, void> {
      for (let at = 0; at < 7; at++) yield { ids: [1, 2, 3], leftOut: 0, next: cursor(at + 1), readTo: at + 1 }
    }
    const windows: Window[] = []
    for await (const window of windowsOf(sequences(), cursor(0), { batchTokens: 7, saelensBatch: 2 })) windows.push(window)
    expect(windows.map(({ sequences: held, start, next }) => [held.length, start.offset, next.offset])).toEqual([
      [4, 0, 4],
      [3, 4, 7]
    ])
  })
})

describe('in any batches the numbers are the same', () => {
  const cases: readonly [string, number][] = [
    ['gemma2-tiny.gemma_scope_res_l1', 2],
    ['gemma2-tiny.gemma_scope_att_l0', 2],
    ['gemma2-tiny.gemma_scope_transcoder_l1', 2],
    ['gpt2-tiny.norm_layer_norm', 119],
    ['gpt2-tiny.skip_transcoder', 119],
    ['pythia-tiny.dictlearn_gated_l1', 0],
    ['qwen3-tiny.mwhanna_transcoder_l1', 99],
    ['gemma3-tiny.gemma_scope_2_attn_out_l1', 2],
    ['llama3-rope-tiny.goodfire_l0', 1]
  ]
  test.each(cases)('%s', async (sae, bos) => {
    const file = await idFile(`${sae}.json`, sequencesOf(bos, 11, 30))
    const request = { ...requestOf(sae, file), featureDensity: true, saelensBatch: 4, processing: 'none' }
    const jobs: { rows: number; sequences: number }[] = []
    const beforePass: EvaluationHooks['beforePass'] = ({ ids, length, rows }) => {
      jobs.push({ rows: rows.length, sequences: ids.length / length })
    }
    const oneByOne = await evaluateHere({ ...request, batchTokens: 1 }, { beforePass })
    expect(jobs.map(({ sequences }) => sequences)).toEqual(Array.from({ length: 11 }, () => 1))
    for (const batchTokens of [64, 4096]) {
      jobs.length = 0
      const batched = await evaluateHere({ ...request, batchTokens }, { beforePass })
      expect(Math.max(...jobs.map(({ sequences }) => sequences))).toBeGreaterThan(1)
      expectSameNumbers(batched, oneByOne)
    }
    const inStages = await evaluateHere({ ...request, batchTokens: 64 }, { budget: { parameters: 1000, rows: 3 } })
    expectSameNumbers(inStages, oneByOne)
  })

  test('and each way of running is a row once', async () => {
    const file = await idFile('rows.json', [[2, 5, 6, 7]])
    const rowsOf = async (sae: string, more: Record<string, unknown>) => {
      const rows: string[] = []
      const beforePass: EvaluationHooks['beforePass'] = job => {
        rows.push(...job.rows.map(({ zero, mask }) => `${zero ? 'zero' : 'output'} ${mask.join('')}`))
      }
      await evaluateHere({ ...requestOf(sae, file), ...more }, { beforePass })
      return rows
    }
    const all = ['output 0000', 'output 1111', 'zero 1111']
    expect(await rowsOf('gemma2-tiny.gemma_scope_res_l1', {})).toEqual([...all, 'output 0111'])
    expect(await rowsOf('gemma2-tiny.gemma_scope_res_l1', { specialIds: [] })).toEqual(all)
    // SAELens's hooks at heads take no mask.
    expect(await rowsOf('gemma2-tiny.gemma_scope_att_l0', {})).toEqual(all)
    expect(await rowsOf('gemma2-tiny.gemma_scope_res_l1', { positions: [[2, 3]] })).toEqual([
      'output 0000',
      'output 0010',
      'zero 0010',
      'output 1111',
      'output 0111',
      'zero 1111'
    ])
  })
})

describe('the textbook numbers', () => {
  test('leave special tokens out unless they are asked for', async () => {
    const file = await idFile('special.json', [
      [2, 5, 6, 1, 7, 8],
      [2, 9]
    ])
    const request = requestOf('gemma2-tiny.gemma_scope_res_l1', file)
    const without = await evaluateHere(request)
    expect([without.tokens, without.positions, without.predictions, without.specialIds]).toEqual([8, 5, 2, [0, 1, 2]])
    expect(without.l0).toBeCloseTo(Number(without.saelens.exclude_special_tokens.l0), 9)
    const withThem = await evaluateHere({ ...request, countSpecial: true })
    expect([withThem.tokens, withThem.positions, withThem.predictions]).toEqual([8, 8, 6])
    expect(withThem.l0).toBeCloseTo(Number(withThem.saelens.all_tokens.l0), 9)
    expect(withThem.saelens).toEqual(without.saelens)
  })

  test('splice and ablate where they are told to', async () => {
    const file = await idFile('positions.json', [[2, 5, 6, 7, 8, 9]])
    const request = { ...requestOf('gemma2-tiny.gemma_scope_res_l1', file), countSpecial: true }
    const nowhere = await evaluateHere({ ...request, positions: [] })
    expect([nowhere.ceSpliced, nowhere.ceZeroAblated]).toEqual([nowhere.ceClean, nowhere.ceClean])
    expect([nowhere.ceScore, nowhere.klDivergence]).toEqual([null, 0])
    const spared = await evaluateHere({ ...request, positions: 'no-special' })
    expect(spared.klDivergence).not.toBeCloseTo(Number(spared.saelens.all_tokens.kl_div_with_sae), 3)
    expect(spared.saelens).toEqual(nowhere.saelens)
  })
})

describe('what cannot be evaluated is refused by name', () => {
  const refusal = async (more: Record<string, unknown>) =>
    evaluateHere({
      ...requestOf(
        'gemma2-tiny.gemma_scope_res_l1',
        await idFile('few.json', [
          [2, 5],
          [2, 500]
        ])
      ),
      ...more
    }).then(
      () => 'nothing',
      error => `${error.kind}: ${error.message}`
    )
  test('ids, contexts, files, texts without a tokenizer', async () => {
    expect(await refusal({})).toMatch(/^evaluation\/token-id: token id 500 in sequence 2 of .*few\.json is not in the vocabulary/)
    expect(await refusal({ context: 100 })).toMatch(/^evaluation\/context: sequences of 100 tokens are asked for/)
    const gone = path.join(folder, 'gone.json')
    expect(await refusal({ corpus: { kind: 'ids', file: gone } })).toBe(`file/unreadable: ${gone} does not exist`)
    expect(await refusal({ corpus: { kind: 'ids', file: folder } })).toBe(`file/unreadable: ${folder} is not a file`)
    const text = path.join(folder, 'text.txt')
    await fs.writeFile(text, 'hello')
    expect(await refusal({ corpus: { kind: 'text', file: text } })).toMatch(/^tokenizer\/missing/)
  })

  test('longer ids are cut to the context, and the result says so', async () => {
    const file = await idFile('long.json', [Array.from({ length: 30 }, (_, at) => 3 + at)])
    const result = await evaluateHere({ ...requestOf('gemma2-tiny.gemma_scope_res_l1', file), context: 20 })
    expect([result.tokens, result.idsLeftOut, result.context]).toEqual([20, 10, 20])
    expect(result.warnings).toEqual(['10 ids of sequences over 20 tokens were left out'])
  })
})

test('progress ends with everything done, and says what it knows', async () => {
  const file = await idFile('progress.json', sequencesOf(2, 40, 12))
  const seen: EvaluationProgress[] = []
  const request = { ...requestOf('gemma2-tiny.gemma_scope_res_l1', file), batchTokens: 16, saelensBatch: 1 }
  const { tokens } = await evaluateHere(request, { onProgress: progress => seen.push(progress) })
  expect(seen[0]).toMatchObject({ stage: 'opening', tokens: 0, fraction: 0 })
  expect(seen.at(-1)).toMatchObject({ stage: 'running', tokens, totalTokens: tokens, totalIsExact: true, fraction: 1, secondsLeft: 0 })
  expect(seen.map(progress => progress.tokens)).toEqual(seen.map(progress => progress.tokens).sort((a, b) => a - b))
})

describe('with a state file', () => {
  const state = path.join(folder, 'state')
  beforeEach(() => fs.rm(state, { force: true }))
  const corpus = idFile('resume.json', sequencesOf(2, 14, 20))
  const lost = new Error('the process is gone')

  async function requestWithState(more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const file = await corpus
    const small = { batchTokens: 32, saelensBatch: 4, featureDensity: true }
    return { ...requestOf('gemma2-tiny.gemma_scope_res_l1', file), ...small, resume: { file: state }, ...more }
  }

  /** Runs until `passes` passes have begun; gives how many have. */
  async function runUntil(request: Record<string, unknown>, passes: number): Promise<number> {
    let begun = 0
    const beforePass = () => {
      begun += 1
      if (begun > passes) throw lost
    }
    await expect(evaluateHere(request, { beforePass })).rejects.toBe(lost)
    return begun
  }

  async function countPasses(request: Record<string, unknown>): Promise<{ result: EvaluationResult; passes: number }> {
    let passes = 0
    const result = await evaluateHere(request, {
      beforePass() {
        passes += 1
      }
    })
    return { result: { ...result, seconds: 0 }, passes }
  }

  test('it goes on after any pass, and loses none that is done', async () => {
    const whole = await countPasses(await requestWithState({ resume: undefined }))
    expect(whole.passes).toBeGreaterThan(6)
    const request = await requestWithState()
    for (let done = 0; done < whole.passes; done++) {
      await fs.rm(state, { force: true })
      await runUntil(request, done)
      const rest = await countPasses(request)
      expect(rest.result, `after ${done} passes`).toEqual(whole.result)
      expect(rest.passes).toBe(whole.passes - done)
    }
    expect(await countPasses(request), 'once more').toEqual({ result: whole.result, passes: 0 })
    expect((await fs.readdir(folder)).filter(name => name.startsWith('state'))).toEqual(['state'])
  })

  test('a record that was cut short counts as not there', async () => {
    const request = await requestWithState()
    const whole = await countPasses(await requestWithState({ resume: undefined }))
    await runUntil(request, 2)
    const bytes = await fs.readFile(state)
    for (const missing of [1, 9, 500]) {
      await fs.writeFile(state, bytes.subarray(0, bytes.length - missing))
      await fs.writeFile(`${state}.999999.part`, 'left by a process that was killed')
      const rest = await countPasses(request)
      expect(rest).toEqual({ result: whole.result, passes: whole.passes - 1 })
      // What is done behind it counts when the next kill comes.
      await fs.writeFile(state, bytes.subarray(0, bytes.length - missing))
      await runUntil(request, 1)
      expect(await countPasses(request)).toEqual({ result: whole.result, passes: whole.passes - 2 })
    }
    expect((await fs.readdir(folder)).filter(name => name.startsWith('state'))).toEqual(['state'])
  })

  test('another evaluation is refused, saying what differs', async () => {
    await runUntil(await requestWithState(), 2)
    const before = await fs.readFile(state)
    const refusal = async (more: Record<string, unknown>) =>
      evaluateHere(await requestWithState(more)).then(
        () => 'nothing',
        error => `${error.kind}: ${error.message.replace(`${state} belongs to another evaluation: `, '')}`
      )
    expect(await refusal({ context: 12 })).toBe('evaluation/other-state: the context was 64, and now is 12')
    expect(await refusal({ batchTokens: 33 })).toBe('evaluation/other-state: the batch in tokens was 32, and now is 33')
    expect(await refusal({ processing: 'all' })).toContain('the processing was none, and now is fold_ln,')
    expect(await refusal({ countSpecial: true })).toContain('the counting of special tokens was false, and now is true')
    const other = await idFile('other.json', [[2, 5]])
    expect(await refusal({ corpus: { kind: 'ids', file: other } })).toContain('the corpus was')
    expect(await fs.readFile(state)).toEqual(before)
  })

  test('a file that is something else is refused and stays as it is', async () => {
    for (const content of ['notes of mine', 'splice evaluation 1\nbut broken']) {
      await fs.writeFile(state, content)
      await expect(evaluateHere(await requestWithState())).rejects.toThrow(/state of an evaluation/)
      expect(await fs.readFile(state, 'utf8')).toBe(content)
    }
    const nowhere = path.join(folder, 'no-folder', 'state')
    await expect(evaluateHere(await requestWithState({ resume: { file: nowhere } }))).rejects.toThrow(`${nowhere} cannot be written`)
  })
})
