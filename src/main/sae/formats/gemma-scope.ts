/**
 * Gemma Scope (Lieberum et al. 2024, arXiv:2408.05147): one params.npz per SAE with W_enc [dIn, dSae], W_dec [dSae, dIn],
 * b_enc, b_dec and threshold, all JumpReLU; b_dec is not subtracted from the input. There is no config: repository and folder
 * names say which activation it reads, `google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71`.
 */
import path from 'node:path'
import { SpliceError } from '../../../contract/errors.ts'
import { mapNpzArray, type NpzArray, type NpzFile, readNpz } from '../../checkpoint/npz.ts'
import type { OpenSaeOptions, Sae, SaeLocation } from '../sae.ts'
import type { SaeFormat } from './format.ts'

const arrayNames = ['W_enc', 'W_dec', 'b_enc', 'b_dec', 'threshold'] as const
type ArrayName = (typeof arrayNames)[number]

function refuse(file: string, what: string, problem: string, field: string): never {
  throw new SpliceError(`sae/${what}`, `${file}: ${problem}`, { file, field, hint: 'Download the SAE again.' })
}

/** The five arrays; some repositories write the matrices' names in lower case. */
function findArrays(npz: NpzFile): Record<ArrayName, NpzArray> {
  const find = (name: ArrayName) =>
    npz.arrays.get(name) ?? npz.arrays.get(name.toLowerCase()) ?? refuse(npz.path, 'array-missing', `there is no array ${name}`, name)
  return { W_enc: find('W_enc'), W_dec: find('W_dec'), b_enc: find('b_enc'), b_dec: find('b_dec'), threshold: find('threshold') }
}

/** All shapes follow from W_enc's. Throws `sae/shape` naming both arrays. */
function checkShapes(file: string, arrays: Record<ArrayName, NpzArray>): { dIn: number; dSae: number } {
  const [dIn, dSae] = arrays.W_enc.shape
  if (dIn === undefined || dSae === undefined || arrays.W_enc.shape.length !== 2 || dIn === 0 || dSae === 0) {
    return refuse(file, 'shape', `W_enc has the shape (${arrays.W_enc.shape.join(', ')}) where (dIn, dSae) belongs`, 'W_enc')
  }
  const wanted: Record<ArrayName, readonly number[]> = {
    W_enc: [dIn, dSae],
    W_dec: [dSae, dIn],
    b_enc: [dSae],
    b_dec: [dIn],
    threshold: [dSae]
  }
  for (const name of arrayNames) {
    const { shape, dtype } = arrays[name]
    if (shape.join() !== wanted[name].join()) {
      refuse(
        file,
        'shape',
        `${name} is (${shape.join(', ')}), but W_enc is (${dIn}, ${dSae}), so it should be (${wanted[name].join(', ')})`,
        name
      )
    }
    if (!dtype.startsWith('F')) refuse(file, 'dtype', `${name} holds ${dtype}, where floats belong`, name)
  }
  return { dIn, dSae }
}

/** Where an SAE belongs by its path. Throws for transcoders, which read one hook point and write another. */
export function hookOfPath(folder: string): string | null {
  const parts = folder.split(/[\\/]/)
  const isSite = (site: string) => parts.some(part => new RegExp(`^(models--.*--)?[^/]*-${site}$`).test(part))
  if (isSite('transcoders')) {
    throw new SpliceError('sae/transcoder', `${folder} is a transcoder, which this version does not read`, {
      file: folder,
      hint: 'Gemma Scope SAEs of the repositories -res, -mlp and -att are read.'
    })
  }
  if (parts.includes('embedding')) return 'hook_embed'
  const layer = parts.map(part => /^layer_(\d+)$/.exec(part)?.[1]).find(number => number !== undefined)
  if (layer === undefined) return null
  if (isSite('res')) return `blocks.${layer}.hook_resid_post`
  if (isSite('mlp')) return `blocks.${layer}.hook_mlp_out`
  if (isSite('att')) return `blocks.${layer}.attn.hook_z`
  return null
}

async function read(location: SaeLocation, options: OpenSaeOptions): Promise<Sae> {
  const isFolder = location.path === location.folder
  const npz = await readNpz(isFolder ? path.join(location.folder, 'params.npz') : location.path)
  const arrays = findArrays(npz)
  const { dIn, dSae } = checkShapes(npz.path, arrays)
  const hook = options.hook ?? hookOfPath(location.folder)
  const map = (name: ArrayName) => mapNpzArray(npz, arrays[name], options.cacheFolder)
  const [encoder, decoder, encoderBias, decoderBias, threshold] = await Promise.all([
    map('W_enc'),
    map('W_dec'),
    map('b_enc'),
    map('b_dec'),
    map('threshold')
  ])
  // Embedding SAEs were trained on the unscaled embedding; hook_embed is TransformerLens's, times sqrt(dModel).
  const embeddingScale = hook === 'hook_embed' ? Math.sqrt(dIn) : 1
  return {
    format: 'gemma-scope',
    architecture: 'jumprelu',
    path: location.path,
    files: [...new Set([npz.path, ...[encoder, decoder, encoderBias, decoderBias, threshold].map(tensor => tensor.file)])],
    hook,
    dIn,
    dSae,
    encoder,
    decoder,
    encoderBias,
    decoderBias,
    threshold,
    applyDecoderBiasToInput: false,
    inputScale: 1 / embeddingScale,
    outputScale: embeddingScale
  }
}

export const gemmaScope: SaeFormat = {
  name: 'gemma-scope',
  description: 'Gemma Scope folders with params.npz',
  recognise: ({ names }) => names.includes('params.npz') || (names.length === 1 && names[0]?.endsWith('.npz') === true),
  read
}
