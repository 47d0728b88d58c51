/**
 * Tries an SAE at other hook points and readings of a model on a prompt, and says which has the numbers that are published of it:
 * docs/wrong-tensor.md. Each forward pass shows every place that its processing makes a difference for; nothing is spliced.
 */
import path from 'node:path'
import { SpliceError } from '../../../contract/errors.ts'
import { fromMaybeNumber, toMaybeNumber } from '../../../contract/numbers.ts'
import type { Prompt } from '../../../contract/run.ts'
import type { SaeCheck, SaeCheckEvent, SaeCheckRequest, SaeTry, TriedBos } from '../../../contract/sae-check.ts'
import type { InferenceJob, MeasureResult } from '../../inference/messages.ts'
import { readingFacts } from '../../library/releases.ts'
import { attach } from '../../sae/fit.ts'
import { openSae } from '../../sae/open.ts'
import { readHookedConfig } from '../../transformer/hooked-config.ts'
import { openModel, plainReading } from '../../transformer/model.ts'
import { processingEffects } from '../../transformer/processing-effects.ts'
import { readTransformer } from '../../transformer/registry.ts'
import type { InferenceProcess } from '../inference-process.ts'
import { chooseProcessing } from '../processing.ts'
import { withProgress } from '../progress.ts'
import { openRunSae } from '../sae-loadings.ts'
import { alarmOf, fewestPositions, fits, l0Ratio, timesOff, unexplainedRatio } from './alarm.ts'
import { type Pass, passesOf } from './passes.ts'
import { type Place, placesOf } from './places.ts'
import { verdictOf } from './verdict.ts'

export interface CheckServices {
  readonly inference: InferenceProcess
  readonly home: string
}

/** A norm factor as a run asks for it (undefined: the SAE's own) and as it is in force. */
interface Factor {
  readonly asked: number | undefined
  readonly inForce: number | null
}

type Measured = MeasureResult['saes'][number]
type Tell = (stage: string, fraction: number) => void

const clean = { name: 'clean', splices: [] }

/** Everything that a check knows before it runs anything. */
async function prepare(request: SaeCheckRequest, { home }: CheckServices) {
  const { sae, known, loading, published } = await openRunSae(request.sae)
  const { flags } = chooseProcessing(request.processing, [loading])
  const model = await openModel(request.model)
  const { hook } = attach(sae, model.hookPoints, model.name)
  const present = { hook, hookOut: sae.hookOut }
  const { config, hasValueBiases } = readHookedConfig(model.checkpoint.config)
  const effects = config === null ? [] : processingEffects(config, hasValueBiases)
  const ownPlace = await ownPlaceOf(request.sae.path)
  const places = placesOf(sae, present, ownPlace, model.hookPoints, model.layers)
  const own = await openSae(request.sae.path, { hook, hookOut: sae.hookOut ?? undefined, release: readingFacts(known) })
  const readers = await Promise.all(
    places.map(async place => {
      const { readsGain } = await openSae(request.sae.path, { hook: place.hook, hookOut: place.hookOut ?? undefined })
      return [place.hook, readsGain] as const
    })
  )
  const gains = new Map(readers)
  const passes = passesOf(places, flags, effects, at => gains.get(at) === true)
  const base: Omit<InferenceJob, 'saes' | 'processing' | 'prompt'> = {
    model: request.model,
    variants: [clean],
    layerOrder: request.layerOrder,
    topK: 1,
    topFeatures: 0,
    // Both ways of counting come out of one pass: without special tokens, and with them beside it.
    metricPositions: 'no-special',
    provider: request.provider,
    precision: request.precision,
    hooks: 'none',
    cacheFolder: path.join(home, 'cache')
  }
  const { bosId } = readTransformer(model.checkpoint, plainReading)
  return {
    sae,
    published,
    flags,
    model,
    present,
    ownPlace,
    passes,
    base,
    bosId,
    ownFactor: own.normFactor?.value ?? null,
    release: readingFacts(known)
  }
}

/** Where an SAE's files or path say that it belongs; null where they do not, or name what Splice does not know. */
async function ownPlaceOf(saePath: string): Promise<Place | null> {
  try {
    const { hook, hookOut } = await openSae(saePath)
    return hook === null ? null : { hook, hookOut }
  } catch (thrown) {
    // It opens where the person has put it; that is what is checked.
    if (thrown instanceof SpliceError) return null
    throw thrown
  }
}

type Prepared = Awaited<ReturnType<typeof prepare>>

