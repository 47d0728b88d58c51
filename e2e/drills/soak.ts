/** A long mixed use of one host, with what its processes hold in the middle and at the end. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { randomNumbers } from '../../fixtures/synthetic-explanations.ts'
import { demo } from '../splice-command.ts'
import { must } from './drill.ts'
import type { Client } from './host.ts'
import { within } from './patience.ts'
import { anonymousBytes, openDescriptors } from './processes.ts'
import { demoRun, endsWell, longIds, runOn, Standing } from './standing.ts'

/** What the processes hold at a moment: memory that is not a file's, in bytes, the median of some looks; and descriptors. */
export interface Held {
  readonly engineBytes: number
  readonly inferenceBytes: number
  readonly hostBytes: number
  readonly engineDescriptors: number
  readonly inferenceDescriptors: number
  readonly hostDescriptors: number
}

export interface SoakOutcome {
  readonly operations: number
  readonly minutes: number
  readonly kinds: Readonly<Record<string, number>>
  readonly middle: Held
  readonly end: Held
  /** Whether memory at the end is within a tenth of the middle, and descriptors are as many. */
  readonly isSteady: boolean
}

/** Memory may grow by this share from the middle to the end. */
const tolerance = 0.1

type Operation = (client: Client, random: () => number) => Promise<unknown>

/** Each with its share of the whole, in percent. */
const mix: Readonly<Record<string, readonly [share: number, work: Operation]>> = {
  runs: [25, (client, random) => runOn(client, demoRun({ ids: longIds.slice(0, 8 + Math.floor(random() * 40)) }))],
  searches: [
    25,
    (client, random) => client.explanations.search({ query: 'etaoinshrdlu'[Math.floor(random() * 12)] ?? 'e', mode: 'substring' })
  ],
  counts: [10, client => client.explanations.count({ query: 'time', mode: 'words' })],
  'hook tables': [
    8,
    async client => {
      for await (const _ of await client.hooks.list({ run: demoRun({ keep: false }), variant: 'spliced', against: 'clean' }));
    }
  ],
  'changes of settings': [8, (client, random) => client.engine.changeSettings({ temperature: 0.5 + Math.floor(random() * 50) / 100 })],
  'cancelled runs': [
    8,
    async (client, random) => {
      const abort = new AbortController()
      const work = endsWell(runOn(client, demoRun({ ids: longIds, keep: false }), { signal: abort.signal }), 'run/cancelled', 'lost')
      await wait(random() * 60)
      abort.abort()
      await work
    }
  ],
  continuations: [
    6,
    async client => {
      const request = { model: demo.model, prompt: { text: 'Once' }, variants: [{ name: 'clean', splices: [] }], maxNewTokens: 8 }
      for await (const _ of await client.runs.generate(request));
    }
  ],
  'kept runs opened': [
    5,
    async client => {
      const [run] = (await client.history.list({ limit: 1 })).runs
      if (run !== undefined) await client.history.open({ id: run.id })
    }
  ],
  notes: [5, (client, random) => client.notebook.writeNote({ source: 'a/b', index: Math.floor(random() * 100), text: `note ${random()}` })]
}

/** The operation at a place of the whole, in percent. */
function drawn(place: number): [name: string, work: Operation] {
  let end = 0
  for (const [name, [share, work]] of Object.entries(mix)) {
    end += share
    if (place < end) return [name, work]
  }
  throw new Error('the shares are less than 100')
}

async function look(standing: Standing): Promise<Held> {
  const { engine, inference } = await standing.host.processes()
  const host = standing.host.id
  const looks: [number, number, number][] = []
  for (let at = 0; at < 9; at += 1) {
    await wait(250)
    looks.push([anonymousBytes(engine), anonymousBytes(inference), anonymousBytes(host)])
  }
  const median = (at: 0 | 1 | 2) => looks.map(one => one[at]).sort((a, b) => a - b)[4] ?? Number.NaN
  return {
    engineBytes: median(0),
    inferenceBytes: median(1),
    hostBytes: median(2),
    engineDescriptors: openDescriptors(engine),
    inferenceDescriptors: openDescriptors(inference),
    hostDescriptors: openDescriptors(host)
  }
}

function isSteady(middle: Held, end: Held): boolean {
  const memory = (held: Held) => held.engineBytes + held.inferenceBytes + held.hostBytes
  return (
    memory(end) <= memory(middle) * (1 + tolerance) &&
    end.engineDescriptors === middle.engineDescriptors &&
    end.inferenceDescriptors === middle.inferenceDescriptors &&
    end.hostDescriptors === middle.hostDescriptors
  )
}

/** Does so many operations, one after the other, in an order that `seed` decides. */
export async function measureSoak({
  operations,
  seed,
  tell = () => undefined
}: {
  operations: number
  seed: number
  tell?: (line: string) => void
}): Promise<SoakOutcome> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-soak-'))
  const standing = await Standing.start(path.join(folder, 'home'))
  const random = randomNumbers(seed)
  const started = performance.now()
  const kinds: Record<string, number> = {}
  let middle: Held | null = null
  try {
    const client = await standing.client()
    for (let at = 0; at < operations; at += 1) {
      const [name, work] = drawn(random() * 100)
      kinds[name] = (kinds[name] ?? 0) + 1
      await within(work(client, random), `operation ${at} (${name})`)
      if (at + 1 === Math.floor(operations / 2)) middle = await look(standing)
      if ((at + 1) % 100 === 0) tell(`soak ${at + 1}/${operations}`)
    }
    const end = await look(standing)
    must(middle !== null, 'there are too few operations for a middle')
    await client.engine.changeSettings({ temperature: 1 })
    return { operations, minutes: (performance.now() - started) / 60_000, kinds, middle, end, isSteady: isSteady(middle, end) }
  } finally {
    await standing.close()
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
