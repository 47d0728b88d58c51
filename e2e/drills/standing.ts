/** What must hold after every fault: the host lives, the next run has the same numbers, searches find the same, nothing is left open or undead. */
import fs from 'node:fs'
import path from 'node:path'
import type { RunResult } from '../../src/contract/run.ts'
import { errorDataOf } from '../../src/main/cli/exit.ts'
import { demo } from '../splice-command.ts'
import { must } from './drill.ts'
import { type Client, Host } from './host.ts'
import { until, within } from './patience.ts'
import { descendantsOf, descriptorNames, openDescriptors } from './processes.ts'

export const prompt = 'Would you be able to travel through time using a wormhole?'

/** A request of the demo: clean, and with an SAE. */
export function demoRun(more: { model?: string; ids?: number[]; keep?: boolean } = {}) {
  return {
    model: more.model ?? demo.model,
    saes: [{ name: 'sae1', path: demo.sae }],
    prompt: more.ids === undefined ? { text: prompt } : { ids: more.ids },
    variants: [
      { name: 'clean', splices: [] },
      { name: 'spliced', splices: [{ sae: 'sae1' }] }
    ],
    topFeatures: 5,
    keep: more.keep ?? true
  }
}

/** Ids that take a while: the demo model's longest prompt. */
export const longIds = Array.from({ length: 500 }, (_, at) => 2 + ((at * 37) % 2000))

/** A run to its end. */
export async function runOn(
  client: Client,
  request: Parameters<Client['runs']['run']>[0],
  options: { signal?: AbortSignal; onProgress?: () => void } = {}
): Promise<{ result: RunResult; keptAs: string | null }> {
  const events = await client.runs.run(request, { signal: options.signal })
  for await (const event of events) {
    if (event.type === 'result') return event
    options.onProgress?.()
  }
  throw new Error('the run ended without a result')
}

/** How work ended: what it gave, or its error in our words; what is no error of ours (such as a lost connection) has the kind `lost`. */
export async function endOf<Result>(work: Promise<Result>): Promise<{ result: Result } | { kind: string; message: string }> {
  try {
    return { result: await within(work, 'work') }
  } catch (thrown) {
    const { kind, message } = errorDataOf(thrown)
    return { kind: kind === 'engine/internal' ? 'lost' : kind, message }
  }
}

/** Throws unless work gave something or ended with one of these kinds (`area/` is all of an area), in a sentence. */
export function endsWell(work: Promise<unknown>, ...kinds: string[]): Promise<string> {
  const ended = endedAs(work, kinds)
  // Whoever started it may look at something else first.
  ended.catch(() => undefined)
  return ended
}

