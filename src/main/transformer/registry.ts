/** The families Splice runs. One more is one file and one line here. */
import { SpliceError } from '../../contract/errors.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { gemma } from './gemma.ts'
import { gemma2 } from './gemma2.ts'
import { gemma3 } from './gemma3.ts'
import { gptNeox } from './gpt-neox.ts'
import { gpt2 } from './gpt2.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'

export const families: readonly Family[] = [gpt2, gptNeox, llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3]

/** Reads a checkpoint by the family that its `model_type` names. Throws `checkpoint/unknown-family` with those that are supported. */
export function readTransformer(checkpoint: Checkpoint, reading: Reading): Transformer {
  const family = families.find(candidate => candidate.modelTypes.includes(checkpoint.modelType))
  if (family === undefined) {
    const supported = families.flatMap(candidate => candidate.modelTypes).join(', ')
    throw new SpliceError('checkpoint/unknown-family', `${checkpoint.folder}/config.json has model_type "${checkpoint.modelType}"`, {
      file: checkpoint.folder,
      field: 'model_type',
      hint: `Supported families: ${supported}.`
    })
  }
  return family.read(checkpoint, reading)
}
