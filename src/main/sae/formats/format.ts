/** What one on-disk format gives: how to recognise it by content, and how to read it. */

import type { WeightEntry } from '../../checkpoint/weight-file.ts'
import type { SaePlace } from '../place.ts'
import type { SaeProperties, SaeWeights } from '../sae.ts'

/** What a person says of an SAE; it goes before what its config or path say. */
export interface SaeChoices {
  readonly hook?: string
  readonly hookOut?: string
}

/** What a format reads of an SAE; what it leaves out is settled in `open.ts`. `normFactor` is a factor that its own files state. */
export type SaeReading = Pick<SaeProperties, 'architecture' | 'hook' | 'dIn' | 'dSae' | 'dOut' | 'config'> &
  Partial<
    Pick<
      SaeProperties,
      | 'name'
      | 'hookOut'
      | 'isTranscoder'
      | 'headIndex'
      | 'readsGain'
      | 'normalisation'
      | 'appliesDecoderBiasToInput'
      | 'rescalesByDecoderNorm'
      | 'encoderScale'
      | 'decoderScale'
      | 'model'
      | 'modelFromPretrainedKwargs'
      | 'keepsOwnKwargs'
      | 'notes'
    >
  > & {
    readonly weights: Pick<SaeWeights<WeightEntry>, 'encoder' | 'decoder' | 'activation'> & Partial<SaeWeights<WeightEntry>>
    readonly normFactor?: number
    /** Files beside the weights that it was read from. */
    readonly configFiles: readonly string[]
  }

export interface SaeFormat {
  readonly name: string
  /** For error messages, e.g. `Gemma Scope (params.npz)`. */
  readonly description: string
  /** Whether this is the place's format, by its tensors and configs; names alone decide where nothing else can. */
  recognise(place: SaePlace): Promise<boolean>
  /** Throws `sae/...` naming the file and the field or tensor. */
  read(place: SaePlace, choices: SaeChoices): Promise<SaeReading>
}