async function endedAs(work: Promise<unknown>, kinds: readonly string[]): Promise<string> {
  const end = await endOf(work)
  if ('result' in end) return 'done'
  must(
    kinds.some(kind => kind === end.kind || (kind.endsWith('/') && end.kind.startsWith(kind))),
    `ended with ${end.kind}, not with one of ${kinds.join(', ')}: ${end.message}`
  )
  if (end.kind !== 'lost') must(end.message.length > 10 && !/undefined|\[object/.test(end.message), `no true message: ${end.message}`)
  return end.kind
}

const setting = { topK: 7 }

/** A host that stands, with what it gave before any fault. */
export class Standing {
  host: Host
  readonly #logProbs: RunResult['variants'][number]['logProbs']
  readonly #hits: number
  /** How many descriptors an engine has open that has done what `#warm` does. */
  readonly #descriptors: number
  readonly #keptAs: string

  private constructor(
    host: Host,
    first: { logProbs: RunResult['variants'][number]['logProbs']; hits: number; descriptors: number; keptAs: string }
  ) {
    this.host = host
    this.#logProbs = first.logProbs
    this.#hits = first.hits
    this.#descriptors = first.descriptors
    this.#keptAs = first.keptAs
  }

  /** Starts a host in `home` and asks it for all that is compared later. */
  static async start(home: string, env: Record<string, string> = {}): Promise<Standing> {
    fs.mkdirSync(home, { recursive: true })
    const host = await Host.start(home, env)
    const client = await host.client()
    await until(
      async () =>
        !(await client.engine.status()).mirror.importing && (await client.explanations.sources()).some(source => source.statistics > 0),
      () => 'the demo was not imported',
      60_000
    )
    await client.engine.changeSettings(setting)
    const list = await client.notebook.createList({ name: 'kept before any fault' })
    await client.notebook.addToList({ list: list.id, features: [{ source: 'demo-gemma2-tiny/2-demo-scope-res-1k', index: 1 }] })
    const { result, keptAs } = await runOn(client, demoRun())
    must(keptAs !== null, 'the first run was not kept')
    const hits = await hitsOf(client)
    await warm(client)
    const { engine } = await host.processes()
    const clean = result.variants[0]
    must(clean !== undefined && hits > 0, 'the demo gives nothing')
    return new Standing(host, { logProbs: clean.logProbs, hits, descriptors: openDescriptors(engine), keptAs })
  }

  client(): Promise<Client> {
    return this.host.client()
  }

  /** Has another inference process take the place of the present one. */
  async restartInference(): Promise<void> {
    const { inference } = await this.host.processes()
    process.kill(inference, 'SIGKILL')
    await until(
      async () => (await this.host.processes()).inference !== inference,
      () => 'no other inference process was started'
    )
  }

  /** Throws unless searches find what they found. */
  async searches(): Promise<void> {
    const hits = await within(hitsOf(await this.client()), 'a search')
    must(hits === this.#hits, `a search finds ${hits} explanations, not ${this.#hits}`)
  }

  /** Throws unless a run gives the numbers that it gave. */
  async runs(model?: string): Promise<void> {
    const { result } = await within(runOn(await this.client(), demoRun(model === undefined ? {} : { model })), 'a run')
    const now = result.variants[0]?.logProbs ?? []
    const largest = Math.max(...now.map((value, at) => Math.abs(Number(value ?? 0) - Number(this.#logProbs[at] ?? 0))))
    must(now.length === this.#logProbs.length && largest < 1e-6, `log-probs differ by ${largest} from those before`)
  }

  /** Throws unless what was kept before any fault is still there: the run, the setting, the list. */
  async keeps(): Promise<void> {
    const client = await this.client()
    const { kept } = await client.history.open({ id: this.#keptAs })
    must(kept.id === this.#keptAs, 'the first run is lost')
    must((await client.engine.settings()).topK === setting.topK, 'a setting is lost')
    const [list] = await client.notebook.lists()
    must(list?.features === 1, 'a list of the notebook is lost')
    const listed = await client.history.list({})
    for (const { id } of listed.runs.slice(0, 20)) await client.history.open({ id })
    const parts = fs.readdirSync(this.host.home).filter(name => name.endsWith('.part') || name.endsWith('.partial'))
    must(parts.length === 0, `half-written files are left: ${parts.join(', ')}`)
  }

  /** Throws where a process is undead or left over, or the engine has more open than before. */
  async isTidy(): Promise<void> {
    await warm(await this.client())
    const { engine, inference } = await this.host.processes()
    await until(
      () => {
        const below = descendantsOf(this.host.id)
        return below.length === 2 && below.every(({ id, state }) => (id === engine || id === inference) && state !== 'Z')
      },
      () => `processes below the host: ${JSON.stringify(descendantsOf(this.host.id))}, the engine is ${engine}, inference ${inference}`
    )
    await until(
      () => openDescriptors(engine) <= this.#descriptors,
      () => `the engine has ${openDescriptors(engine)} descriptors open, not ${this.#descriptors}: ${descriptorNames(engine).join(' ')}`
    )
  }

  /** All of it. */
  async goesOn(): Promise<void> {
    must(this.host.isAlive, `the host has ended: ${this.host.stderr.trim()}`)
    await this.searches()
    await this.runs()
    await this.keeps()
    await this.isTidy()
  }

  close(): Promise<void> {
    return this.host.close()
  }
}

async function hitsOf(client: Client): Promise<number> {
  return (await client.explanations.count({ query: 'time', mode: 'substring', model: 'demo-gemma2-tiny', countFor: 60_000 })).total
}

/** Has the engine open what it keeps open: both readers, the history, the notebook. */
async function warm(client: Client): Promise<void> {
  await Promise.all(Array.from({ length: 8 }, () => client.explanations.search({ query: 'time', mode: 'substring', limit: 50 })))
  await client.history.summary()
  await client.notebook.lists()
}

/** A copy of the demo's model in a folder, to be damaged. */
export function copyModel(folder: string): string {
  const copy = path.join(folder, 'model')
  fs.rmSync(copy, { recursive: true, force: true })
  fs.cpSync(demo.model, copy, { recursive: true })
  return copy
}
