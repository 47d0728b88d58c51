/** Values that cross between the process and a page as JSON; bytes travel as base64. The page's half is in `preload-world.js`. */

export function encode(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return { $bytes: Buffer.from(value).toString('base64'), kind: 'ArrayBuffer' }
  if (ArrayBuffer.isView(value)) {
    return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'), kind: 'Uint8Array' }
  }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value === 'function') throw new Error('An object could not be cloned.')
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, encode(inner)]))
}

export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (typeof value !== 'object' || value === null) return value
  if ('$bytes' in value && typeof value.$bytes === 'string') {
    const bytes = Uint8Array.from(Buffer.from(value.$bytes, 'base64'))
    return 'kind' in value && value.kind === 'ArrayBuffer' ? bytes.buffer : bytes
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, decode(inner)]))
}
