/** Harvests as clients ask for them: one at a time, kept in a file until the mirror has what they found. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import {
  type HarvestEvent,
  type HarvestMergeEvent,
  type HarvestMergeRequest,
  type HarvestMergeResult,
  type HarvestPlan,
  type HarvestProgress,
  type HarvestRequest,
  type HarvestResult,
  harvestRequest,
  type UnfinishedHarvest
} from '../../contract/harvest.ts'
import { processingFlag } from '../../contract/run.ts'
import type { Mirror } from '../explanations/mirror.ts'
import { Harvest, type Harvested, PassCounter } from '../harvest/harvest.ts'
import { emptyTallies, HarvestFile, notWritten, readHead, requireSame, resumeHarvest } from '../harvest/harvest-file.ts'
import type { HarvestFacts } from '../harvest/harvest-head.ts'
import { mergeHarvests, planMerge } from '../harvest/merge.ts'
import type { SaeTally } from '../harvest/sae-tally.ts'
import { bytesOfFeature } from '../harvest/tally-shape.ts'
import type { HarvestedPass, HarvestJob } from '../inference/harvest-messages.ts'
import { withLock } from '../transfer/lock.ts'
import { checkMemory, harvestFolder, memoryLimitOf, type PreparedHarvest, prepareHarvest } from './harvest-plan.ts'
import { writeSources } from './harvest-sources.ts'
import { streamWork } from './progress.ts'

export interface HarvestServices {
  readonly home: string
  readonly mirror: Pick<Mirror, 'sources' | 'writeOwnSource'>
  readonly inference: { harvest(job: HarvestJob, signal: AbortSignal | undefined): Promise<HarvestedPass> }
  announceStatus(): void
  /** After how many bytes of passes a file is written anew; some tens of megabytes without it. */
  readonly journalBytes?: number
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false
  )
}

/** What a harvest has in its file, where it is the same one. Throws `harvest/other-state` where it is another. */
async function keptOf({ file, work }: PreparedHarvest): Promise<number | null> {
  if (!(await exists(file))) return null
  // Passes behind what was counted are told by the file alone, which is read where it goes on.
  const head = await readHead(file)
  requireSame(file, work.facts.asked, head)
  return head.state.tokens
}

/** What a harvest will take, without beginning it. Throws what is wrong with its files or its request. */
export async function planHarvest(request: HarvestRequest, services: HarvestServices): Promise<HarvestPlan> {
  const prepared = await prepareHarvest(request, services)
  return { ...prepared.summary, tokensKept: request.anew ? null : await keptOf(prepared) }
}

/** The SAEs of a result: how many of their features fired, and how many do at a token. */
function firedOf({ saes }: HarvestFacts, tallies: readonly SaeTally[], counted: number): HarvestResult['saes'] {
  return saes.map((sae, at) => {
    const tally = tallies[at]
    const counts = Array.from({ length: sae.features }, (_, feature) => tally?.count(feature) ?? 0)
    const all = counts.reduce((sum, count) => sum + count, 0)
    return { ...sae, fired: counts.filter(count => count > 0).length, meanActive: counted === 0 ? 0 : all / counted }
  })
}

function warningsOf({ head: { state, facts } }: Harvested): string[] {
  const cut = state.idsLeftOut === 0 ? [] : [`${state.idsLeftOut} ids of sequences over ${facts.context} tokens were left out`]
  const infinite = state.infinite === 0 ? [] : [`${state.infinite} activations are infinite and in no number`]
  return [...state.warnings, ...cut, ...infinite]
}

interface Working {
  readonly signal: AbortSignal
  readonly tell: (event: Exclude<HarvestEvent, { type: 'result' }>) => void
}

/** Runs what is left of a harvest; gives what there is of it. */
async function harvestFile(
  prepared: PreparedHarvest,
  request: HarvestRequest,
  services: HarvestServices,
  working: Working
): Promise<Harvested> {
  const { work, file } = prepared
  const host = {
    run: (job: HarvestJob) => services.inference.harvest(job, working.signal),
    onProgress: (progress: HarvestProgress) => working.tell(progress)
  }
  if (request.anew) await fs.rm(file, { force: true })
  let counter: PassCounter | null = null
  const kept = (await exists(file))
    ? await resumeHarvest(
        file,
        work.facts,
        (tallies, pass) => {
          counter ??= new PassCounter(work.facts, work.part, tallies)
          counter.count(pass)
        },
        services.journalBytes
      )
    : null
  const harvested = kept?.harvestFile ?? new HarvestFile(file, services.journalBytes)
  working.tell({ type: 'plan', plan: { ...prepared.summary, tokensKept: kept?.head.state.tokens ?? null } })
  try {
    const tallies = kept?.tallies ?? emptyTallies(work.facts)
    return await new Harvest(work, host, harvested, tallies, kept?.head ?? null).run()
  } finally {
    await harvested.close()
  }
}