/** The factors to try: the present one first, then without one and with the SAE's own. */
function factorsOf({ sae: { normFactor: asked } }: SaeCheckRequest, { sae, ownFactor }: Prepared): Factor[] {
  const present: Factor = { asked, inForce: sae.normFactor?.value ?? null }
  if (sae.normalisation !== 'expected_average_only_in') return [present]
  const others: Factor[] = [{ asked: 1, inForce: 1 }, ...(ownFactor === null ? [] : [{ asked: undefined, inForce: ownFactor }])]
  // A factor of one and none are the same.
  return [present, ...others.filter(({ inForce }) => (inForce ?? 1) !== (present.inForce ?? 1))]
}

/** The tokens with BOS in front where they have none, without where they have; null where the model has none or nothing would be left. */
function otherBos(tokens: MeasureResult['tokens'], bosId: number | null, context: number): { prompt: Prompt; bos: TriedBos } | null {
  if (bosId === null) return null
  const ids = tokens.map(({ id }) => id)
  if (ids[0] !== bosId) return { prompt: { ids: [bosId, ...ids].slice(0, context) }, bos: 'added' }
  return ids.length < 2 ? null : { prompt: { ids: ids.slice(1) }, bos: 'left-out' }
}

/** A factor for each reading of a pass. */
type FactorOf = (reading: number) => Factor

/** Runs a check's passes one by one, so that a run of the person's need not wait for all of them, and takes down what they show. */
class Tries {
  readonly #request: SaeCheckRequest
  readonly #prepared: Prepared
  readonly #services: CheckServices
  readonly #signal: AbortSignal
  readonly #tell: Tell
  #done = 0
  #expected = 0
  /** What is told of: every reading over the tokens of the run, the present one over others too. */
  readonly list: SaeTry[] = []
  /** Readings over the other choice of special tokens, for when nothing else fits. */
  readonly spare: SaeTry[] = []

  constructor(request: SaeCheckRequest, prepared: Prepared, services: CheckServices, signal: AbortSignal, tell: Tell) {
    this.#request = request
    this.#prepared = prepared
    this.#services = services
    this.#signal = signal
    this.#tell = tell
  }

  expect(passes: number): void {
    this.#expected += passes
  }

  /** Measures each reading of a pass under its factor. */
  async measure(pass: Pass, prompt: Prompt, bos: TriedBos, factorOf: FactorOf): Promise<MeasureResult> {
    const { base, release } = this.#prepared
    const job: InferenceJob = {
      ...base,
      prompt,
      processing: [...pass.flags],
      saes: pass.readings.map(({ place }, index) => ({
        name: `try${index}`,
        path: this.#request.sae.path,
        hook: place.hook,
        hookOut: place.hookOut ?? undefined,
        normFactor: factorOf(index).asked,
        release
      }))
    }
    const done = this.#done
    const result = await this.#services.inference.measure(job, this.#signal, (_stage, fraction) =>
      this.#tell(`pass ${done + 1} of ${this.#expected}`, (done + fraction) / this.#expected)
    )
    this.#done += 1
    for (const [index, { place, processing }] of pass.readings.entries()) {
      const measured = result.saes[index]
      if (measured === undefined) throw new Error('a pass lacks a reading')
      const { metricPositions: counted } = this.#request
      const how = { ...place, processing: [...processing], normFactor: factorOf(index).inForce, bos }
      const other = this.#tried(how, measured, counted === 'all' ? 'no-special' : 'all')
      this.list.push(this.#tried(how, measured, counted))
      if (this.#isPresent(how)) this.list.push(other)
      else this.spare.push(other)
    }
    return result
  }

  #isPresent({ hook, hookOut, processing, normFactor }: Pick<SaeTry, 'hook' | 'hookOut' | 'processing' | 'normFactor'>): boolean {
    const { present, flags, sae } = this.#prepared
    const isPlace = hook === present.hook && hookOut === present.hookOut
    return isPlace && processing.join() === flags.join() && normFactor === (sae.normFactor?.value ?? null)
  }

  #tried(
    how: Pick<SaeTry, 'hook' | 'hookOut' | 'processing' | 'normFactor' | 'bos'>,
    { reading }: Measured,
    counted: SaeTry['counted']
  ): SaeTry {
    const { published, ownPlace } = this.#prepared
    const { l0, explainedVariance, positions } = counted === 'all' ? reading.withSpecial : reading
    const figures = { l0, explainedVariance }
    const ofL0 = l0Ratio(figures, published)
    return {
      ...how,
      ...{ counted, l0, explainedVariance, positions },
      l0Factor: toMaybeNumber(ofL0 === null ? null : timesOff(ofL0)),
      unexplainedFactor: toMaybeNumber(unexplainedRatio(figures, published)),
      fits: fits(figures, published),
      isOwnPlace: ownPlace !== null && how.hook === ownPlace.hook && how.hookOut === ownPlace.hookOut,
      isPresent: counted === this.#request.metricPositions && how.bos === 'as-given' && this.#isPresent(how)
    }
  }
}

