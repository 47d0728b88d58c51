/** Harvests for tests, their passes run in this process; what goes to the mirror is kept as rows. */
import fs from 'node:fs/promises'
import {
  type HarvestEvent,
  type HarvestMergeResult,
  type HarvestResult,
  harvestMergeRequest,
  harvestRequest
} from '../../contract/harvest.ts'
import type { FeatureRow } from '../harvest/feature-rows.ts'
import { CompiledPlans } from '../inference/compiled.ts'
import { harvestPass } from '../inference/harvest.ts'
import type { HarvestJob } from '../inference/harvest-messages.ts'
import { OpenModels } from '../inference/models.ts'
import { defaultBudget } from '../inference/plan.ts'
import { Harvests } from './harvests.ts'

/** What a test may do in a harvest. */
export interface HarvestHooks {
  /** Sees each pass before it runs; what it throws is what the pass throws. */
  readonly beforePass?: (job: HarvestJob) => void
  readonly journalBytes?: number
  readonly onEvent?: (event: HarvestEvent) => void
}

/** Models and sessions that harvests of one test file share. */
const state = { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }

/** Rows of each source as the mirror was given them, line by line: equal rows are equal byte by byte. */
export type WrittenRows = ReadonlyMap<string, readonly string[]>

/** The harvests of an engine without a mirror, and what was written. */
export function harvestsOf(home: string, hooks: HarvestHooks = {}) {
  const written = new Map<string, string[]>()
  let last: Promise<unknown> = Promise.resolve()
  const harvests = new Harvests({
    home,
    mirror: {
      sources: async () => [],
      async writeOwnSource({ file, model, layer }) {
        const rows = (await fs.readFile(file, 'utf8')).trimEnd().split('\n')
        written.set(`${model}/${layer}`, rows)
        return { features: rows.length }
      }
    },
    inference: {
      harvest(job) {
        const turn = last.then(() => {
          hooks.beforePass?.(job)
          return harvestPass(job, state, async () => undefined)
        })
        last = turn.catch(() => undefined)
        return turn
      }
    },
    announceStatus: () => undefined,
    ...(hooks.journalBytes === undefined ? {} : { journalBytes: hooks.journalBytes })
  })
  return { harvests, written }
}

/** Runs a harvest; `request` is parsed first, so defaults need not be there. */
export async function harvestHere(
  home: string,
  request: Readonly<Record<string, unknown>>,
  hooks: HarvestHooks = {}
): Promise<{ result: HarvestResult; written: WrittenRows }> {
  const { harvests, written } = harvestsOf(home, hooks)
  for await (const event of harvests.run(harvestRequest.parse(request), undefined)) {
    hooks.onEvent?.(event)
    if (event.type === 'result') return { result: event.result, written }
  }
  throw new Error('the harvest gave no result')
}

/** Puts harvests together. */
export async function mergeHere(
  home: string,
  request: Readonly<Record<string, unknown>>
): Promise<{ result: HarvestMergeResult; written: WrittenRows }> {
  const { harvests, written } = harvestsOf(home)
  for await (const event of harvests.merge(harvestMergeRequest.parse(request), undefined)) {
    if (event.type === 'result') return { result: event.result, written }
  }
  throw new Error('the merge gave no result')
}

/** A written row, read. */
export function rowOf(written: WrittenRows, source: string, index: number): FeatureRow {
  return JSON.parse(written.get(source)?.[index] ?? 'null')
}
