/** Tallies of features as bytes: those that fired, many to a record, little-endian. */
import type { Example, FeatureTally, SaeTally } from './sae-tally.ts'
import { binCount, intervalCount } from './tally-shape.ts'

/** About how many bytes a record has. */
const recordBytes = 1 << 20

/** Writes numbers behind each other into bytes that grow. */
class ByteWriter {
  #bytes = Buffer.allocUnsafe(2 * recordBytes)
  size = 0

  #room(bytes: number): number {
    if (this.size + bytes > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], 2 * (this.#bytes.length + bytes))
    const at = this.size
    this.size += bytes
    return at
  }

  uint8(value: number): void {
    const at = this.#room(1)
    this.#bytes.writeUInt8(value, at)
  }
  int16(value: number): void {
    const at = this.#room(2)
    this.#bytes.writeInt16LE(value, at)
  }
  uint32(value: number): void {
    const at = this.#room(4)
    this.#bytes.writeUInt32LE(value, at)
  }
  float32(value: number): void {
    const at = this.#room(4)
    this.#bytes.writeFloatLE(value, at)
  }
  float64(value: number): void {
    const at = this.#room(8)
    this.#bytes.writeDoubleLE(value, at)
  }
  /** Values of 32 bits each, as this machine has them in memory: little-endian on all that Splice runs on. */
  words(values: Int32Array | Uint32Array | Float32Array): void {
    const at = this.#room(values.byteLength)
    this.#bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at)
  }

  /** A copy of what was written; writing begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.size))
    this.size = 0
    return taken
  }
}

/** Reads what a `ByteWriter` wrote. Throws `RangeError` where there is not so much. */
class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  #take(bytes: number): number {
    const at = this.#at
    this.#at += bytes
    return at
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }
  int16(): number {
    return this.#bytes.readInt16LE(this.#take(2))
  }
  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }
  float32(): number {
    return this.#bytes.readFloatLE(this.#take(4))
  }
  float64(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }
  words(count: number): ArrayBuffer {
    const at = this.#take(4 * count)
    if (this.#at > this.#bytes.length) throw new RangeError('a record ends before its numbers do')
    return new Uint8Array(this.#bytes.subarray(at, this.#at)).buffer
  }
}

function writeExample(writer: ByteWriter, { value, hash, place, at, ids, activations }: Example): void {
  writer.float32(value)
  writer.float64(hash)
  writer.float64(place)
  writer.uint8(at)
  writer.uint8(ids.length)
  writer.words(ids)
  writer.words(activations)
}

function readExample(reader: ByteReader): Example {
  const [value, hash, place, at, length] = [reader.float32(), reader.float64(), reader.float64(), reader.uint8(), reader.uint8()]
  return { value, hash, place, at, ids: new Int32Array(reader.words(length)), activations: new Float32Array(reader.words(length)) }
}

/** Records of the features that fired, in their order. */
export function* tallyRecords(sae: number, tally: SaeTally): Generator<Buffer, void> {
  const writer = new ByteWriter()
  for (let feature = 0; feature < tally.features; feature++) {
    const known = tally.read(feature)
    if (known === null) continue
    if (writer.size === 0) writer.uint32(sae)
    writer.uint32(feature)
    writer.float64(known.count)
    writer.float32(known.maximum)
    writer.int16(known.exponent)
    writer.words(known.bins)
    for (const group of [known.top, ...known.intervals]) {
      writer.uint8(group.length)
      for (const example of group) writeExample(writer, example)
    }
    if (writer.size >= recordBytes) yield writer.take()
  }
  if (writer.size > 0) yield writer.take()
}

/** A feature that a record tells of. */
export interface RecordedTally {
  readonly sae: number
  readonly feature: number
  readonly tally: FeatureTally
}

/** What a record says. Throws `RangeError` where it is no whole record. */
export function* readTallyRecord(bytes: Buffer): Generator<RecordedTally, void> {
  const reader = new ByteReader(bytes)
  const sae = reader.uint32()
  const group = () => Array.from({ length: reader.uint8() }, () => readExample(reader))
  while (!reader.isAtEnd) {
    const [feature, count, maximum, exponent] = [reader.uint32(), reader.float64(), reader.float32(), reader.int16()]
    const bins = new Uint32Array(reader.words(binCount))
    const top = group()
    yield { sae, feature, tally: { count, maximum, exponent, bins, top, intervals: Array.from({ length: intervalCount }, group) } }
  }
}
