/** A checkpoint's tensors by name, with the shapes that the config promises. */
import { SpliceError } from '../../contract/errors.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Linear } from './linear.ts'

export class WeightMap {
  readonly #checkpoint: Checkpoint
  readonly #prefix: string

  /**
   * Names are taken below the first of `prefixes` under which the checkpoint has the tensor `landmark`: transformers has
   * called the same model by several, and leaves the prefix out where a model was saved without its head.
   */
  constructor(checkpoint: Checkpoint, prefixes: readonly string[], landmark: string) {
    this.#checkpoint = checkpoint
    this.#prefix = prefixes.find(prefix => checkpoint.tensors.has(prefix + landmark)) ?? prefixes[0] ?? ''
  }

  /** Throws `checkpoint/tensor-missing`, or `checkpoint/shape` where the tensor's shape is not the config's. */
  tensor(name: string, shape: readonly number[]): StoredTensor {
    return this.#find(this.#prefix + name, shape)
  }

  /** PyTorch's Linear: `<name>.weight` [out, in], `<name>.bias` [out]. Throws too where there is a bias that the config denies. */
  linear(name: string, out: number, columns: number, hasBias: boolean): Linear {
    return { weight: this.tensor(`${name}.weight`, [out, columns]), bias: this.#bias(name, out, hasBias), stored: 'out-in' }
  }

  /** GPT-2's Conv1D: `<name>.weight` [in, out], `<name>.bias` [out]. */
  conv1d(name: string, rows: number, out: number): Linear {
    return { weight: this.tensor(`${name}.weight`, [rows, out]), bias: this.#bias(name, out, true), stored: 'in-out' }
  }

  /** The unembedding [vocabulary, dModel]: the embedding where the config ties them, else the first of `names`, which stand alone. */
  unembedding(embedding: StoredTensor, isTied: boolean, names: readonly string[]): StoredTensor {
    if (isTied) return embedding
    const name = names.find(candidate => this.#checkpoint.tensors.has(candidate)) ?? names[0] ?? ''
    return this.#find(name, embedding.shape)
  }

  #bias(name: string, out: number, hasBias: boolean): StoredTensor | null {
    const bias = `${name}.bias`
    if (hasBias) return this.tensor(bias, [out])
    const stray = this.#checkpoint.tensors.get(this.#prefix + bias)
    if (stray === undefined) return null
    throw new SpliceError('checkpoint/bias', `${stray.file} has ${stray.name}, but config.json asks for no bias there`, {
      file: stray.file,
      field: stray.name,
      hint: 'config.json and the weights disagree (attention_bias, mlp_bias or model_type); correct the field.'
    })
  }

  #find(name: string, shape: readonly number[]): StoredTensor {
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
