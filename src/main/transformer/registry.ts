/** The families Splice runs. One more is one file and one line here. */
import { SpliceError } from '../../contract/errors.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { gemma2 } from './gemma2.ts'

export const families: readonly Family[] = [gemma2]

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
