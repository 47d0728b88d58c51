/** Memory that runs out, by the words of those who ask for it. */
import { SpliceError } from '../../contract/errors.ts'

/** ONNX Runtime and its operators, V8, and the system. */
const words =
  /bad_alloc|Failed to allocate memory|Available memory of \d+ is smaller|Array buffer allocation failed|Invalid array buffer length|Cannot allocate memory|ENOMEM/i

/** The error in our words, `inference/out-of-memory`, where something thrown says that memory ran out; else null. */
export function outOfMemory(thrown: unknown): SpliceError | null {
  if (thrown instanceof SpliceError || !(thrown instanceof Error) || !words.test(thrown.message)) return null
  return new SpliceError('inference/out-of-memory', 'there is not enough memory for this; the inference process starts anew', {
    mistake: false,
    hint: 'Take a shorter prompt, fewer variants or a smaller model, or close other programs.',
    cause: thrown
  })
}
