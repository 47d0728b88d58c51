/** Ctrl-C: exit code 130, nothing half-written, and what was begun can be taken up again. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { importSummary } from '../../src/contract/explanations.ts'
import { demo, type Outcome, splice, startSplice, temporaryFolder } from '../command-line.ts'
import { readTensors } from '../golden.ts'

const home = temporaryFolder()

describe('a run that saves every hook', () => {
  const ids = Array.from({ length: 500 }, (_, at) => 2 + ((at * 37) % 2000)).join(',')

  /** Starts it in a folder of its own, stops it when `moment` has come, and looks at what is left. */
  async function stopAt(moment: (folder: string, ended: () => boolean) => Promise<void>): Promise<void> {
    const folder = temporaryFolder()
    const file = join(folder, 'out.safetensors')
    const run = startSplice(['run', '--model', demo.model, '--sae', demo.sae, '--ids', ids, '--save', file, '--json'], { home })
    await moment(folder, () => run.child.exitCode !== null)
    run.child.kill('SIGINT')
    const { code, stdout, stderr } = await run.ended
    // No code at all: the signal came before there was anyone to hear it, which a shell shows as 130 too.
    const interrupted = code === 130 || code === null
    // A run that came to its end may say that its ids are no text that the SAE was made for.
    const complaints = interrupted ? stderr : stderr.replace(/^splice: sae1: L0 is .*\n/, '')
    expect({ complaints, ended: interrupted || code === 0 }).toEqual({ complaints: '', ended: true })
    expect(stdout === '').toBe(interrupted)
    const left = readdirSync(folder)
    expect(left).toEqual(existsSync(file) ? ['out.safetensors'] : [])
    if (left.length > 0) expect([...readTensors(file).keys()]).toContain('spliced+error/logits')
  }

  test.each([150, 500, 1000])('leaves a whole file or none when it is stopped after %d ms', milliseconds =>
    stopAt(() => wait(milliseconds))
  )

  test('leaves a whole file or none when it is stopped while it writes', () =>
    stopAt(async (folder, ended) => {
      while (readdirSync(folder).length === 0 && !ended()) await wait(1)
    }))

  test('leaves nothing when it is killed while it writes', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'out.safetensors')
    const run = startSplice(['run', '--model', demo.model, '--sae', demo.sae, '--ids', ids, '--save', file, '--json'], { home })
    while (readdirSync(folder).length === 0 && run.child.exitCode === null) await wait(1)
    run.child.kill('SIGKILL')
    await run.ended
    await expect.poll(() => readdirSync(folder).filter(name => name !== 'out.safetensors'), { timeout: 10_000 }).toEqual([])
  })
})

describe('an import', () => {
  test('is taken up again and loses nothing', async () => {
    const folder = temporaryFolder()
    const db = join(folder, 'mirror.sqlite')
    const file = join(folder, 'rows.jsonl')
    const total = 300_000
    const row = (index: number) => ({
      id: `row-${index}`,
      modelId: 'm',
      layer: 'l',
      index: String(index),
      description: `about number ${index}`
    })
    writeFileSync(file, Array.from({ length: total }, (_, index) => JSON.stringify(row(index))).join('\n'))

    const first = startSplice(['import', file, '--db', db, '--json'], { home })
    while (!existsSync(db) && first.child.exitCode === null) await wait(10)
    await wait(300)
    first.child.kill('SIGINT')
    expect(await first.ended).toMatchObject({ code: 130, stdout: '' })

    const second = await splice(['import', file, '--db', db, '--json'], { home })
    expect(second).toMatchObject({ code: 0, stderr: '' })
    const summary = importSummary.omit({ embeddings: true }).parse(JSON.parse(second.stdout))
    expect(summary.imported + summary.skipped).toBe(total)
    const third = await splice(['import', file, '--db', db, '--json'], { home })
    expect(importSummary.omit({ embeddings: true }).parse(JSON.parse(third.stdout))).toMatchObject({
      imported: 0,
      skipped: total,
      rejected: 0
    })
  })
})

describe('the browser host', () => {
  test('prints one line with its URL, and ends with 130', async () => {
    const host = startSplice(['serve', '--no-open'], { home })
    host.child.stdout.once('data', () => host.child.kill('SIGINT'))
    const outcome: Outcome = await host.ended
    expect(outcome.stdout).toMatch(/^http:\/\/\S+\n$/)
    expect(outcome.code).toBe(130)
  })
})
