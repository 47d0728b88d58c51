/** One description that all SAE formats give, and opening whatever a path holds. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { whyUnreadable } from '../checkpoint/open-file.ts'
import type { StoredTensor } from '../checkpoint/tensor.ts'
import { formats } from './formats/registry.ts'

export interface Sae {
  readonly format: string
  readonly architecture: 'jumprelu'
  /** The folder or file that the person named, absolute. */
  readonly path: string
  /** Files that hold its weights, with links resolved. */
  readonly files: readonly string[]
  /** Hook point that the person, its config or its path names; null when nothing does. */
  readonly hook: string | null
  readonly dIn: number
  readonly dSae: number
  /** W_enc, [dIn, dSae]. */
  readonly encoder: StoredTensor
  /** W_dec, [dSae, dIn]. */
  readonly decoder: StoredTensor
  /** b_enc, [dSae]. */
  readonly encoderBias: StoredTensor
  /** b_dec, [dIn]. */
  readonly decoderBias: StoredTensor
  /** [dSae]. */
  readonly threshold: StoredTensor
  /** Whether b_dec is subtracted from the input before encoding. */
  readonly applyDecoderBiasToInput: boolean
  /** What the input is multiplied with before W_enc, and W_dec's output before b_dec: not 1 where the SAE was trained on a scaled activation. */
  readonly inputScale: number
  readonly outputScale: number
}

export interface OpenSaeOptions {
  /** A hook point that the person names; it goes before what path or config say. */
  readonly hook?: string
  /** Where compressed weights are unpacked to; null to read headers alone: compressed weights then are described, and cannot be run. */
  readonly cacheFolder: string | null
}

/** What lies at a path, for formats to recognise. `names` are the file names, one for a file. */
export interface SaeLocation {
  readonly path: string
  readonly folder: string
  readonly names: readonly string[]
}

/** Looks at a folder or file. Throws `sae/unreadable` naming it. */
export async function locate(given: string): Promise<SaeLocation> {
  const absolute = path.resolve(given)
  try {
    const isFolder = (await fs.stat(absolute)).isDirectory()
    return isFolder
      ? { path: absolute, folder: absolute, names: await fs.readdir(absolute) }
      : { path: absolute, folder: path.dirname(absolute), names: [path.basename(absolute)] }
  } catch (thrown) {
    throw new SpliceError('sae/unreadable', `${given} ${whyUnreadable(thrown)}`, { file: given, hint: 'Check the path of the SAE.' })
  }
}

/** Opens an SAE folder or weights file, reading headers only. Throws `sae/...` or `npz/...` naming the file and the array. */
export async function openSae(given: string, options: OpenSaeOptions): Promise<Sae> {
  const location = await locate(given)
  const format = formats.find(candidate => candidate.recognise(location))
  if (format === undefined) {
    const isSaeLens = location.names.includes('sae_weights.safetensors')
    throw new SpliceError('sae/unknown-format', `${given} is not an SAE that Splice reads`, {
      file: given,
      hint: isSaeLens
        ? 'It is a SAELens folder; this version reads Gemma Scope folders with params.npz.'
        : `Formats: ${formats.map(candidate => candidate.description).join('; ')}.`
    })
  }
  return format.read(location, options)
}
