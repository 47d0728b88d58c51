/** Harvests put together: shares of one text, or the same SAEs on several texts. What comes of it does not depend on the order. */
import { SpliceError } from '../../contract/errors.ts'
import { absorb, differenceOf, emptyTallies, harvestRecords, readHead } from './harvest-file.ts'
import type { HarvestFacts, HarvestHead, HarvestPart, HarvestState } from './harvest-head.ts'
import type { SaeTally } from './sae-tally.ts'

/** Files that are to be put together, their beginnings read and compared. */
export interface MergePlan {
  readonly files: readonly string[]
  readonly facts: HarvestFacts
  readonly state: HarvestState
  /** Shares of a text that are not among them, in words. */
  readonly missing: readonly string[]
}

function nameOf({ index, of }: HarvestPart): string {
  return `shard ${index}/${of}`
}

function refusePair(file: string, other: string, problem: string, hint: string): never {
  throw new SpliceError('harvest/no-merge', `${file} and ${other} cannot be put together: ${problem}`, { file, field: 'files', hint })
}

/** Throws where two files have something in common, or are of different harvests. */
function compare(one: { file: string; head: HarvestHead }, other: { file: string; head: HarvestHead }): void {
  const difference = differenceOf(one.head.facts.kin, other.head.facts.kin)
  if (difference !== null) refusePair(other.file, one.file, difference, 'Merge harvests of one model, the same SAEs and the same settings.')
  for (const mine of one.head.facts.parts) {
    for (const its of other.head.facts.parts.filter(({ text }) => text === mine.text)) {
      if (mine.of !== its.of || mine.tokens !== its.tokens) {
        refusePair(other.file, one.file, `they share one text otherwise (${nameOf(mine)}, ${nameOf(its)})`, 'Merge shards of one harvest.')
      }
      if (mine.index === its.index) refusePair(other.file, one.file, `both hold ${nameOf(mine)}`, 'Name each shard once.')
    }
  }
}

function missingOf(parts: readonly HarvestPart[]): string[] {
  const texts = new Map<string, HarvestPart[]>()
  for (const part of parts) texts.set(part.text, [...(texts.get(part.text) ?? []), part])
  return [...texts.values()].flatMap(shares => {
    const [{ of, text, tokens }] = shares as [HarvestPart]
    const there = new Set(shares.map(({ index }) => index))
    return Array.from({ length: of }, (_, at) => ({ index: at + 1, of, text, tokens }))
      .filter(({ index }) => !there.has(index))
      .map(nameOf)
  })
}

/** Reads what is to be put together. Throws `harvest/...` naming the file that does not fit. */
export async function planMerge(files: readonly string[]): Promise<MergePlan> {
  const opened: { file: string; head: HarvestHead }[] = []
  for (const file of files) {
    const head = await readHead(file)
    if (!head.state.isWhole) {
      throw new SpliceError('harvest/unfinished', `${file} is not harvested to its end`, {
        file,
        hint: 'Give the command that made it again: it goes on where it stopped.'
      })
    }
    for (const one of opened) compare(one, { file, head })
    opened.push({ file, head })
  }
  // In an order of their own, so that what is said of the whole does not depend on how they were named.
  const keyOf = ({ head }: { head: HarvestHead }) =>
    head.facts.parts.map(({ text, index }) => `${text} ${String(index).padStart(6, '0')}`).join()
  const sorted = opened.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const [first] = sorted
  if (first === undefined) throw new SpliceError('harvest/no-merge', 'no file is named', { field: 'files', hint: 'Name harvests.' })
  const parts = sorted.flatMap(({ head }) => head.facts.parts)
  const texts = new Map(sorted.flatMap(({ head }) => head.facts.texts.map(text => [`${text.path} ${text.bytes}`, text] as const)))
  const states = sorted.map(({ head }) => head.state)
  const sum = (of: (state: HarvestState) => number) => states.reduce((all, state) => all + of(state), 0)
  return {
    files: sorted.map(({ file }) => file),
    facts: { ...first.head.facts, parts, texts: [...texts.values()], request: null },
    state: {
      ...first.head.state,
      tokens: sum(({ tokens }) => tokens),
      counted: sum(({ counted }) => counted),
      sequences: sum(({ sequences }) => sequences),
      idsLeftOut: sum(({ idsLeftOut }) => idsLeftOut),
      infinite: sum(({ infinite }) => infinite),
      seconds: sum(({ seconds }) => seconds),
      warnings: [...new Set(states.flatMap(({ warnings }) => warnings))]
    },
    missing: missingOf(parts)
  }
}

/** Puts them together. `onFile` hears of each file that is in, and may throw. Throws `harvest/...`. */
export async function mergeHarvests(
  { files, facts }: MergePlan,
  onFile: (done: number) => void
): Promise<{ tallies: SaeTally[]; texts: [number, string][] }> {
  const tallies = emptyTallies(facts)
  const texts = new Map<number, string>()
  for (const [at, file] of files.entries()) {
    for await (const record of harvestRecords(file)) {
      if (record.kind === 'tally') for (const one of record.features) absorb(file, tallies, one)
      if (record.kind === 'texts') for (const [id, text] of record.texts) texts.set(id, text)
    }
    onFile(at + 1)
  }
  return { tallies, texts: [...texts].sort(([a], [b]) => a - b) }
}
