/** How quick the way to the bucket is. */
import type { BucketObject, ListingOptions } from './listing.ts'
import { ask } from './service.ts'

/** Bytes that are fetched to measure it, and how long at most, in ms. */
const probeBytes = 4 * 1024 * 1024
const probeTime = 3000

/** Bytes a second of one connection, by the beginning of an object; null where it cannot be had. What is fetched is not kept. */
export async function measureSpeed({ key, bytes }: BucketObject, { endpoint, signal }: ListingOptions): Promise<number | null> {
  const url = `${endpoint}/${key.split('/').map(encodeURIComponent).join('/')}`
  const range = `bytes=0-${Math.max(0, Math.min(bytes, probeBytes) - 1)}`
  const started = performance.now()
  let received = 0
  try {
    const response = await ask(url, key, { signal, headers: { 'accept-encoding': 'identity', range } })
    const reader = response.body?.getReader()
    if (reader === undefined) return null
    const late = setTimeout(() => void reader.cancel().catch(() => undefined), probeTime)
    try {
      for (let chunk = await reader.read(); !chunk.done && received < probeBytes; chunk = await reader.read())
        received += chunk.value.length
    } finally {
      clearTimeout(late)
      await reader.cancel().catch(() => undefined)
    }
  } catch {
    // Why not is said when the file itself is fetched.
    if (received === 0) return null
  }
  return received === 0 ? null : (received / (performance.now() - started)) * 1000
}
