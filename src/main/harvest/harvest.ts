/**
 * A harvest from text to tallies: reads sequences, has passes run, counts what they say. Passes are asked for ahead, so that reading,
 * running and counting go on side by side, and each is kept in the file when it is counted.
 *
 * Passes are cut from the whole text, whatever share of it is harvested: the shares of several machines run the very same passes that one
 * machine would, so that their numbers are the same to the last bit.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { HarvestProgress } from '../../contract/harvest.ts'
import { Pace } from '../corpus/pace.ts'
import { type Pass, type PassSize, passesOf, type Window, windowsOf } from '../corpus/passes.ts'
import type { HarvestedPass, HarvestJob } from '../inference/harvest-messages.ts'
import type { HarvestFile, PassRecord } from './harvest-file.ts'
import { beginningState, type HarvestFacts, type HarvestHead, type HarvestPart, type HarvestPosition } from './harvest-head.ts'
import { PassTally, TextPlaces } from './pass-tally.ts'
import type { SaeTally } from './sae-tally.ts'
import { readTexts, type TextReading, type TextSequence } from './text-sequences.ts'
import { TokenHash } from './token-hash.ts'

/** Passes that are asked for before the first of them is counted. */
const passesAhead = 3
/** Passes of a window: within one, sequences of about one length meet. */
const passesPerWindow = 8

/** What is to be harvested from what, with everything decided. */
export interface HarvestWork {
  readonly facts: HarvestFacts
  readonly part: HarvestPart
  readonly reading: TextReading
  readonly batchTokens: number
  readonly isSpecial: (id: number) => boolean
  /** The text of a token id. */
  readonly tokenText: (id: number) => string
  readonly job: Omit<HarvestJob, 'ids' | 'length' | 'counted'>
}

export interface HarvestHost {
  /** Has a pass run after those before it. */
  run(job: HarvestJob): Promise<HarvestedPass>
  onProgress(progress: HarvestProgress): void
}

/** What there is of a harvest. */
export interface Harvested {
  readonly head: HarvestHead
  readonly tallies: readonly SaeTally[]
}

/** A pass that was asked for. */
interface PassUnderWay {
  readonly text: Omit<PassRecord, 'saes' | 'state'>
  readonly counted: number
  readonly idsLeftOut: number
  /** Where the harvest is when it is counted. */
  readonly position: HarvestPosition
  readonly answer: Promise<HarvestedPass>
}

/** Tells one text from another in the hashes of places. */
export function seedOf({ text }: Pick<HarvestPart, 'text'>): number {
  const hash = new TokenHash()
  for (const letter of text) hash.add(letter.codePointAt(0) ?? 0)
  return hash.value % 2 ** 32
}

/** Counts passes: those that run, and those that a file has. */
export class PassCounter {
  readonly #tallies: readonly PassTally[]
  readonly #facts: HarvestFacts
  readonly #seed: number

  constructor(facts: HarvestFacts, part: HarvestPart, tallies: readonly SaeTally[]) {
    this.#facts = facts
    this.#seed = seedOf(part)
    this.#tallies = tallies.map(tally => new PassTally(tally))
  }

  /** Counts a pass, and gives how many activations are infinite. */
  count({ saes, ...text }: Omit<PassRecord, 'state'>): number {
    const places = new TextPlaces(text, this.#facts.shape, this.#seed)
    return this.#tallies.reduce((sum, tally, at) => {
      const reading = saes[at]
      return reading === undefined ? sum : sum + tally.add(reading, places)
    }, 0)
  }
}

export class Harvest {
  readonly #work: HarvestWork
  readonly #host: HarvestHost
  readonly #file: HarvestFile
  readonly #tallies: readonly SaeTally[]
  readonly #counter: PassCounter
  readonly #pace: Pace
  readonly #startedAt = performance.now()
  readonly #secondsBefore: number
  readonly #underWay: PassUnderWay[] = []
  #state = beginningState
  #wasKept: boolean

  /** `kept` is what a file had of it; without it, `tallies` are empty. */
  constructor(work: HarvestWork, host: HarvestHost, file: HarvestFile, tallies: readonly SaeTally[], kept: HarvestHead | null) {
    this.#work = work
    this.#host = host
    this.#file = file
    this.#tallies = tallies
    this.#counter = new PassCounter(work.facts, work.part, tallies)
    this.#wasKept = kept !== null
    if (kept !== null) this.#state = kept.state
    this.#secondsBefore = this.#state.seconds
    const bytes = work.reading.files.reduce((sum, file) => sum + file.bytes, 0)
    this.#pace = new Pace(bytes, this.#state.tokens, Math.ceil(work.part.tokens / work.part.of))
  }

  /** Runs it to its end. Throws what is wrong with a text, a pass or the file, and what a cancel throws; the file has what was counted. */
  async run(): Promise<Harvested> {
    this.#tell('opening')
    if (!this.#state.isWhole) {
      if (!this.#wasKept) await this.#write([])
      await this.#runPasses()
      this.#state = { ...this.#state, isWhole: true, seconds: this.#seconds() }
      await this.#write(this.#texts())
    }
    return { head: this.#head(), tallies: this.#tallies }
  }

  #head(): HarvestHead {
    return { facts: this.#work.facts, state: this.#state }
  }

  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#startedAt) / 1000
  }

  #tell(stage: HarvestProgress['stage']): void {
    this.#host.onProgress({ ...this.#pace.progress('running'), stage })
  }

