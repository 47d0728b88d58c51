/**
 * An evaluation from corpus to sums: reads sequences, has passes run, adds up what they say. The next pass is on its way while the
 * last one is added, and what is done is kept after each where a state file is given.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Corpus, EvaluationProgress } from '../../contract/evaluation.ts'
import { Pace } from '../corpus/pace.ts'
import { type PassSize, passesOf, type Window, windowsOf } from '../corpus/passes.ts'
import { type CorpusTokenizer, readSequences, type Sequence } from '../corpus/sequences.ts'
import type { EvaluatedPass, EvaluationJob } from '../inference/evaluation-messages.ts'
import { EvaluationSums } from './evaluation-state.ts'
import { arrangePass, type RowChoice } from './pass-rows.ts'
import { SequenceNumbers } from './sequence-numbers.ts'
import type { Resumed, StateFile } from './state-file.ts'

/** What is to be evaluated on what, with everything decided. */
export interface EvaluationPlan {
  readonly corpus: Corpus
  /** The corpus file's size in bytes. */
  readonly corpusBytes: number
  readonly context: number
  readonly tokenizer: CorpusTokenizer
  readonly size: PassSize
  readonly choice: RowChoice
  readonly countSpecial: boolean
  /** Ids from here on are not in the vocabulary; throws for one that is not. */
  readonly checkIds: (ids: readonly number[], sequence: number) => void
  readonly sae: { readonly width: number; readonly dSae: number }
  readonly job: Omit<EvaluationJob, 'ids' | 'length' | 'rows' | 'counted'>
}

export interface EvaluationHost {
  /** Has a pass run after those before it. */
  run(job: EvaluationJob): Promise<EvaluatedPass>
  onProgress(progress: EvaluationProgress): void
  readonly stateFile: StateFile | null
  readonly resumed: Resumed | null
}

/** A pass that was asked for. */
interface PassUnderWay {
  readonly window: WindowNumbers
  readonly answer: Promise<EvaluatedPass>
  /** Whether the state file has it already. */
  readonly isKept: boolean
  take(pass: EvaluatedPass): void
}

/** A window's sequences and what is known of them; sums are made when all is there, in the corpus's order. */
interface WindowNumbers {
  readonly window: Window
  readonly numbers: (SequenceNumbers | undefined)[]
  readonly counts: Float32Array[]
  awaited: number
}

/** Runs an evaluation to its end and gives its sums. Throws what is wrong with the corpus, the state file or a pass. */
export async function evaluate(plan: EvaluationPlan, host: EvaluationHost): Promise<EvaluationSums> {
  const sums = new EvaluationSums(plan.sae, host.resumed?.state ?? null)
  if (!sums.isWhole) await new Evaluation(plan, host, sums).run()
  return sums
}

class Evaluation {
  readonly #plan: EvaluationPlan
  readonly #host: EvaluationHost
  readonly #sums: EvaluationSums
  readonly #pace: Pace
  readonly #startedAt = performance.now()
  readonly #secondsBefore: number
  /** Passes of the first window that a state file had. */
  readonly #kept: EvaluatedPass[]
  #underWay: PassUnderWay | null = null

  constructor(plan: EvaluationPlan, host: EvaluationHost, sums: EvaluationSums) {
    this.#plan = plan
    this.#host = host
    this.#sums = sums
    this.#secondsBefore = sums.seconds
    this.#kept = [...(host.resumed?.passes ?? [])]
    this.#pace = new Pace(plan.corpusBytes, sums.textbook.state.tokens)
  }

