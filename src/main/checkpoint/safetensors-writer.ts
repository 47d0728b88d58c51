/** Writes safetensors files (https://github.com/huggingface/safetensors#format): length, JSON header, then the bytes in order. */
import fs from 'node:fs/promises'
import { SpliceError } from '../../contract/errors.ts'

/** A float32 tensor to write. */
export interface Float32Tensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** Where a process writes a file before it takes its name; whoever kills that process removes it. */
export function unfinishedFile(file: string, processId: number): string {
  return `${file}.${processId}.part`
}

/**
 * Writes a file whole or not at all: the bytes go to a file beside it, which takes its name at the end.
 * Throws `save/failed` naming the file.
 */
export async function writeSafetensors(
  file: string,
  tensors: readonly Float32Tensor[],
  metadata: Record<string, string> = {}
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata }
  let offset = 0
  for (const { name, shape, data } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] }
    offset += data.byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))

  const part = unfinishedFile(file, process.pid)
  try {
    const handle = await fs.open(part, 'w')
    try {
      await handle.appendFile(length)
      await handle.appendFile(padded)
      for (const { data } of tensors) await handle.appendFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(part, file)
  } catch (thrown) {
    await fs.rm(part, { force: true })
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SpliceError('save/failed', `${file} cannot be written (${why})`, {
      file,
      hint: 'Choose a file in a folder that exists and has room.',
      cause: thrown
    })
  }
}
