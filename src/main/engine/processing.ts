/** Which weight processing a run uses, and why: what SAELens 6 would load the model with for these SAEs. */
import { SpliceError } from '../../contract/errors.ts'
import type { AskedProcessing, ProcessingChoice } from '../../contract/readings.ts'
import { type Processing, type ProcessingFlag, type ProcessingOrigin, processingFlag } from '../../contract/run.ts'

type Kwargs = Readonly<Record<string, unknown>>

/** TransformerLens's flags, in the order in which it applies them; `from_pretrained` sets them all. */
const allFlags: readonly ProcessingFlag[] = processingFlag.options

/** An SAE with the `model_from_pretrained_kwargs` that its own config states, and its release; null where nothing is known. */
export interface SaeLoading {
  readonly name: string
  readonly release: string | null
  readonly ownKwargs: Kwargs | null
  readonly releaseKwargs: Kwargs | null
  /** Whether its own config counts whatever its release says. */
  readonly keepsOwnKwargs: boolean
}

/** A processing in force; `reason` says why in a few words. */
export interface ChosenProcessing {
  readonly flags: readonly ProcessingFlag[]
  readonly from: ProcessingOrigin
  readonly reason: string
}

/**
 * What says how the model is loaded for an SAE. In SAELens 6 the overrides of a release take the place of what a config says
 * (`get_sae_lens_config_from_disk`), but do not reach the `metadata` of version 6 configs.
 */
function statedBy({ ownKwargs, releaseKwargs, keepsOwnKwargs }: SaeLoading): { from: AskedProcessing['from']; kwargs: Kwargs } {
  const says = (kwargs: Kwargs | null): kwargs is Kwargs => kwargs !== null && Object.keys(kwargs).length > 0
  if (keepsOwnKwargs) return { from: 'config', kwargs: ownKwargs ?? {} }
  if (says(releaseKwargs)) return { from: 'release', kwargs: releaseKwargs }
  if (says(ownKwargs)) return { from: 'config', kwargs: ownKwargs }
  if (releaseKwargs !== null) return { from: 'release', kwargs: releaseKwargs }
  return ownKwargs === null ? { from: 'unknown', kwargs: {} } : { from: 'config', kwargs: ownKwargs }
}

/** What an SAE asks for: no processing, plus what its config or release states. */
export function askedBy(sae: SaeLoading): AskedProcessing {
  const { from, kwargs } = statedBy(sae)
  return { sae: sae.name, flags: allFlags.filter(flag => kwargs[flag] === true), from, release: sae.release }
}

/** Two SAEs that ask for different things, in a sentence; null where all agree. */
function disagreementOf([first, ...others]: readonly AskedProcessing[]): string | null {
  if (first === undefined) return null
  const other = others.find(({ flags }) => flags.join() !== first.flags.join())
  const name = ({ sae, flags }: AskedProcessing) => `${sae} (${flags.join(', ') || 'none'})`
  return other === undefined ? null : `${name(first)} and ${name(other)} want different processing of the model`
}

function chosen(asked: Exclude<Processing, 'auto'>): ChosenProcessing {
  if (asked === 'none') return { flags: [], from: 'chosen', reason: 'chosen: as from_pretrained_no_processing' }
  if (asked === 'all') return { flags: allFlags, from: 'chosen', reason: 'chosen: as from_pretrained' }
  return { flags: allFlags.filter(flag => asked.includes(flag)), from: 'chosen', reason: 'chosen by name' }
}

function askedFor({ sae, flags, from }: AskedProcessing): ChosenProcessing {
  if (from === 'unknown') return { flags, from, reason: `nothing is known of ${sae}: unprocessed, as SAELens 6` }
  return { flags, from, reason: flags.length > 0 ? `asked for by the ${from} of ${sae}` : `SAELens loads ${sae}'s model unprocessed` }
}

/** The processing that a run would have. `auto` is everything without an SAE, and with one what SAELens 6 loads the model with. */
export function readProcessing(asked: Processing, saes: readonly SaeLoading[]): ProcessingChoice {
  const wishes = saes.map(askedBy)
  const disagreement = disagreementOf(wishes)
  const of = (choice: ChosenProcessing) => ({ inForce: { ...choice, flags: [...choice.flags] }, asked: wishes, disagreement })
  if (asked !== 'auto') return of(chosen(asked))
  const [first] = wishes
  if (first === undefined) return of({ flags: allFlags, from: 'no-sae', reason: 'no SAE: as from_pretrained' })
  return disagreement === null ? of(askedFor(first)) : { inForce: null, asked: wishes, disagreement }
}

/** The flags in force. Throws `run/processing` when SAEs of one run disagree under `auto`. */
export function chooseProcessing(asked: Processing, saes: readonly SaeLoading[]): ChosenProcessing {
  const { inForce, disagreement } = readProcessing(asked, saes)
  if (inForce !== null) return inForce
  throw new SpliceError('run/processing', disagreement ?? 'the SAEs want different processing of the model', {
    field: 'processing',
    hint: 'Choose one processing for all (--processing), or run them apart.'
  })
}
