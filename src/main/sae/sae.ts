/** One description that all SAE formats give: where it reads and writes, its weights, and what is done in which order. */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { WeightEntry } from '../checkpoint/weight-file.ts'

/** What turns pre-activations into activations. All but the magnitude of `gated` see x W_enc + b_enc. */
export type ActivationKind = 'relu' | 'tanh-relu' | 'jumprelu' | 'topk' | 'gated'

/** What is done to the input before it is encoded, by SAELens's names. */
export type Normalisation = 'none' | 'expected_average_only_in' | 'constant_norm_rescale' | 'layer_norm'

/** JumpReLU's threshold: one number for all features, or a tensor of one per feature (or of one alone), perhaps as its logarithm. */
export type Threshold<Tensor> = { readonly value: number } | { readonly tensor: Tensor; readonly isLogarithm: boolean }

export type Activation<Tensor> =
  | { readonly kind: 'relu' }
  /** tanh(relu(pre)). */
  | { readonly kind: 'tanh-relu' }
  /** relu(pre) where pre > threshold (strictly), else 0. */
  | { readonly kind: 'jumprelu'; readonly threshold: Threshold<Tensor> }
  /** relu of the `k` largest, 0 elsewhere. */
  | { readonly kind: 'topk'; readonly k: number }
  /** Gate x W_enc + b_gate > 0, magnitude relu(x W_enc exp(r_mag) + b_mag); each [dSae]. */
  | { readonly kind: 'gated'; readonly gateBias: Tensor; readonly magnitudeBias: Tensor; readonly magnitudeLogScale: Tensor }

/** Tensors are as they are used: a matrix that is stored the other way round is turned by its layout, not by a copy. */
export interface SaeWeights<Tensor> {
  /** W_enc, [dIn, dSae]. */
  readonly encoder: Tensor
  /** W_dec, [dSae, dOut]. */
  readonly decoder: Tensor
  /** b_enc, [dSae]; null for zeros, and for gated SAEs. */
  readonly encoderBias: Tensor | null
  /** b_dec, [dOut]; null for zeros. */
  readonly decoderBias: Tensor | null
  readonly activation: Activation<Tensor>
  /** What activations are multiplied with before W_dec, [dSae]: SAELens's finetuning scaling factor. */
  readonly actsScale: Tensor | null
  /** A, [dIn, dOut], where x A is added to the output after `hook_sae_recons`. */
  readonly skip: Tensor | null
}

/** The factor that activations were scaled with in training, folded into the weights: W_enc s, W_dec / s, b_dec / s. */
export interface NormFactor {
  readonly value: number
  /** `file`: its own config; `release`: the table of known releases; `chosen`: the person. */
  readonly from: 'file' | 'release' | 'chosen'
}

export interface SaeProperties {
  /** The format's name, such as `gemma-scope`. */
  readonly format: string
  /** By SAELens's names: standard, jumprelu, topk, gated, transcoder, skip_transcoder, jumprelu_transcoder, ... */
  readonly architecture: string
  /** The folder or file that the person named, absolute. */
  readonly path: string
  /** What to call it where its path holds several SAEs. */
  readonly name: string
  /** Files that hold its weights and its config, with links resolved. */
  readonly files: readonly string[]
  /** Hook point that it reads: that which the person, its config or its path names; null when nothing does. */
  readonly hook: string | null
  /** Hook point that a transcoder's output stands in for; null for SAEs, which give back what they read. */
  readonly hookOut: string | null
  readonly isTranscoder: boolean
  /** The one attention head that it reads and writes; null for whole activations, whose heads are laid side by side. */
  readonly headIndex: number | null
  /** Whether it reads what the MLP reads with the norm's gain, also where the model's processing has folded that gain away. */
  readonly readsGain: boolean
  readonly dIn: number
  readonly dSae: number
  readonly dOut: number
  readonly normalisation: Normalisation
  /** The factor in force; null where none is. */
  readonly normFactor: NormFactor | null
  /** Whether b_dec is subtracted from the input before encoding. */
  readonly appliesDecoderBiasToInput: boolean
  /** Whether activations are measured in units of their decoder rows: multiplied by |W_dec| rows before the activation function, divided before decoding. */
  readonly rescalesByDecoderNorm: boolean
  /** What W_enc and W_dec are multiplied with: not 1 where the SAE was trained on another scale of the activation. */
  readonly encoderScale: number
  readonly decoderScale: number
  /** The model that it was trained on, as its config calls it. */
  readonly model: string | null
  /** `model_from_pretrained_kwargs` of its config. */
  readonly modelFromPretrainedKwargs: Readonly<Record<string, unknown>> | null
  /** Whether those count whatever its release says, as with configs of SAELens 6. */
  readonly keepsOwnKwargs: boolean
  /** Its config as it lies on disk. */
  readonly config: Readonly<Record<string, unknown>>
  /** What a person should know about how it is read. */
  readonly notes: readonly string[]
}

