/** How far Splice is from TransformerLens and SAELens on fixtures/golden: the largest differences of every case that it can run. */
import type { Provider } from '../../../contract/run.ts'
import { openCheckpoint } from '../../checkpoint/checkpoint.ts'
import { formats } from '../../sae/formats/registry.ts'
import { openSae } from '../../sae/open.ts'
import { families } from '../../transformer/registry.ts'
import { golden, promptOf, readingOf, runAndSave, tensorsOf, type Values, variantOf } from './golden-files.ts'
import { type ModelCase, modelCases } from './model-cases.ts'
import { clean, membersOf, type SaeEntry, saeCase, saeIndex, splicesOf } from './sae-cases.ts'

/** max |a - b|, and that divided by max |b|. Both are infinite where shapes differ or infinities do not match. */
export interface Difference {
  readonly name: string
  readonly absolute: number
  readonly relative: number
  readonly isWithin: boolean
}

/** Which tolerance of fixtures/golden/README.md holds: absolute for logits, absolute and relative for hooks. */
export type Tolerance = 'logits' | 'hook'

/** Compares a tensor with the peers'. */
export function differenceOf(name: string, actual: Values | undefined, expected: Values, tolerance: Tolerance): Difference {
  const broken = { name, absolute: Number.POSITIVE_INFINITY, relative: Number.POSITIVE_INFINITY, isWithin: false }
  if (actual === undefined || actual.shape.join() !== expected.shape.join()) return broken
  let absolute = 0
  let largest = 0
  for (const [place, value] of expected.data.entries()) {
    const other = actual.data[place] ?? Number.NaN
    if (Object.is(value, other) || (value === other && !Number.isFinite(value))) continue
    const difference = Math.abs(value - other)
    // A NaN is further away than anything.
    if (!(difference <= absolute)) absolute = difference
    if (Number.isNaN(difference) || !Number.isFinite(difference)) return broken
  }
  for (const value of expected.data) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value))
  const relative = absolute === 0 ? 0 : absolute / largest
  return { name, absolute, relative, isWithin: tolerance === 'logits' ? absolute <= 5e-4 : absolute <= 1e-4 + 1e-3 * largest }
}

/** What was compared in one golden run: logits, and hook points in the order in which they run. */
interface Compared {
  readonly logits: readonly Difference[]
  readonly hooks: readonly Difference[]
}

/** A family under one reading, alone or with SAEs of one format; the cases of the index that it stands for, and all their differences. */
export interface ParityRow extends Compared {
  readonly family: string
  /** Null for models alone. */
  readonly format: string | null
  readonly reading: string
  readonly cases: readonly string[]
  /** The recorded files that were compared. */
  readonly files: readonly string[]
}

/** What a family is called: the `model_type`s that it reads. */
export function familyName(modelTypes: readonly string[]): string {
  return modelTypes.join(', ')
}

async function familyOf(model: string): Promise<string> {
  const { modelType } = await openCheckpoint(golden('models', model))
  return familyName(families.find(({ modelTypes }) => modelTypes.includes(modelType))?.modelTypes ?? [modelType])
}

/** The tensors of a recorded file against those that a variant saved. `names` maps recorded names to ours. */
async function compareFile(file: string, saved: ReadonlyMap<string, Values>, names = (name: string) => name): Promise<Compared> {
  const expected = await tensorsOf(golden(file))
  const logits = expected.get('output.logits')
  const hooks = [...expected].filter(([name]) => !name.startsWith('output.'))
  return {
    logits: logits === undefined ? [] : [differenceOf('logits', saved.get('logits'), logits, 'logits')],
    hooks: hooks.map(([name, values]) => differenceOf(name, saved.get(names(name)), values, 'hook'))
  }
}

/** What a run saves; throws where the provider gave way to the CPU. */
async function savedBy(job: Parameters<typeof runAndSave>[0] & { readonly provider: Provider }): Promise<Map<string, Values>> {
  const { result, saved } = await runAndSave(job)
  if (job.provider !== 'auto' && result.provider !== job.provider)
    throw new Error(`${job.provider} did not run: ${result.warnings.join('; ')}`)
  return saved
}

async function compareModel({ model, reading, prompt, file }: ModelCase, provider: Provider): Promise<Compared> {
  const { ids } = await promptOf(model, prompt)
  const job = { provider, model: golden('models', model), prompt: { ids }, variants: [clean], ...readingOf(reading) }
  return compareFile(file, variantOf(await savedBy(job), 'clean'))
}

