/**
 * Embeddings of explanations, nearly all of the bytes of Neuronpedia's files: 256 numbers as a string of JSON or as an array. They
 * are cut out of a row before it is parsed, and read only where they are wanted.
 */

/** Numbers of an embedding. */
export const embeddingLength = 256

const space = 0x20
const quote = 0x22
const openBracket = 0x5b
const closeBracket = 0x5d

/** The key as it stands in a row; inside a string its quotation marks would be escaped. */
const embeddingKey = Buffer.from('"embedding":')

/**
 * A row's text with its embedding, a string or an array, replaced by null, and the embedding's text without its brackets. A row
 * that writes it otherwise, with a space before the colon, keeps it; `embedding` is null then.
 */
export function cutEmbedding(bytes: Buffer): { readonly text: string; readonly embedding: Buffer | null } {
  const key = bytes.indexOf(embeddingKey)
  if (key === -1) return { text: bytes.toString('utf8'), embedding: null }
  let start = key + embeddingKey.length
  while (bytes[start] === space) start += 1
  const opening = bytes[start]
  const closing = opening === quote ? quote : opening === openBracket ? closeBracket : null
  const end = closing === null ? -1 : bytes.indexOf(closing, start + 1)
  if (end === -1) return { text: bytes.toString('utf8'), embedding: null }
  const text = `${bytes.toString('utf8', 0, start)}null${bytes.toString('utf8', end + 1)}`
  const isBracketed = bytes[start + 1] === openBracket && bytes[end - 1] === closeBracket
  return { text, embedding: isBracketed ? bytes.subarray(start + 2, end - 1) : bytes.subarray(start + 1, end) }
}

/** An embedding as 256 float32 in the order of bytes of this machine (little-endian wherever Splice runs); null where it is none. */
export function readEmbedding(value: unknown): Uint8Array | null {
  const list = typeof value === 'string' ? parse(value) : value
  if (!Array.isArray(list) || list.length !== embeddingLength) return null
  const vector = new Float32Array(embeddingLength)
  let isZero = true
  for (let at = 0; at < embeddingLength; at++) {
    const number: unknown = list[at]
    if (typeof number !== 'number' || !Number.isFinite(Math.fround(number))) return null
    vector[at] = number
    if (vector[at] !== 0) isZero = false
  }
  // A vector without a direction is like nothing.
  return isZero ? null : new Uint8Array(vector.buffer)
}

/** The embedding that `cutEmbedding` cut out. */
export function readCutEmbedding(bytes: Buffer): Uint8Array | null {
  return readEmbedding(`[${bytes.toString('latin1')}]`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
