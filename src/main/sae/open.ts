/** Opens whatever SAE a path holds, by its headers, and settles what its format leaves open. */
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './formats/format.ts'
import { formats } from './formats/registry.ts'
import { isFolderName, openPlace, type SaePlace } from './place.ts'
import type { NormFactor, Sae } from './sae.ts'

export interface OpenSaeOptions extends SaeChoices {
  /** The factor of `expected_average_only_in` that the person chose. */
  readonly normFactor?: number
  /** What the table of releases says of the SAE at this path. */
  readonly release?: ReleaseFacts
}

/** Facts about a published SAE that are in none of its files. */
export interface ReleaseFacts {
  readonly normFactor: number | null
  /** SAELens's `normalize_activations`, which goes before the config's. */
  readonly normalisation: 'constant_norm_rescale' | null
}

async function formatOf(place: SaePlace): Promise<SaeFormat | null> {
  for (const format of formats) if (await format.recognise(place)) return format
  return null
}

/** Whether a path holds an SAE, in a format that Splice reads. Never throws: what cannot be opened is none. */
export async function isSae(given: string): Promise<boolean> {
  return openPlace(given)
    .then(formatOf)
    .then(
      format => format !== null,
      () => false
    )
}

/** Opens an SAE's folder or weights file, reading headers only. Throws `sae/...`, and what opening its files throws, naming the file. */
export async function openSae(given: string, options: OpenSaeOptions = {}): Promise<Sae> {
  const place = await openPlace(given)
  const format = await formatOf(place)
  if (format === null) return refuseUnknown(place)
  return settle(place, format.name, await format.read(place, options), options)
}

function refuseUnknown({ path: file, weights }: SaePlace): never {
  const some = [...weights.entries.keys()].slice(0, 4).join(', ')
  const holds = some === '' ? '' : `; its tensors are ${some}${weights.entries.size > 4 ? ', ...' : ''}`
  throw new SpliceError('sae/unknown-format', `${file} is not an SAE that Splice reads${holds}`, {
    file,
    hint: `Formats: ${formats.map(format => format.description).join('; ')}.`
  })
}

/** Which factor is in force: the person's, else the one of its own files, else its release's. */
function normFactorOf(file: string, reading: SaeReading, normalisation: Sae['normalisation'], options: OpenSaeOptions): NormFactor | null {
  const { normFactor: chosen, release } = options
  if (normalisation !== 'expected_average_only_in') {
    if (chosen === undefined) return null
    throw new SpliceError('sae/norm-factor', `${file} takes no normalisation factor: its normalize_activations is ${normalisation}`, {
      file,
      field: 'normFactor',
      hint: 'Only SAEs with expected_average_only_in were trained on activations scaled by one factor.'
    })
  }
  if (chosen !== undefined) return { value: chosen, from: 'chosen' }
  if (reading.normFactor !== undefined) return { value: reading.normFactor, from: 'file' }
  return release === undefined || release.normFactor === null ? null : { value: release.normFactor, from: 'release' }
}

/** A folder's name, or the file's where a folder may hold several SAEs. */
function nameOf({ folder, weightsName }: SaePlace): string {
  const own = path.basename(weightsName)
  if (!isFolderName(own)) return own.slice(0, own.length - path.extname(own).length)
  return path.basename(path.basename(folder) === 'checkpoints' ? path.dirname(folder) : folder)
}

function settle(place: SaePlace, format: string, reading: SaeReading, options: OpenSaeOptions): Sae {
  const { weights, configFiles, normFactor: _, ...rest } = reading
  const normalisation = options.release?.normalisation ?? reading.normalisation ?? 'none'
  const normFactor = normFactorOf(place.path, reading, normalisation, options)
  const isTranscoder = reading.isTranscoder ?? false
  if (!isTranscoder && options.hookOut !== undefined) {
    throw new SpliceError('sae/hook-out', `${place.path} is no transcoder: it gives back what it reads`, {
      file: place.path,
      field: 'hookOut',
      hint: 'Name one hook point after the path: @HOOK.'
    })
  }
  return {
    hookOut: null,
    headIndex: null,
    readsGain: false,
    appliesDecoderBiasToInput: false,
    rescalesByDecoderNorm: false,
    encoderScale: 1,
    decoderScale: 1,
    model: null,
    modelFromPretrainedKwargs: null,
    keepsOwnKwargs: false,
    ...rest,
    format,
    path: place.path,
    name: reading.name ?? nameOf(place),
    isTranscoder,
    normalisation,
    normFactor,
    files: [...new Set([place.weights.path, ...configFiles])],
    notes: [...(reading.notes ?? []), ...noteOfNormalisation(normalisation, normFactor)],
    weights: { encoderBias: null, decoderBias: null, actsScale: null, skip: null, ...weights }
  }
}

function noteOfNormalisation(normalisation: Sae['normalisation'], factor: NormFactor | null): string[] {
  if (normalisation !== 'expected_average_only_in' || factor !== null) return []
  return [
    'It was trained on activations scaled by a factor that is in none of its files; without it, it reads them unscaled, as SAELens does.'
  ]
}