/** The factor that training would have measured on this prompt: activations scaled so that their mean norm is sqrt(dIn). */
function estimated(result: MeasureResult, dIn: number): FactorOf {
  return reading => {
    const norm = result.saes[reading]?.meanNorm ?? 0
    const factor = norm > 0 ? Number((Math.sqrt(dIn) / norm).toPrecision(4)) : 1
    return { asked: factor, inForce: factor }
  }
}

/** Measures every pass over a prompt; gives what the first one did, which begins with the present reading. */
async function measureAll(
  tries: Tries,
  passes: readonly Pass[],
  factors: readonly Factor[],
  prompt: Prompt,
  bos: TriedBos,
  prepared: Prepared
) {
  const { sae, ownFactor } = prepared
  let first: MeasureResult | null = null
  for (const pass of passes) {
    for (const factor of factors) {
      const result = await tries.measure(pass, prompt, bos, () => factor)
      first ??= result
      if (needsEstimate(sae, ownFactor) && (factor.inForce ?? 1) === 1) await tries.measure(pass, prompt, bos, estimated(result, sae.dIn))
    }
  }
  if (first === null) throw new Error('a check has no pass')
  return first
}

/** Whether an SAE was trained on scaled activations and nothing says by how much. A transcoder's norms are of another activation. */
function needsEstimate({ normalisation, isTranscoder }: Prepared['sae'], ownFactor: number | null): boolean {
  return normalisation === 'expected_average_only_in' && ownFactor === null && !isTranscoder
}

function leftOf({ explainedVariance }: SaeTry): number {
  const value = fromMaybeNumber(explainedVariance)
  return value === null || Number.isNaN(value) ? Number.POSITIVE_INFINITY : 1 - value
}

/** The present try first, then those that are as published, each by what it leaves unexplained; none twice. */
function ordered(tries: readonly SaeTry[]): SaeTry[] {
  const key = ({ hook, hookOut, processing, normFactor, bos, counted }: SaeTry) =>
    JSON.stringify([hook, hookOut, processing, normFactor, bos, counted])
  const unique = [...new Map([...tries].reverse().map(tried => [key(tried), tried])).values()]
  const rank = (tried: SaeTry) => (tried.isPresent ? 0 : tried.fits ? 1 : 2)
  return unique.sort((one, other) => rank(one) - rank(other) || leftOf(one) - leftOf(other))
}

async function check(request: SaeCheckRequest, services: CheckServices, signal: AbortSignal, tell: Tell): Promise<SaeCheck> {
  const prepared = await prepare(request, services)
  const { sae, published, model, passes, ownFactor } = prepared
  const factors = factorsOf(request, prepared)
  const tries = new Tries(request, prepared, services, signal, tell)
  const inAll = passes.length * (factors.length + (needsEstimate(sae, ownFactor) ? 1 : 0))
  tries.expect(inAll + 1)
  const { tokens, saes } = await measureAll(tries, passes, factors, request.prompt, 'as-given', prepared)

  const other = otherBos(tokens, prepared.bosId, model.context)
  const [firstPass] = passes
  const [presentFactor] = factors
  if (other !== null && firstPass !== undefined && presentFactor !== undefined) {
    const alone = { ...firstPass, readings: firstPass.readings.slice(0, 1) }
    await tries.measure(alone, other.prompt, other.bos, () => presentFactor)
  }
  let verdict = verdictOf(ordered(tries.list), published, ownFactor)
  if (verdict.kind === 'none-fits' && other !== null) {
    tries.expect(inAll)
    await measureAll(tries, passes, factors, other.prompt, other.bos, prepared)
    tries.list.push(...tries.spare)
    verdict = verdictOf(ordered(tries.list), published, ownFactor)
  }
  const reading = saes[0]?.reading
  if (reading === undefined) throw new Error('a check has no present reading')
  const counted = request.metricPositions === 'all' ? { ...reading, ...reading.withSpecial } : reading
  return {
    sae: request.sae.name,
    path: sae.path,
    model: model.name,
    published,
    tries: ordered(tries.list),
    verdict,
    alarm: alarmOf(counted, published),
    isShort: counted.positions < fewestPositions
  }
}

/** A check's events: its progress, then what it found. Ending the iteration early cancels it. Throws what is wrong with the files or the prompt. */
export function checkSae(request: SaeCheckRequest, services: CheckServices, signal?: AbortSignal): AsyncGenerator<SaeCheckEvent, void> {
  return withProgress(
    signal,
    (abort, onProgress) => check(request, services, abort, onProgress),
    found => ({ type: 'result' as const, check: found })
  )
}
