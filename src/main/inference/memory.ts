/** Memory: what a run takes beside its weights, and what is said where it does not suffice. */
import { SpliceError } from '../../contract/errors.ts'
import { elementCount } from '../checkpoint/tensor.ts'
import type { MappedSae } from '../sae/sae.ts'
import type { TransformerShape } from '../transformer/family.ts'
import type { OpenModel } from './models.ts'
import type { StageBudget } from './plan.ts'
import type { Target } from './sessions.ts'

/** What the allocators of processors and devices say. */
const signs = [
  // C++'s own, and ONNX Runtime's on the CPU.
  /bad_alloc|failed to allocate memory|out of memory/i,
  // Node's, for typed arrays.
  /array buffer allocation failed|invalid (typed )?array length/i,
  // WebGPU: a buffer beyond the device's limit, or one that its memory had no room for.
  /max buffer size limit|\[Invalid Buffer\b|VK_ERROR_OUT_OF_(DEVICE|HOST)_MEMORY/,
  // CUDA and Direct3D.
  /CUDA_ERROR_OUT_OF_MEMORY|CUDA failure 2\b|CUBLAS_STATUS_ALLOC_FAILED|E_OUTOFMEMORY|8007000E/
]

/** Whether what was thrown says that memory did not suffice. */
export function isOutOfMemory(thrown: unknown): boolean {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return signs.some(sign => sign.test(message))
}

/**
 * Bytes that the values of a row take at their most, where `atOnce` of its positions go through at a time: attention's scores, and what
 * is as wide as the MLP or the residual stream.
 */
export function rowBytes({ dModel, dMlp, heads, dHead }: TransformerShape, positions: number, atOnce = positions): number {
  const some = Math.min(positions, atOnce)
  return 4 * (some * (3 * dMlp + 8 * dModel + 4 * heads * dHead) + 3 * heads * some * positions)
}

/** What is run: `rows` are variants, or sequences. */
export interface Extent {
  readonly model: OpenModel
  readonly saes: readonly { readonly sae: MappedSae }[]
  readonly positions: number
  readonly rows: number
  readonly atOnce?: number | undefined
}

/** What it takes: `bytes` of activations, and of weights on a device, whose copies they are; 0 for mapped ones. */
export interface MemoryNeed {
  readonly positions: number
  readonly rows: number
  readonly bytes: number
  readonly deviceBytes: number
}

/** About what a run takes. Measured peaks of long prompts are within a third of it. */
export function memoryNeed(
  { model, saes, positions, rows, atOnce = positions }: Extent,
  budget: StageBudget,
  { provider, precision }: Target
): MemoryNeed {
  const { shape } = model.transformer
  const some = Math.min(positions, atOnce)
  const pieceRows = Math.min(shape.vocabulary, Math.max(16, Math.floor(budget.parameters / 2 / shape.dModel)))
  // A small model's logits come out of one stage, for all positions.
  const logitRows = pieceRows === shape.vocabulary ? rows * some : Math.min(budget.rows, rows * some)
  const logits = 4 * 4 * logitRows * pieceRows
  const features = saes.reduce((sum, { sae }) => sum + 4 * rows * some * (3 * sae.dSae + 6 * sae.dOut), 0)
  const width = precision === 'fp16' ? 2 : 4
  const parameters = [...model.checkpoint.tensors.values()].reduce((sum, { shape: its }) => sum + elementCount(its), 0)
  return {
    positions,
    rows,
    bytes: rows * rowBytes(shape, positions, atOnce) + features + logits,
    deviceBytes: provider === 'cpu' ? 0 : width * parameters
  }
}

function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}

/** What a run of so many rows and tokens needs, in words. */
export function needInWords({ positions, rows, bytes, deviceBytes }: MemoryNeed): string {
  const count = (number: number, one: string) => `${number.toLocaleString('en')} ${one}${number === 1 ? '' : 's'}`
  const weights = deviceBytes === 0 ? '' : `, and its weights about ${gigabytes(deviceBytes)} of the device's`
  return `${count(rows, 'row')} of ${count(positions, 'token')} ${rows === 1 ? 'takes' : 'take'} about ${gigabytes(bytes)} of memory${weights}`
}

/** The error for a job whose memory did not suffice; `need` is null where it could not be estimated. */
export function memoryError(need: MemoryNeed | null, { provider, precision }: Target, cause: unknown): SpliceError {
  const where = provider === 'cpu' ? 'the memory' : `the memory of ${provider}'s device`
  const what = need === null ? '' : `: ${needInWords(need)}`
  const less = 'Shorten the prompt or run fewer variants at a time'
  const further =
    provider === 'cpu'
      ? ''
      : `${precision === 'fp32' ? ', halve the weights with --precision fp16' : ''}, or run on the CPU (--provider cpu)`
  return new SpliceError('inference/memory', `${where} did not suffice${what}`, { hint: `${less}${further}.`, mistake: false, cause })
}