/** An SAE read from its headers. */
export interface Sae extends SaeProperties {
  readonly weights: SaeWeights<WeightEntry>
}

/** An SAE whose weights can be mapped. */
export interface MappedSae extends SaeProperties {
  readonly weights: SaeWeights<StoredTensor>
}

async function mapActivation<From, To>(activation: Activation<From>, map: (tensor: From) => Promise<To>): Promise<Activation<To>> {
  switch (activation.kind) {
    case 'gated': {
      const { kind, gateBias, magnitudeBias, magnitudeLogScale } = activation
      return {
        kind,
        gateBias: await map(gateBias),
        magnitudeBias: await map(magnitudeBias),
        magnitudeLogScale: await map(magnitudeLogScale)
      }
    }
    case 'jumprelu': {
      const { kind, threshold } = activation
      return { kind, threshold: 'value' in threshold ? threshold : { ...threshold, tensor: await map(threshold.tensor) } }
    }
    default:
      return activation
  }
}

/** Every tensor of an SAE through `map`. */
async function mapWeights<From, To>(weights: SaeWeights<From>, map: (tensor: From) => Promise<To>): Promise<SaeWeights<To>> {
  const maybe = async (tensor: From | null) => (tensor === null ? null : map(tensor))
  const { encoder, decoder, encoderBias, decoderBias, activation, actsScale, skip } = weights
  return {
    encoder: await map(encoder),
    decoder: await map(decoder),
    encoderBias: await maybe(encoderBias),
    decoderBias: await maybe(decoderBias),
    activation: await mapActivation(activation, map),
    actsScale: await maybe(actsScale),
    skip: await maybe(skip)
  }
}

/** An SAE with its weights where they can be mapped; what is compressed is unpacked into the cache. */
export async function mapSae(sae: Sae, cacheFolder: string): Promise<MappedSae> {
  const files = new Set(sae.files)
  const weights = await mapWeights(sae.weights, async entry => {
    const tensor = await entry.map(cacheFolder)
    files.add(tensor.file)
    return tensor
  })
  return { ...sae, weights, files: [...files] }
}

/** An SAE whose weights are described but lie nowhere: for graphs that are written to be looked at and never run. */
export async function placeSae(sae: Sae): Promise<MappedSae> {
  const nowhere = async ({ name, dtype, shape, file, byteLength }: WeightEntry) => ({ name, dtype, shape, file, offset: 0, byteLength })
  return { ...sae, weights: await mapWeights(sae.weights, nowhere) }
}

function tensorsOfActivation(activation: Activation<WeightEntry>): WeightEntry[] {
  if (activation.kind === 'gated') return [activation.gateBias, activation.magnitudeBias, activation.magnitudeLogScale]
  return activation.kind === 'jumprelu' && 'tensor' in activation.threshold ? [activation.threshold.tensor] : []
}

/** The tensors of an SAE. */
export function tensorsOf({
  encoder,
  decoder,
  encoderBias,
  decoderBias,
  activation,
  actsScale,
  skip
}: SaeWeights<WeightEntry>): WeightEntry[] {
  const optional = [encoderBias, decoderBias, actsScale, skip].filter(entry => entry !== null)
  return [encoder, decoder, ...optional, ...tensorsOfActivation(activation)]
}
