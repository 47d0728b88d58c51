/** A checkpoint's tensors by name, with the shapes that the config promises. */
import { SpliceError } from '../../contract/errors.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { StoredTensor } from '../checkpoint/tensor.ts'

export class WeightMap {
  readonly #checkpoint: Checkpoint

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint
  }

  /** Throws `checkpoint/tensor-missing`, or `checkpoint/shape` where the tensor's shape is not the config's. */
  tensor(name: string, shape: readonly number[]): StoredTensor {
    const tensor = this.#checkpoint.tensors.get(name)
    if (tensor === undefined) {
      throw new SpliceError('checkpoint/tensor-missing', `${this.#checkpoint.folder} has no tensor ${name}`, {
        file: this.#checkpoint.folder,
        field: name,
        hint: 'The checkpoint is incomplete or its config.json belongs to another model; download the folder again.'
      })
    }
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, axis) => size !== shape[axis])) {
      throw new SpliceError(
        'checkpoint/shape',
        `${tensor.file}: ${name} has shape [${tensor.shape.join(', ')}], but config.json asks for [${shape.join(', ')}]`,
        { file: tensor.file, field: name, hint: 'config.json and the weights belong to different models.' }
      )
    }
    return tensor
  }
}