async function runHarvest(request: HarvestRequest, services: HarvestServices, working: Working): Promise<HarvestResult> {
  const prepared = await prepareHarvest(request, services)
  const { summary, file, isHomes, work } = prepared
  checkMemory(summary)
  const waiting = new SpliceError('run/cancelled', 'the harvest was cancelled')
  await fs.mkdir(path.dirname(file), { recursive: true }).catch(thrown => {
    throw notWritten(file, thrown)
  })
  const options = { signal: working.signal, onWait: () => undefined, cancelled: () => waiting }
  return withLock(`${file}.lock`, options, async () => {
    const harvested = await harvestFile(prepared, request, services, working)
    const { state } = harvested.head
    const goesToMirror = request.shard === undefined
    if (goesToMirror) {
      const last = { type: 'progress', stage: 'writing', tokens: state.tokens, totalTokens: state.tokens, totalIsExact: true } as const
      const onProgress = (fraction: number) => working.tell({ ...last, tokensPerSecond: null, secondsLeft: null, fraction })
      await writeSources({ ...harvested, textOf: work.tokenText }, services, { signal: working.signal, onProgress })
    }
    if (isHomes) await fs.rm(file, { force: true })
    return {
      model: work.facts.model,
      saes: firedOf(work.facts, harvested.tallies, state.counted),
      tokens: state.tokens,
      counted: state.counted,
      sequences: state.sequences,
      idsLeftOut: state.idsLeftOut,
      textEnded: state.position.tokens < request.tokens,
      shard: request.shard ?? null,
      file: isHomes ? null : file,
      inMirror: goesToMirror,
      memoryBytes: summary.memoryBytes,
      context: work.facts.context,
      processing: processingFlag.array().parse(work.facts.processing),
      processingReason: prepared.processingReason,
      provider: state.provider?.name ?? 'cpu',
      providerReason: state.provider?.reason ?? '',
      warnings: warningsOf(harvested),
      seconds: state.seconds
    }
  })
}

/** The harvests of an engine: one at a time, for each holds much memory. */
export class Harvests {
  readonly #services: HarvestServices
  #underWay: { readonly what: string; readonly signal: AbortSignal | null; readonly ended: Promise<void> } | null = null

  constructor(services: HarvestServices) {
    this.#services = services
  }