  async #write(texts: readonly (readonly [number, string])[]): Promise<void> {
    await this.#file.write({ head: this.#head(), tallies: this.#tallies, texts })
  }

  async #runPasses(): Promise<void> {
    const { batchTokens, part, reading } = this.#work
    const { cursor, sequences, tokens } = this.#state.position
    const texts = readTexts(reading, cursor, { before: sequences, tokens, most: part.tokens })
    const size: PassSize = { batchTokens: batchTokens * passesPerWindow, saelensBatch: 1 }
    try {
      for await (const window of windowsOf(texts, cursor, size)) await this.#runWindow(window)
      this.#pace.endReading()
      while (this.#underWay.length > 0) await this.#countNext()
    } catch (thrown) {
      // Those behind the one that failed fail unheard.
      for (const { answer } of this.#underWay) answer.catch(() => undefined)
      throw thrown
    }
  }

  #window = { passes: 0, sequences: 0, tokens: 0, isFirst: true }

  async #runWindow({ sequences, start, next }: Window<TextSequence>): Promise<void> {
    const { part, batchTokens } = this.#work
    if (this.#window.isFirst) {
      const { passes, sequences: before, tokens } = this.#state.position
      this.#window = { passes, sequences: before, tokens, isFirst: true }
    }
    const { isFirst, ...before } = this.#window
    const behind = isFirst ? this.#state.position.passesBehind : 0
    const lengths = sequences.map(({ ids }) => ids.length)
    const passes = passesOf(lengths, { batchTokens })
    const after = {
      passes: before.passes + passes.length,
      sequences: before.sequences + sequences.length,
      tokens: before.tokens + lengths.reduce((sum, length) => sum + length, 0)
    }
    for (const [at, pass] of passes.entries()) {
      if (at < behind || (before.passes + at) % part.of !== part.index - 1) continue
      const position: HarvestPosition =
        at === passes.length - 1 ? { cursor: next, passesBehind: 0, ...after } : { cursor: start, passesBehind: at + 1, ...before }
      this.#ask(sequences, pass, position)
      while (this.#underWay.length >= passesAhead) await this.#countNext()
    }
    this.#window = { ...after, isFirst: false }
  }

  #ask(sequences: readonly TextSequence[], { places, length }: Pass, position: HarvestPosition): void {
    const rows = places.flatMap(place => sequences[place] ?? [])
    const ids = new Int32Array(rows.length * length)
    const counted = new Uint8Array(ids.length)
    for (const [row, sequence] of rows.entries()) {
      ids.set(sequence.ids, row * length)
      for (const [token, id] of sequence.ids.entries()) counted[row * length + token] = Number(this.#counts(id))
      this.#pace.read(sequence.ids.length, sequence.readTo)
    }
    const answer = this.#host.run({ ...this.#work.job, ids, length, counted })
    // Awaited later: until then nobody hears of its failure.
    answer.catch(() => undefined)
    this.#underWay.push({
      text: { ids, length, lengths: rows.map(row => row.ids.length), numbers: rows.map(row => row.number) },
      counted: counted.reduce((sum, one) => sum + one, 0),
      idsLeftOut: rows.reduce((sum, { leftOut }) => sum + leftOut, 0),
      position,
      answer
    })
  }

  #counts(id: number): boolean {
    return this.#work.facts.countSpecial || !this.#work.isSpecial(id)
  }

  /** Waits for the first pass that was asked for, counts and keeps it. */
  async #countNext(): Promise<void> {
    const [underWay] = this.#underWay
    if (underWay === undefined) return
    const { answer, text, counted, idsLeftOut, position } = underWay
    const { saes, provider, providerReason, warning } = await answer
    this.#underWay.shift()
    const infinite = this.#counter.count({ ...text, saes })
    const before = this.#state
    this.#state = {
      position,
      tokens: before.tokens + text.lengths.reduce((sum, length) => sum + length, 0),
      counted: before.counted + counted,
      sequences: before.sequences + text.lengths.length,
      idsLeftOut: before.idsLeftOut + idsLeftOut,
      infinite: before.infinite + infinite,
      provider: { name: provider, reason: providerReason },
      warnings: warning === null || before.warnings.includes(warning) ? before.warnings : [...before.warnings, warning],
      seconds: this.#seconds(),
      isWhole: false
    }
    await this.#file.append({ ...text, saes, state: this.#state })
    if (this.#file.isLong) await this.#write([])
    this.#pace.done(this.#state.tokens)
    this.#tell('running')
    await nextTurn()
  }

  /** Texts of the token ids in all examples. */
  #texts(): [number, string][] {
    const ids = new Set<number>()
    for (const tally of this.#tallies) {
      for (let feature = 0; feature < tally.features; feature++) {
        const known = tally.read(feature)
        for (const example of known === null ? [] : [known.top, ...known.intervals].flat()) for (const id of example.ids) ids.add(id)
      }
    }
    return [...ids].sort((a, b) => a - b).map(id => [id, this.#work.tokenText(id)])
  }
}
