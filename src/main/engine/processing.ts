/** Which weight processing a run uses, and why: what SAELens 6 would load the model with for these SAEs. */
import { SpliceError } from '../../contract/errors.ts'
import { type Processing, type ProcessingFlag, processingFlag } from '../../contract/run.ts'

/** All of TransformerLens's flags, as `from_pretrained` sets them. */
const allFlags: readonly ProcessingFlag[] = processingFlag.options

/** An SAE and the `model_from_pretrained_kwargs` that its config or release states; null where nothing is known. */
export interface SaeLoading {
  readonly name: string
  readonly path: string
  readonly modelFromPretrainedKwargs: Readonly<Record<string, unknown>> | null
}

export interface ProcessingChoice {
  readonly flags: readonly ProcessingFlag[]
  readonly reason: string
}

function flagsOf(sae: SaeLoading): ProcessingFlag[] {
  return allFlags.filter(flag => sae.modelFromPretrainedKwargs?.[flag] === true)
}

/**
 * The flags in force. `auto` is everything without an SAE, and with one no processing plus what its release asks for.
 * Throws `run/processing` when SAEs of one run disagree.
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
  if (flags.length > 0) return { flags, reason: `asked for by the release of ${first.name}` }
  const known = first.modelFromPretrainedKwargs !== null
  return {
    flags,
    reason: known ? `SAELens loads ${first.name}'s model unprocessed` : `nothing is known of ${first.name}: unprocessed, as SAELens 6`
  }
}