  plan(request: HarvestRequest): Promise<HarvestPlan> {
    return planHarvest(request, this.#services)
  }

  /** Runs a harvest to its end; ending the iteration early stops it, and what is done is kept. Throws `harvest/busy`, and what is wrong. */
  run(request: HarvestRequest, signal: AbortSignal | undefined): AsyncGenerator<HarvestEvent, void> {
    return streamWork<Exclude<HarvestEvent, { type: 'result' }>, HarvestEvent>(signal, (working, tell) =>
      this.#alone('a harvest', working, async () => ({
        type: 'result',
        result: await runHarvest(request, this.#services, { signal: working, tell })
      }))
    )
  }

  /** Puts harvests together. Throws `harvest/busy`, and what is wrong with a file. */
  merge(request: HarvestMergeRequest, signal: AbortSignal | undefined): AsyncGenerator<HarvestMergeEvent, void> {
    type Report = Exclude<HarvestMergeEvent, { type: 'result' }>
    return streamWork<Report, HarvestMergeEvent>(signal, (working, tell) =>
      this.#alone('a merge', working, async () => ({ type: 'result', result: await this.#merge(request, working, tell) }))
    )
  }

  async #alone<Result>(what: string, signal: AbortSignal | null, work: () => Promise<Result>): Promise<Result> {
    // One that was cancelled is about to end.
    while (this.#underWay?.signal?.aborted === true) await this.#underWay.ended
    if (this.#underWay !== null) {
      throw new SpliceError('harvest/busy', `${this.#underWay.what} is under way`, { hint: 'Wait for it, or cancel it first.' })
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    this.#underWay = { what, signal, ended }
    try {
      return await work()
    } finally {
      this.#underWay = null
      resolve()
    }
  }

  async #merge(
    { files, name, out, toMirror, memoryLimit }: HarvestMergeRequest,
    signal: AbortSignal,
    tell: (event: Exclude<HarvestMergeEvent, { type: 'result' }>) => void
  ): Promise<HarvestMergeResult> {
    const started = performance.now()
    const plan = await planMerge(files)
    const { facts, state, missing } = plan
    const features = facts.saes.reduce((sum, sae) => sum + sae.features, 0)
    const memoryBytes = features * bytesOfFeature(facts.shape)
    const limit = memoryLimitOf(memoryLimit)
    if (memoryBytes > limit) {
      const words = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`
      throw new SpliceError('harvest/memory', `the parts need ${words(memoryBytes)} of memory, but ${words(limit)} are allowed`, {
        field: 'memoryLimit',
        hint: 'Merge on a machine with more, or raise --memory-limit.'
      })
    }
    const cancelled = new SpliceError('run/cancelled', 'the merge was cancelled')
    const { tallies, texts } = await mergeHarvests(plan, done => {
      if (signal.aborted) throw cancelled
      tell({ type: 'progress', stage: 'reading', fraction: done / files.length })
    })
    const named =
      name === undefined ? facts : { ...facts, saes: facts.saes.map(sae => ({ ...sae, source: renamed(sae.source, name, facts) })) }
    const harvested: Harvested = { head: { facts: named, state }, tallies }
    if (out !== undefined) {
      const file = new HarvestFile(path.resolve(out))
      await file.write({ ...harvested, texts })
      await file.close()
    }
    if (toMirror) {
      const known = new Map(texts)
      const onProgress = (fraction: number) => tell({ type: 'progress', stage: 'writing', fraction })
      await writeSources({ ...harvested, textOf: id => known.get(id) ?? `[${id}]` }, this.#services, { signal, onProgress })
    }
    const absent = missing.length === 0 ? [] : [`not all shards are there: ${missing.join(', ')} missing`]
    return {
      model: named.model,
      saes: firedOf(named, tallies, state.counted),
      tokens: state.tokens,
      counted: state.counted,
      sequences: state.sequences,
      inMirror: toMirror,
      memoryBytes,
      warnings: [...warningsOf(harvested), ...absent],
      parts: named.parts.length,
      file: out === undefined ? null : path.resolve(out),
      seconds: (performance.now() - started) / 1000
    }
  }

  /** Harvests that the home keeps, for they were begun and not ended; those that cannot be read are left out. */
  async unfinished(): Promise<UnfinishedHarvest[]> {
    const folder = harvestFolder(this.#services.home)
    const names = await fs.readdir(folder).catch(() => [])
    const found = await Promise.all(
      names
        .filter(name => name.endsWith('.harvest'))
        .map(async (name): Promise<UnfinishedHarvest[]> => {
          const file = path.join(folder, name)
          const head = await readHead(file).catch(() => null)
          const request = harvestRequest.safeParse(head?.facts.request)
          if (head === null || !request.success || request.data.shard !== undefined) return []
          const { mtime } = await fs.stat(file)
          return [{ file, request: request.data, tokens: head.state.tokens, changedAt: mtime.toISOString() }]
        })
    )
    return found.flat().sort((a, b) => (a.changedAt < b.changedAt ? 1 : -1))
  }

  /** Forgets a harvest that the home keeps. Throws `harvest/not-kept` for another file, `harvest/busy`. */
  discard(file: string): Promise<void> {
    if (path.dirname(path.resolve(file)) !== path.resolve(harvestFolder(this.#services.home)) || !file.endsWith('.harvest')) {
      throw new SpliceError('harvest/not-kept', `${file} is no harvest that the home keeps`, { file, hint: 'Remove other files yourself.' })
    }
    return this.#alone('forgetting a harvest', null, () => fs.rm(file, { force: true }))
  }
}

/** A source's name with another name of the harvest in it: with several SAEs the end, which tells them apart, stays. */
function renamed(source: string, name: string, { saes, request }: HarvestFacts): string {
  const slash = source.indexOf('/')
  const [, layer = '', rest = ''] = /^(\d+-)?(.*)$/.exec(source.slice(slash + 1)) ?? []
  const before = harvestRequest.safeParse(request).data?.name ?? 'own'
  const end = rest.startsWith(`${before}-`) ? rest.slice(before.length) : `-${rest}`
  return `${source.slice(0, slash)}/${layer}${name}${saes.length > 1 ? end : ''}`
}