  async run(): Promise<void> {
    const { size } = this.#plan
    this.#host.onProgress(this.#pace.progress('opening'))
    if (this.#host.resumed === null) await this.#host.stateFile?.write(this.#sums.state)
    const { cursor } = this.#sums
    for await (const window of windowsOf(this.#sequences(), cursor, size)) await this.#runWindow(window)
    this.#pace.endReading()
    await this.#takeUnderWay()
    this.#sums.isWhole = true
    await this.#writeState()
  }

  async *#sequences(): AsyncGenerator<Sequence, void> {
    const { corpus, context, tokenizer, checkIds } = this.#plan
    let index = this.#sums.sequences
    for await (const sequence of readSequences(corpus, context, tokenizer, this.#sums.cursor)) {
      checkIds(sequence.ids, index)
      index += 1
      this.#pace.read(sequence.ids.length, sequence.readTo)
      yield sequence
    }
  }

  async #runWindow(window: Window): Promise<void> {
    const { sequences } = window
    const passes = passesOf(
      sequences.map(({ ids }) => ids.length),
      this.#plan.size
    )
    const gathered: WindowNumbers = { window, numbers: sequences.map(() => undefined), counts: [], awaited: passes.length }
    for (const pass of passes) {
      const ids = pass.places.map(place => sequences[place]?.ids ?? [])
      const { roles, ...arranged } = arrangePass(ids, pass, this.#plan.choice)
      const kept = this.#kept.shift()
      const answer = kept === undefined ? this.#host.run({ ...this.#plan.job, ...arranged }) : Promise.resolve(kept)
      // Awaited later: until then nobody hears of its failure.
      answer.catch(() => undefined)
      const next: PassUnderWay = {
        window: gathered,
        answer,
        isKept: kept !== undefined,
        take({ numbers }) {
          for (const [row, place] of pass.places.entries()) {
            gathered.numbers[place] = new SequenceNumbers(ids[row] ?? [], numbers, roles, { row, length: pass.length })
          }
          gathered.counts.push(numbers.featureCounts)
        }
      }
      await this.#takeUnderWay()
      this.#underWay = next
    }
  }

  /** Waits for the pass that was asked for before, keeps and adds it. */
  async #takeUnderWay(): Promise<void> {
    const underWay = this.#underWay
    if (underWay === null) return
    this.#underWay = null
    const pass = await underWay.answer
    underWay.take(pass)
    this.#sums.provider = { name: pass.provider, reason: pass.providerReason }
    if (pass.warning !== null) this.#sums.warnings.add(pass.warning)
    const { window, isKept } = underWay
    window.awaited -= 1
    const isWhole = window.awaited === 0
    if (isWhole) {
      await this.#addWindow(window)
      await this.#writeState()
    } else if (!isKept) await this.#host.stateFile?.append(pass)
    const held = isWhole ? 0 : window.numbers.reduce((sum, sequence) => sum + (sequence?.length ?? 0), 0)
    this.#pace.done(this.#sums.textbook.state.tokens + held)
    this.#host.onProgress(this.#pace.progress('running'))
  }

  async #addWindow({ window, numbers, counts }: WindowNumbers): Promise<void> {
    const { choice, countSpecial, size } = this.#plan
    const sums = this.#sums
    const all = () => true
    const excluding = (id: number) => !choice.isSpecial(id)
    const sequences = numbers.flatMap(sequence => (sequence === undefined ? [] : [sequence]))
    for (const sequence of sequences) {
      sums.textbook.add(sequence, countSpecial ? all : excluding)
      await nextTurn()
    }
    for (let first = 0; first < sequences.length; first += size.saelensBatch) {
      const batch = sequences.slice(first, first + size.saelensBatch)
      await sums.all.addBatch(batch, all)
      await sums.excluding.addBatch(batch, excluding)
    }
    for (const pass of counts) {
      for (const [place, count] of pass.entries()) sums.featureCounts[place] = (sums.featureCounts[place] ?? 0) + count
    }
    sums.sequences += window.sequences.length
    sums.idsLeftOut += window.sequences.reduce((sum, { leftOut }) => sum + leftOut, 0)
    sums.cursor = window.next
  }

  async #writeState(): Promise<void> {
    this.#sums.seconds = this.#secondsBefore + (performance.now() - this.#startedAt) / 1000
    await this.#host.stateFile?.write(this.#sums.state)
  }
}
