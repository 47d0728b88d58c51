/** `splice harvest` as a shell runs it: into the mirror, killed and taken up again, in shards, and its mistakes. */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { featurePage, sourceSummary } from '../../src/contract/explanations.ts'
import { harvestMergeResult, harvestResult } from '../../src/contract/harvest.ts'
import { runResult } from '../../src/contract/run.ts'
import { openMirror } from '../../src/main/explanations/mirror.ts'
import { demo, splice, startSplice, temporaryFolder } from '../command-line.ts'

const home = temporaryFolder()
const folder = temporaryFolder()
const texts = join(folder, 'texts')
mkdirSync(texts)
const sentence = 'Would you be able to travel through time using a wormhole?'
writeFileSync(join(texts, 'a.txt'), `${sentence}\n`)
const long = join(folder, 'long.jsonl')
writeFileSync(
  long,
  Array.from({ length: 2500 }, (_, at) =>
    JSON.stringify({ text: `Once upon a time there were ${at} foxes${' who looked for the old key'.repeat(at % 5)} near the river.` })
  ).join('\n')
)
const model = ['--model', demo.model]
const twoSaes = ['--sae', demo.sae, '--sae', demo.roughSae]

async function featureOf(source: string, index: number) {
  const { stdout } = await splice(['feature', `${source}/${index}`, '--json'], { home })
  return featurePage.parse(JSON.parse(stdout))
}

describe('a text', () => {
  test('goes into the mirror as sources of its own, with the numbers of a run on it', async () => {
    const args = ['harvest', ...model, ...twoSaes, '--text', texts, '--tokens', '1000']
    const { code, stdout, stderr } = await splice([...args, '--json'], { home })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^holds [\d.]+ MB \(2,048 features x [\d.]+ kB\), however many tokens; kept in .*\.harvest\n$/)
    const result = harvestResult.parse(JSON.parse(stdout))
    const outcome = await splice(
      ['run', ...model, ...twoSaes, '--variants', 'clean', '--prompt', sentence, '--top-features', '100', '--no-history', '--json'],
      {
        home
      }
    )
    const run = runResult.parse(JSON.parse(outcome.stdout))
    expect([result.tokens, result.counted, result.textEnded, result.file]).toEqual([run.tokens.length, run.tokens.length - 1, true, null])
    expect(result.saes.map(({ source }) => source)).toEqual([
      'demo-gemma2-tiny/2-own-width_1k-average_l0_15',
      'demo-gemma2-tiny/2-own-width_1k-average_l0_3'
    ])
    expect(readdirSync(join(home, 'harvests'))).toEqual([])
    const reading = run.saes[0]?.byVariant.clean
    const firings = (reading?.features ?? []).flatMap((atToken, position) =>
      run.tokens[position]?.special === true
        ? []
        : atToken.map(({ index, activation }) => ({ index, activation: Number(activation), position }))
    )
    expect(firings.length).toBeGreaterThan(100)
    expect(result.saes[0]?.fired).toBe(new Set(firings.map(({ index }) => index)).size)
    for (const { index } of firings.slice(0, 3)) {
      const own = firings.filter(firing => firing.index === index)
      const strongest = own.reduce((best, one) => (one.activation > best.activation ? one : best))
      const page = await featureOf(result.saes[0]?.source ?? '', index)
      expect(page.statistics?.density).toBeCloseTo(own.length / result.counted, 12)
      expect(page.statistics?.maxActivation).toBeCloseTo(strongest.activation, 4)
      expect(page.statistics?.activationHistogram.reduce((sum, { count }) => sum + count, 0)).toBe(own.length)
      const [example] = page.examples
      expect(example?.tokens[example.maxValueTokenIndex]).toBe(run.tokens[strongest.position]?.text)
      expect(run.tokens.map(({ text }) => text).join('')).toContain(example?.tokens.join(''))
      expect(page.harvest).toMatchObject({ tokens: result.tokens, counted: result.counted, texts: [{ path: join(texts, 'a.txt') }] })
      expect(page.neuronpediaUrl).toBeNull()
    }
    const sources = await splice(['sources', '--json'], { home })
    const list = z.object({ sources: z.array(sourceSummary) }).parse(JSON.parse(sources.stdout)).sources
    expect(list.filter(({ harvest }) => harvest !== null).map(({ source, statistics }) => [source, statistics])).toEqual([
      ['demo-gemma2-tiny/2-own-width_1k-average_l0_15', 1024],
      ['demo-gemma2-tiny/2-own-width_1k-average_l0_3', 1024]
    ])
    // The demo's own explanations came all the same.
    expect(list.filter(({ harvest }) => harvest === null).length).toBe(4)
    const shown = await splice(['feature', `${result.saes[0]?.source}/${firings[0]?.index}`], { home })
    expect(shown.stdout).toMatch(/harvested +\d{4}-\d\d-\d\d, from text of your own/)
  })

  test("under a name of one's own takes the place of what was there, and of nothing that is another's", async () => {
    const args = ['harvest', ...model, '--sae', demo.sae, '--tokens', '500', '--name', 'foxes']
    const first = await splice([...args, '--text', texts, '--json'], { home })
    const second = await splice([...args, '--text', long, '--json'], { home })
    const [before, after] = [first, second].map(({ stdout }) => harvestResult.parse(JSON.parse(stdout)))
    expect([before?.saes[0]?.source, after?.saes[0]?.source]).toEqual(['demo-gemma2-tiny/2-foxes', 'demo-gemma2-tiny/2-foxes'])
    expect((await featureOf('demo-gemma2-tiny/2-foxes', 0)).harvest?.tokens).toBe(after?.tokens)
    const taken = await splice([...args.slice(0, -1), 'demo-res-1k', '--text', texts], { home })
    expect([taken.code, taken.stderr]).toEqual([
      2,
      'splice: --name: the mirror has a source demo-gemma2-tiny/2-demo-res-1k that was not harvested. Choose another name for what is harvested.\n'
    ])
    const removed = await splice(['mirror', 'remove', 'demo-gemma2-tiny/2-foxes'], { home })
    expect(removed.code).toBe(0)
    expect((await featureOf('demo-gemma2-tiny/2-foxes', 0).catch(() => null))?.known ?? false).toBe(false)
  })
})