/** A recorded run with SAEs and the case of the index that it belongs to; `kept` are positions that it leaves alone. */
interface SplicedRun {
  readonly id: string
  readonly entries: readonly SaeEntry[]
  readonly prompt: string
  readonly reading: string
  readonly file: string
  readonly errorTerm: boolean
  readonly kept?: readonly number[]
}

async function compareSpliced({ entries, prompt, reading, file, errorTerm, kept }: SplicedRun, provider: Provider): Promise<Compared> {
  const model = golden('models', entries[0]?.model ?? '')
  const { ids } = await promptOf(entries[0]?.model ?? '', prompt)
  const saes = entries.flatMap(membersOf)
  const covered = ids.flatMap((_, position): [number, number][] => (kept?.includes(position) === true ? [] : [[position, position + 1]]))
  const spliced = splicesOf('spliced', saes, errorTerm, kept === undefined ? 'all' : covered)
  const saved = await savedBy({ provider, model, prompt: { ids }, saes, variants: [clean, spliced], ...readingOf(reading) })
  const nameHere = (name: string) => (kept === undefined ? name : name.replace(/\.output$/, '.hook_sae_output'))
  return compareFile(file, variantOf(saved, 'spliced'), nameHere)
}

/** Every recorded run with SAEs; some files belong to two cases. */
function splicedRuns(): SplicedRun[] {
  const withAndWithoutError = (id: string, reading: string, run: { prompt: string; file: string; file_error_term?: string }) => {
    const plain = { id, entries: [saeCase(id)], prompt: run.prompt, reading, file: run.file, errorTerm: false }
    return run.file_error_term === undefined ? [plain] : [plain, { ...plain, file: run.file_error_term, errorTerm: true }]
  }
  const runs: SplicedRun[] = [
    ...saeIndex.saes.flatMap(({ id, runs }) => (runs ?? []).flatMap(run => withAndWithoutError(id, run.model_variant, run))),
    ...saeIndex.extra_variants.flatMap(({ variant, sae_runs: runs }) =>
      (runs ?? []).flatMap(run => withAndWithoutError(run.sae, variant, run))
    ),
    ...saeIndex.spliced_transcoders.map(({ sae, prompt, model_variant: reading, error_term: errorTerm, file }) => ({
      ...{ id: sae, entries: [saeCase(sae)], prompt, reading, file, errorTerm }
    })),
    ...saeIndex.positions.map(({ sae, prompt, model_variant: reading, kept_positions: kept, file }) => ({
      ...{ id: caseOfFile(file), entries: [sae].flat().map(saeCase), prompt, reading, file, errorTerm: false, kept }
    }))
  ]
  return [...new Map(runs.map(run => [`${run.id} ${run.file}`, run])).values()]
}

/** A case that is known by its file alone. */
export function caseOfFile(file: string): string {
  return file.replace(/\.safetensors$/, '')
}

async function formatOf({ entries }: SplicedRun): Promise<string> {
  const [sae] = entries.flatMap(membersOf)
  return sae === undefined ? '' : (await openSae(sae.path)).format
}

/**
 * Runs every case on a provider and gives a row for each family, format and reading. `tell` hears how far it is, `fraction` of 1. Throws
 * where another provider stands in.
 */
export async function measureParity(tell: (fraction: number) => void, provider: Provider = 'cpu'): Promise<ParityRow[]> {
  const works = [
    ...modelCases.map(one => ({
      id: one.model,
      model: one.model,
      reading: one.reading,
      file: one.file,
      format: async () => null,
      compare: () => compareModel(one, provider)
    })),
    ...splicedRuns().map(run => ({
      ...{ id: run.id, model: run.entries[0]?.model ?? '', reading: run.reading, file: run.file },
      ...{ format: () => formatOf(run), compare: () => compareSpliced(run, provider) }
    }))
  ]
  const rows = new Map<string, ParityRow>()
  for (const [done, { id, model, reading, file, format: formatName, compare }] of works.entries()) {
    tell(done / works.length)
    const [family, format, { logits, hooks }] = [await familyOf(model), await formatName(), await compare()]
    const key = [family, format, reading].join('|')
    const before = rows.get(key) ?? { family, format, reading, cases: [], files: [], logits: [], hooks: [] }
    rows.set(key, {
      ...before,
      cases: [...new Set([...before.cases, id])],
      files: [...new Set([...before.files, file])],
      logits: [...before.logits, ...logits],
      hooks: [...before.hooks, ...hooks]
    })
  }
  const place = ({ format }: ParityRow) => formats.findIndex(({ name }) => name === format)
  return [...rows.values()].sort((one, other) => place(one) - place(other))
}
