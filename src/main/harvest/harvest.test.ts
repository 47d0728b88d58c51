/** Whole harvests: exact against golden activations and the demo's report, taken up after any pass, in shares, refused where another's. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type HarvestEvent, harvestRequest } from '../../contract/harvest.ts'
import { expectGoldenHarvest, goldenHarvests } from '../engine/golden-harvest.ts'
import { type HarvestHooks, harvestHere, harvestsOf, mergeHere, rowOf, type WrittenRows } from '../engine/harvest-fixture.ts'
import { isTranscoder } from '../inference/golden/sae-cases.ts'
import { harvestRecords } from './harvest-file.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-harvest-test-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))
const root = fileURLToPath(new URL('../../..', import.meta.url))
const demo = path.join(root, 'resources/demo')
const demoSaes = [
  'demo-scope-res/layer_1/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_3',
  'demo-saelens/blocks.2.hook_mlp_out',
  'demo-saelens/blocks.2.attn.hook_z'
].map((name, at) => ({ name: `sae${at + 1}`, path: path.join(demo, 'saes', name) }))

async function fileOf(name: string, content: string): Promise<string> {
  const file = path.join(folder, name)
  await fs.writeFile(file, content)
  return file
}

let homes = 0
function newHome(): string {
  homes += 1
  return path.join(folder, `home-${homes}`)
}

describe('golden activations', () => {
  // The first of each format; golden-harvest.long.test.ts has all.
  const formats = new Map(goldenHarvests.toReversed().map(({ format, id }) => [format, id]))

  test.each([...formats])('%s: %s', (_, id) => expectGoldenHarvest(id, folder))

  test('are there for transcoders too', () => {
    expect(goldenHarvests.some(entry => isTranscoder(entry) && formats.has(entry.format))).toBe(true)
    expect(formats.size).toBeGreaterThan(10)
  })
})

describe("the demo's held-out text", () => {
  test("gives the L0 and dead features of its report, and each feature's own count", async () => {
    const saes = z.record(z.string(), z.object({ l0: z.number(), dead_fraction: z.number(), tokens: z.int() }))
    const report = z.object({ saes }).parse(JSON.parse(await fs.readFile(path.join(demo, 'report.json'), 'utf8')))
    const measured = demoSaes.filter((_, at) => at !== 2)
    const hooks = ['blocks.1.hook_resid_post', 'blocks.2.hook_resid_post', 'blocks.2.hook_mlp_out', 'blocks.2.attn.hook_z']
    // A quarter of the sequences is held to the report within what a quarter can be off.
    const heldOut: number[][] = JSON.parse(await fs.readFile(path.join(root, 'fixtures/demo-held-out.json'), 'utf8'))
    const file = await fileOf('held-out.json', JSON.stringify(heldOut.slice(0, 64)))
    const { result, written } = await harvestHere(newHome(), { model: `${demo}/model`, saes: measured, texts: [file], tokens: 1e6 })
    expect([result.tokens, result.counted]).toEqual([
      64 * 128,
      heldOut
        .slice(0, 64)
        .flat()
        .filter(id => id > 3).length
    ])
    for (const [at, hook] of hooks.entries()) {
      const { l0, dead_fraction: dead } = report.saes[hook] ?? { l0: Number.NaN, dead_fraction: Number.NaN }
      const sae = result.saes[at]
      expect(sae?.hook).toBe(hook)
      expect(Math.abs((sae?.meanActive ?? 0) - l0), hook).toBeLessThan(0.05 * l0)
      expect(sae?.fired).toBeLessThanOrEqual(Math.round(1024 * (1 - dead)))
      const densities = Array.from({ length: 1024 }, (_, index) => rowOf(written, sae?.source ?? '', index).frac_nonzero)
      expect(densities.reduce((sum, density) => sum + density, 0)).toBeCloseTo(sae?.meanActive ?? 0, 9)
    }
  })
})

describe('a harvest that is cut off, or shared', () => {
  const text = fileOf(
    'text.jsonl',
    Array.from({ length: 150 }, (_, at) =>
      JSON.stringify({ text: `Once upon a time there were ${at} foxes${' who looked for a key'.repeat(at % 7)} near the river.` })
    ).join('\n')
  )
  const saes = demoSaes.slice(1, 3)
  const lost = new Error('the process is gone')

  async function requestWith(more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const small = { tokens: 3000, batchTokens: 100, context: 64, top: 4, perInterval: 2, before: 4, after: 3 }
    return { model: `${demo}/model`, saes, texts: [await text], documents: 'apart', ...small, ...more }
  }

  async function countPasses(
    home: string,
    request: Record<string, unknown>
  ): Promise<{ passes: number; written: WrittenRows; tokens: number }> {
    let passes = 0
    const hooks: HarvestHooks = {
      beforePass() {
        passes += 1
      }
    }
    const { result, written } = await harvestHere(home, request, hooks)
    return { passes, written, tokens: result.tokens }
  }

  async function runUntil(home: string, request: Record<string, unknown>, passes: number): Promise<void> {
    let begun = 0
    const beforePass = () => {
      begun += 1
      if (begun > passes) throw lost
    }
    await expect(harvestHere(home, request, { beforePass })).rejects.toBe(lost)
  }

  test('goes on after any pass with the same rows, and runs none twice', async () => {
    const file = path.join(folder, 'cut.harvest')
    const whole = await countPasses(newHome(), await requestWith())
    expect(whole.passes).toBeGreaterThan(30)
    expect(whole.tokens).toBe(3000)
    for (const done of [0, 1, 7, 8, 9, 17, whole.passes - 1]) {
      await fs.rm(file, { force: true })
      const request = await requestWith({ file })
      await runUntil(newHome(), request, done)
      // Cut off once more where it went on.
      if (done > 2 && done < 20) await runUntil(newHome(), request, 2)
      const rest = await countPasses(newHome(), request)
      expect(rest.written, `after ${done} passes`).toEqual(whole.written)
      expect(rest.passes).toBe(whole.passes - done - (done > 2 && done < 20 ? 2 : 0))
    }
    expect(await countPasses(newHome(), await requestWith({ file })), 'once more').toEqual({ ...whole, passes: 0 })
  })

  test('goes on at once when it was cancelled a moment ago, and is the only one', async () => {
    const { harvests, written } = harvestsOf(newHome())
    const request = harvestRequest.parse(await requestWith({ file: path.join(folder, 'again.harvest') }))
    const first = harvests.run(request, undefined)
    for await (const event of first) if (event.type === 'progress' && event.tokens > 0) break
    const second = harvests.run(request, undefined)
    expect((await second.next()).value).toMatchObject({ type: 'plan', plan: { tokensKept: expect.any(Number) } })
    await expect(harvests.run(request, undefined).next()).rejects.toMatchObject({ kind: 'harvest/busy' })
    await expect(harvests.merge({ files: ['x'], toMirror: true }, undefined).next()).rejects.toMatchObject({ kind: 'harvest/busy' })
    for await (const event of second) if (event.type === 'result') expect(event.result.tokens).toBe(3000)
    expect(written).toEqual((await countPasses(newHome(), await requestWith())).written)
  })

  test('reads over a pass that was cut short in its file', async () => {
    const file = path.join(folder, 'short.harvest')
    const whole = await countPasses(newHome(), await requestWith())
    await runUntil(newHome(), await requestWith({ file }), 5)
    const bytes = await fs.readFile(file)
    for (const missing of [1, 9, 700]) {
      await fs.writeFile(file, bytes.subarray(0, bytes.length - missing))
      await fs.writeFile(`${file}.999999.part`, 'left by a process that was killed')
      const rest = await countPasses(newHome(), await requestWith({ file }))
      expect([rest.passes, rest.written]).toEqual([whole.passes - 4, whole.written])
    }
    expect((await fs.readdir(folder)).filter(name => name.startsWith('short'))).toEqual(['short.harvest'])
  })

  test('in 2 and 3 shards, put together in any order, has the same rows', async () => {
    const whole = await countPasses(newHome(), await requestWith())
    for (const of of [2, 3]) {
      const files: string[] = []
      let tokens = 0
      for (let index = 1; index <= of; index++) {
        const file = path.join(folder, `shard-${index}-${of}.harvest`)
        const shard = await harvestHere(newHome(), await requestWith({ file, shard: { index, of } }))
        expect([shard.result.inMirror, shard.written.size, shard.result.file]).toEqual([false, 0, file])
        tokens += shard.result.tokens
        files.push(file)
      }
      expect(tokens).toBe(whole.tokens)
      for (const order of [files, files.toReversed(), [...files.slice(1), ...files.slice(0, 1)]]) {
        const merged = await mergeHere(newHome(), { files: order })
        expect(merged.result.warnings).toEqual([])
        expect(merged.written, order.join()).toEqual(whole.written)
      }
      const out = path.join(folder, `whole-${of}.harvest`)
      const first = await mergeHere(newHome(), { files: files.slice(0, -1), out, toMirror: false })
      expect(first.result.warnings).toEqual([`not all shards are there: shard ${of}/${of} missing`])
      const last = files.at(-1) ?? ''
      expect((await mergeHere(newHome(), { files: [last, out], name: 'mine' })).written).toEqual(
        new Map(
          [...whole.written].map(([source, rows]) => [source.replace('-own-', '-mine-'), rows.map(row => row.replace('-own-', '-mine-'))])
        )
      )
      await expect(mergeHere(newHome(), { files: [out, files[0]] })).rejects.toThrow(`both hold shard 1/${of}`)
    }
    const [one, other] = [path.join(folder, 'shard-1-2.harvest'), path.join(folder, 'shard-1-3.harvest')]
    await expect(mergeHere(newHome(), { files: [one, other] })).rejects.toThrow('they share one text otherwise (shard 1/2, shard 1/3)')
  })

  test('on other texts can be put together, of other SAEs or settings not', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map(name => path.join(folder, `${name}.harvest`))
    const other = await fileOf('other.txt', 'A fox found the key of the castle.\n'.repeat(30))
    const first = await harvestHere(newHome(), await requestWith({ file: a }))
    const second = await harvestHere(newHome(), await requestWith({ file: b, texts: [other] }))
    await harvestHere(newHome(), await requestWith({ file: c, top: 5 }))
    const merged = await mergeHere(newHome(), { files: [a, b] })
    expect(merged.written).toEqual((await mergeHere(newHome(), { files: [b, a] })).written)
    const source = first.result.saes[0]?.source ?? ''
    const counts = (written: WrittenRows, index: number, counted: number) =>
      Math.round(rowOf(written, source, index).frac_nonzero * counted)
    for (let index = 0; index < 1024; index += 31) {
      expect(counts(merged.written, index, merged.result.counted)).toBe(
        counts(first.written, index, first.result.counted) + counts(second.written, index, second.result.counted)
      )
    }
    await expect(mergeHere(newHome(), { files: [a, c] })).rejects.toThrow('what is held of each feature was')
  })

  test('is refused where its text, SAE or settings are others, and begins anew when told to', async () => {
    const file = path.join(folder, 'changed.harvest')
    const changing = await fileOf('changing.txt', 'Once upon a time.\n'.repeat(60))
    const request = await requestWith({ file, texts: [changing] })
    await runUntil(newHome(), request, 2)
    const kept = await fs.readFile(file)
    const refusal = (more: Record<string, unknown>) =>
      harvestHere(newHome(), { ...request, ...more }).then(
        () => 'nothing',
        error => `${error.kind}: ${error.message.replace(`${file} belongs to another harvest: `, '')}`
      )
    expect(await refusal({ tokens: 2999 })).toBe('harvest/other-state: the number of tokens was 3000, and now is 2999')
    expect(await refusal({ saes: saes.slice(1) })).toContain('harvest/other-state: the SAEs was')
    expect(await refusal({ countSpecial: true })).toContain('the counting of special tokens was false, and now is true')
    await fs.appendFile(changing, 'The end.\n')
    expect(await refusal({})).toMatch(/^harvest\/other-state: the text's files was 1080 bytes of .*, and now is 1089 bytes/)
    expect(await fs.readFile(file)).toEqual(kept)
    expect((await harvestHere(newHome(), { ...request, anew: true })).result.textEnded).toBe(true)
  })

  test('is refused where its file is something else, or broken, which stays as it is', async () => {
    const file = path.join(folder, 'broken.harvest')
    const request = await requestWith({ file })
    await runUntil(newHome(), request, 3)
    const bytes = await fs.readFile(file)
    const flipped = Buffer.from(bytes)
    flipped[40] = (flipped[40] ?? 0) ^ 0xff
    const contents: [string | Buffer, string][] = [
      ['notes of mine', 'is no harvest'],
      ['', 'is no harvest'],
      ['splice harvest 1\n', 'is a broken harvest'],
      ['splice harvest 1\nbut no record', 'is a broken harvest'],
      [flipped, 'is a broken harvest'],
      [bytes.subarray(0, 100), 'is a broken harvest']
    ]
    for (const [content, message] of contents) {
      await fs.writeFile(file, content)
      await expect(harvestHere(newHome(), request), message).rejects.toThrow(`${file} ${message}`)
      await expect(mergeHere(newHome(), { files: [file] })).rejects.toThrow(`${file} ${message}`)
      expect(await fs.readFile(file)).toEqual(Buffer.from(content))
    }
    await fs.writeFile(file, bytes)
    await expect(mergeHere(newHome(), { files: [file] })).rejects.toThrow(`${file} is not harvested to its end`)
    await expect(harvestHere(newHome(), { ...request, file: path.join(await text, 'no', 'where') })).rejects.toThrow('cannot be written')
  })

  test('counts the passes in its file anew when they outgrow what was counted, and goes on from there', async () => {
    const file = path.join(folder, 'grown.harvest')
    const passesIn = async () => {
      let passes = 0
      for await (const record of harvestRecords(file)) if (record.kind === 'pass') passes += 1
      return passes
    }
    const whole = await countPasses(newHome(), await requestWith())
    const request = await requestWith({ file })
    let begun = 0
    const beforePass = () => {
      begun += 1
      if (begun > 20) throw lost
    }
    await expect(harvestHere(newHome(), request, { beforePass, journalBytes: 1 })).rejects.toBe(lost)
    expect(await passesIn()).toBeLessThan(20)
    const rest = await countPasses(newHome(), request)
    expect([rest.passes, rest.written]).toEqual([whole.passes - 20, whole.written])
    expect(await passesIn()).toBe(0)
  })
})

describe('what a harvest says', () => {
  test('before it begins: what it will hold, and that it does not fit, with settings that do', async () => {
    const file = await fileOf('said.txt', 'Once upon a time.\n')
    const request = { model: `${demo}/model`, saes: demoSaes, texts: [file], tokens: 100 }
    const events: HarvestEvent[] = []
    await harvestHere(newHome(), request, { onEvent: event => events.push(event) })
    expect(events[0]).toMatchObject({ type: 'plan', plan: { features: 5120, tokensKept: null, texts: { files: 1, bytes: 18 } } })
    expect(events.at(-2)).toMatchObject({ type: 'progress', stage: 'writing' })
    await expect(harvestHere(newHome(), { ...request, memoryLimit: 40e6 })).rejects.toMatchObject({
      kind: 'harvest/memory',
      message: 'what is held of 5,120 features needs 88 MB, but 40 MB are allowed',
      hint: expect.stringMatching(/^With --top 5 --per-interval 2 it needs \d+ MB/)
    })
    expect((await harvestHere(newHome(), { ...request, memoryLimit: 40e6, top: 5, perInterval: 2 })).result.tokens).toBeGreaterThan(5)
    await expect(harvestHere(newHome(), { ...request, memoryLimit: 1000 })).rejects.toMatchObject({
      hint: expect.stringMatching(/^Harvest fewer/)
    })
  })

  test('of texts and requests that are none', async () => {
    const empty = await fs.mkdtemp(path.join(folder, 'empty-'))
    const file = await fileOf('fine.txt', 'Once upon a time.\n')
    const request = { model: `${demo}/model`, saes: demoSaes.slice(0, 1), texts: [file], tokens: 100 }
    const refusal = (more: Record<string, unknown>) =>
      harvestHere(newHome(), { ...request, ...more }).then(
        () => 'nothing',
        error => `${error.kind}: ${error.message}`
      )
    expect(await refusal({ texts: [empty] })).toBe(`harvest/no-text: no text is in ${empty}`)
    expect(await refusal({ texts: [path.join(folder, 'gone')] })).toBe(`file/unreadable: ${path.join(folder, 'gone')} does not exist`)
    expect(await refusal({ texts: [await fileOf('hollow.txt', '\n\n')] })).toContain('corpus/empty: nothing is in')
    expect(await refusal({ texts: [await fileOf('hollow.txt', '\n\n'), await fileOf('hollow2.txt', '')] })).toContain(
      'harvest/no-text: there is no text'
    )
    expect(await refusal({ texts: [await fileOf('outside.json', '[[2,5],[2,70000]]')] })).toContain(
      'harvest/token-id: token id 70000 in sequence 2'
    )
    expect(await refusal({ context: 100_000 })).toContain('harvest/context: sequences of 100000 tokens are asked for')
    expect(await refusal({ shard: { index: 3, of: 2 } })).toBe('harvest/shard: there is no shard 3 of 2')
    expect(await refusal({ before: 100, after: 100, tokens: 5 })).toBe('nothing')
  })

  test('a folder is read file by file, and special tokens are left out unless they count', async () => {
    const many = await fs.mkdtemp(path.join(folder, 'many-'))
    await fs.mkdir(path.join(many, 'b'))
    await fs.writeFile(path.join(many, 'b', 'two.jsonl'), '{"text":"A fox found a key."}\n')
    await fs.writeFile(path.join(many, 'a.txt'), 'Once upon a time.\n')
    await fs.writeFile(path.join(many, 'c.bin'), Buffer.of(0xff))
    await fs.writeFile(path.join(many, 'empty.md'), '')
    const request = { model: `${demo}/model`, saes: demoSaes.slice(0, 1), texts: [many], tokens: 1000 }
    const { result, written } = await harvestHere(newHome(), request)
    expect([result.sequences, result.tokens - result.counted]).toEqual([2, 2])
    const special = await harvestHere(newHome(), { ...request, countSpecial: true })
    expect(special.result.counted).toBe(special.result.tokens)
    const source = result.saes[0]?.source ?? ''
    const texts = (rows: WrittenRows) =>
      Array.from({ length: 1024 }, (_, at) => rowOf(rows, source, at).activations)
        .flat()
        .map(({ tokens, maxValueTokenIndex: at }) => tokens[at])
    expect(texts(written)).not.toContain('<bos>')
    expect(texts(special.written)).toContain('<bos>')
  })
})