describe('a long harvest', () => {
  const args = ['harvest', ...model, ...twoSaes, '--text', long, '--tokens', '16000', '--batch-tokens', '256', '--name', 'long']
  const sources = ['demo-gemma2-tiny/2-long-width_1k-average_l0_15', 'demo-gemma2-tiny/2-long-width_1k-average_l0_3']
  /** All that a home's mirror has of features. */
  async function numbersOf(at: string) {
    const mirror = await openMirror(join(at, 'mirror.sqlite'))
    const indices = Array.from({ length: 64 }, (_, place) => place * 16)
    const pages = await Promise.all(sources.flatMap(source => indices.map(index => mirror.feature(source, index))))
    await mirror.close()
    return pages.map(page => ({ ...page, harvest: null }))
  }

  test('stops with 130 on Ctrl-C, is killed, and ends with the numbers of one that was left alone; so do its shards', async () => {
    const [own, other, merged] = [temporaryFolder(), temporaryFolder(), temporaryFolder()]
    const kept = () => {
      const [name] = existsSync(join(own, 'harvests')) ? readdirSync(join(own, 'harvests')).filter(file => file.endsWith('.harvest')) : []
      return name === undefined ? 0 : statSync(join(own, 'harvests', name)).size
    }
    for (const signal of ['SIGINT', 'SIGKILL', 'SIGKILL'] as const) {
      const before = kept()
      const run = startSplice(args, { home: own })
      while (run.child.exitCode === null && kept() < before + 100_000) await wait(3)
      expect(run.child.exitCode, 'it was stopped before its end').toBeNull()
      run.child.kill(signal)
      expect(await run.ended).toMatchObject({ code: signal === 'SIGINT' ? 130 : null, stdout: '' })
    }
    const shards = [1, 2].map(index => join(folder, `shard-${index}.harvest`))
    const [rest, whole, ...parts] = await Promise.all([
      splice([...args, '--json'], { home: own }),
      splice([...args, '--json'], { home: other }),
      ...shards.map((file, at) => splice([...args, '--shard', `${at + 1}/2`, '--out', file, '--json'], { home: merged }))
    ])
    expect(rest.stderr).toMatch(/which has [\d,]+ tokens already\n/)
    expect([rest, whole, ...parts].map(({ code }) => code)).toEqual([0, 0, 0, 0])
    const results = [rest, whole].map(({ stdout }) => ({ ...harvestResult.parse(JSON.parse(stdout)), seconds: 0 }))
    expect(results[0]).toEqual(results[1])
    const merge = await splice(['harvest', 'merge', ...shards.toReversed(), '--json'], { home: merged })
    expect(harvestMergeResult.parse(JSON.parse(merge.stdout))).toMatchObject({
      parts: 2,
      tokens: results[1]?.tokens,
      inMirror: true,
      warnings: []
    })
    const numbers = await numbersOf(other)
    expect(numbers.filter(({ examples }) => examples.length > 20).length).toBeGreaterThan(20)
    expect(await numbersOf(own)).toEqual(numbers)
    expect(await numbersOf(merged)).toEqual(numbers)
    expect(readdirSync(join(own, 'harvests'))).toEqual([])
  })
})

describe('mistakes are one line that names them', () => {
  const sae = ['--sae', demo.sae]
  const whole = [...model, ...sae, '--text', long, '--tokens', '100']
  const notOne = join(folder, 'notes.txt')
  writeFileSync(notOne, 'notes of mine')

  test.each([
    [[], '--model: splice harvest needs a model'],
    [model, '--sae: splice harvest needs an SAE'],
    [[...model, ...sae], '--text: splice harvest needs a text'],
    [[...model, ...sae, '--text', long], '--tokens: splice harvest needs to know how much to read'],
    [[...model, ...sae, '--text', long, '--tokens', '0'], '--tokens "0" is not a whole number'],
    [[...whole, '--shard', '3/2'], '--shard "3/2" is not I/N'],
    [[...whole, '--name', 'a b'], '--name "a b" is no name of a source'],
    [[...whole, '--memory-limit', '0'], '--memory-limit "0" is not a number'],
    [[...whole, '--memory-limit', '0.001'], '--memory-limit: what is held of 1,024 features needs'],
    [[...whole, '--out', notOne], `${notOne} is no harvest`],
    [[...whole, join(folder, 'gone.txt')], `${join(folder, 'gone.txt')} does not exist`],
    [['merge'], 'splice harvest merge needs FILE'],
    [['merge', notOne], `${notOne} is no harvest`],
    [['merge', notOne, '--no-mirror'], '--no-mirror leaves the whole nowhere']
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await splice(['harvest', ...args], { home })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^splice: .*\n$/)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toContain(message)
  })
})
