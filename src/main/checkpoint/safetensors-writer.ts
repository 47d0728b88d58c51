/** Writes safetensors files (https://github.com/huggingface/safetensors#format): length, JSON header, then the bytes in order. */
import { rmSync } from 'node:fs'
import fs from 'node:fs/promises'
import { SpliceError } from '../../contract/errors.ts'
import { elementCount } from './tensor.ts'

/** A float32 tensor whose values will follow. */
export interface AnnouncedTensor {
  readonly name: string
  readonly shape: readonly number[]
}

interface Place {
  readonly offset: number
  readonly elements: number
}

/** Most bytes of one write: the system takes less than 2 GiB at once. */
const mostAtOnce = 2 ** 28

/** Where a process writes a file before it takes its name; whoever kills that process removes it. */
export function unfinishedFile(file: string, processId: number): string {
  return `${file}.${processId}.part`
}

/** Files of this process that have not taken their name yet. */
const unfinished = new Set<string>()

/** A process that ends by itself, as when its engine is gone, takes them with it. */
function removeUnfinished(): void {
  for (const part of unfinished) rmSync(part, { force: true })
}

/** Length and header of a file, padded to a multiple of 8 bytes, and where in it the values of each tensor go. */
function arrange(tensors: readonly AnnouncedTensor[], metadata: Readonly<Record<string, string>>) {
  const header: Record<string, unknown> = { __metadata__: metadata }
  let end = 0
  for (const { name, shape } of tensors) {
    const start = end
    end += 4 * elementCount(shape)
    header[name] = { dtype: 'F32', shape, data_offsets: [start, end] }
  }
  const json = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  const head = Buffer.concat([length, padded])

  const places = new Map<string, Place>()
  let offset = head.length
  for (const { name, shape } of tensors) {
    const elements = elementCount(shape)
    places.set(name, { offset, elements })
    offset += 4 * elements
  }
  return { head, places }
}

/**
 * A file of float32 tensors whose values come one after the other, in any order, so that they need not be in memory together.
 * The bytes go to a file beside it, which takes its name when it is whole: end with `finish`, or with `discard` where something
 * went wrong. Every step throws `save/failed` naming the file.
 */
export class SafetensorsWriter {
  readonly #file: string
  readonly #part: string
  readonly #handle: fs.FileHandle
  /** Tensors whose values are still to come. */
  readonly #awaited: Map<string, Place>
  /** How many elements have come of tensors that come in parts. */
  readonly #written = new Map<string, number>()

  private constructor(file: string, part: string, handle: fs.FileHandle, awaited: Map<string, Place>) {
    this.#file = file
    this.#part = part
    this.#handle = handle
    this.#awaited = awaited
  }

  static async create(
    file: string,
    tensors: readonly AnnouncedTensor[],
    metadata: Readonly<Record<string, string>> = {}
  ): Promise<SafetensorsWriter> {
    const part = unfinishedFile(file, process.pid)
    const { head, places } = arrange(tensors, metadata)
    if (!process.listeners('exit').includes(removeUnfinished)) process.on('exit', removeUnfinished)
    unfinished.add(part)
    let writer: SafetensorsWriter
    try {
      writer = new SafetensorsWriter(file, part, await fs.open(part, 'w'), places)
    } catch (thrown) {
      unfinished.delete(part)
      throw failure(file, thrown)
    }
    await writer.#put(head, 0)
    return writer
  }

  async #put(bytes: Uint8Array, position: number): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, Math.min(mostAtOnce, bytes.length - done), position + done)
        done += bytesWritten
      }
    } catch (thrown) {
      await this.discard()
      throw failure(this.#file, thrown)
    }
  }

  /** Writes an announced tensor's values. */
  async write(name: string, values: Float32Array): Promise<void> {
    const place = this.#awaited.get(name)
    if (place === undefined || place.elements !== values.length) {
      throw new Error(`${name} was announced with ${place?.elements ?? 'no'} elements, not with ${values.length}`)
    }
    this.#awaited.delete(name)
    await this.#put(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), place.offset)
  }

  /** Writes some of an announced tensor's values, from element `from` on; parts may come in any order, each once. */
  async writePart(name: string, from: number, values: Float32Array): Promise<void> {
    const place = this.#awaited.get(name)
    const written = (this.#written.get(name) ?? 0) + values.length
    if (place === undefined || from + values.length > place.elements || written > place.elements) {
      throw new Error(`elements ${from} to ${from + values.length} of ${name} were not announced`)
    }
    this.#written.set(name, written)
    if (written === place.elements) this.#awaited.delete(name)
    await this.#put(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), place.offset + 4 * from)
  }

  /** The file takes its name. */
  async finish(): Promise<void> {
    if (this.#awaited.size > 0) throw new Error(`${[...this.#awaited.keys()].join(', ')} were announced and never came`)
    try {
      await this.#handle.sync()
      await this.#handle.close()
      await fs.rename(this.#part, this.#file)
      unfinished.delete(this.#part)
    } catch (thrown) {
      await this.discard()
      throw failure(this.#file, thrown)
    }
  }

  /** Nothing stays behind. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
    await fs.rm(this.#part, { force: true })
    unfinished.delete(this.#part)
  }
}

/** Writes a file whose values are all there, whole or not at all. Throws `save/failed` naming the file. */
export async function writeSafetensors(
  file: string,
  tensors: readonly (AnnouncedTensor & { readonly data: Float32Array })[],
  metadata: Readonly<Record<string, string>> = {}
): Promise<void> {
  const writer = await SafetensorsWriter.create(file, tensors, metadata)
  for (const { name, data } of tensors) await writer.write(name, data)
  await writer.finish()
}

function failure(file: string, thrown: unknown): SpliceError {
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  return new SpliceError('save/failed', `${file} cannot be written (${why})`, {
    file,
    hint: 'Choose a file in a folder that exists and has room.',
    cause: thrown
  })
}
