/** A run's activations on their way to a safetensors file: written as stages end, with TransformerLens's names and shapes. */
import { type AnnouncedTensor, SafetensorsWriter } from '../checkpoint/safetensors-writer.ts'
import { sizesOf, withBatch } from './activation-layout.ts'
import type { InferenceJob } from './messages.ts'
import { hasActivation, type KeptActivation } from './save.ts'
import type { Capture, PlannedSae } from './stage-graph.ts'

export interface ActivationFileOptions {
  readonly file: string
  readonly variants: InferenceJob['variants']
  readonly saes: readonly PlannedSae[]
  readonly positions: number
  readonly captures: readonly Capture[]
  /** Logits per position, to be written whole; null where they are not wanted. */
  readonly vocabulary: number | null
}

/** `<variant>/<hook name>` and `<variant>/logits`, each with a batch dimension of 1 in front. */
export class ActivationFile {
  readonly #writer: SafetensorsWriter
  readonly #variants: InferenceJob['variants']
  readonly #targetOf: ReadonlyMap<string, string>

  private constructor(writer: SafetensorsWriter, variants: InferenceJob['variants'], targetOf: ReadonlyMap<string, string>) {
    this.#writer = writer
    this.#variants = variants
    this.#targetOf = targetOf
  }

  /** Announces what will be written. Throws `save/failed` naming the file. */
  static async create({ file, variants, saes, positions, captures, vocabulary }: ActivationFileOptions): Promise<ActivationFile> {
    const targetOf = new Map(saes.map(({ name, target }) => [name, target]))
    const tensors = variants.flatMap((variant): AnnouncedTensor[] => [
      ...captures
        .filter(capture => hasActivation(variant, capture, targetOf))
        .map(({ name, shape }) => ({ name: `${variant.name}/${name}`, shape: withBatch(shape, sizesOf(shape, positions), 1) })),
      ...(vocabulary === null ? [] : [{ name: `${variant.name}/logits`, shape: [1, positions, vocabulary] }])
    ])
    return new ActivationFile(await SafetensorsWriter.create(file, tensors, { format: 'pt' }), variants, targetOf)
  }

  /** Writes an activation for every variant that has it. */
  async write({ values, ...capture }: KeptActivation): Promise<void> {
    for (const [row, variant] of this.#variants.entries()) {
      if (hasActivation(variant, capture, this.#targetOf)) await this.#writer.write(`${variant.name}/${capture.name}`, values.row(row))
    }
  }

  /** Writes whole logits [position, vocabulary] per variant, where they were announced, and gives the file its name. */
  async finish(logits: readonly Float32Array[]): Promise<void> {
    for (const [row, variant] of this.#variants.entries()) {
      const whole = logits[row]
      if (whole !== undefined) await this.#writer.write(`${variant.name}/logits`, whole)
    }
    await this.#writer.finish()
  }

  /** Leaves nothing behind. */
  discard(): Promise<void> {
    return this.#writer.discard()
  }
}
