/** Which weight processing a run uses, and why: what SAELens 6 would load the model with for these SAEs. */
import { SpliceError } from '../../contract/errors.ts'
import { type Processing, type ProcessingFlag, processingFlag } from '../../contract/run.ts'

/** All of TransformerLens's flags, as `from_pretrained` sets them. */
const allFlags: readonly ProcessingFlag[] = processingFlag.options

/** An SAE and the `model_from_pretrained_kwargs` that its own config states, and its release; null where nothing is known. */
export interface SaeLoading {
  readonly name: string
  readonly ownKwargs: Readonly<Record<string, unknown>> | null
  readonly releaseKwargs: Readonly<Record<string, unknown>> | null
}

export interface ProcessingChoice {
  readonly flags: readonly ProcessingFlag[]
  readonly reason: string
}

/** What says how the model is loaded for an SAE: its own config where that says anything, else its release. */
function statedBy({
  ownKwargs,
  releaseKwargs
}: SaeLoading): { by: 'config' | 'release'; kwargs: Readonly<Record<string, unknown>> } | null {
  if (ownKwargs !== null && Object.keys(ownKwargs).length > 0) return { by: 'config', kwargs: ownKwargs }
  if (releaseKwargs !== null) return { by: 'release', kwargs: releaseKwargs }
  return ownKwargs === null ? null : { by: 'config', kwargs: ownKwargs }
}

function flagsOf(sae: SaeLoading): ProcessingFlag[] {
  const stated = statedBy(sae)
  return allFlags.filter(flag => stated?.kwargs[flag] === true)
}

/**
 * The flags in force. `auto` is everything without an SAE, and with one no processing plus what its config, or else its release,
 * asks for. Throws `run/processing` when SAEs of one run disagree.
 */
export function chooseProcessing(asked: Processing, saes: readonly SaeLoading[]): ProcessingChoice {
  if (asked === 'none') return { flags: [], reason: 'chosen: as from_pretrained_no_processing' }
  if (asked === 'all') return { flags: allFlags, reason: 'chosen: as from_pretrained' }
  if (asked !== 'auto') return { flags: allFlags.filter(flag => asked.includes(flag)), reason: 'chosen by name' }
  const [first, ...others] = saes
  if (first === undefined) return { flags: allFlags, reason: 'no SAE: as from_pretrained' }
  const flags = flagsOf(first)
  const other = others.find(sae => flagsOf(sae).join() !== flags.join())
  if (other !== undefined) {
    const name = (sae: SaeLoading) => `${sae.name} (${flagsOf(sae).join(', ') || 'none'})`
    throw new SpliceError('run/processing', `${name(first)} and ${name(other)} want different processing of the model`, {
      field: 'processing',
      hint: 'Choose one with --processing, or run them apart.'
    })
  }
  const stated = statedBy(first)
  if (stated === null) return { flags, reason: `nothing is known of ${first.name}: unprocessed, as SAELens 6` }
  return {
    flags,
    reason: flags.length > 0 ? `asked for by the ${stated.by} of ${first.name}` : `SAELens loads ${first.name}'s model unprocessed`
  }
}
