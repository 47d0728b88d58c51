/** Turns a whole file into a broken one: bytes changed, cut, doubled and moved; JSON values put in each other's place. */
import type { Draws } from './draws.ts'

/** Numbers at which readers go wrong: signs, widths, what a double cannot hold. */
const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]

function overwriteNumber(draws: Draws, bytes: Buffer): Buffer {
  const width = draws.pick([1, 2, 4, 8].filter(size => size <= bytes.length))
  const at = draws.below(bytes.length - width + 1)
  const out = Buffer.from(bytes)
  const value = draws.pick(edges)
  if (width === 8) out.writeBigUInt64LE(draws.chance(0.3) ? 0xffffffffffffffffn : BigInt(value), at)
  else out.writeUIntLE(value % 2 ** (8 * width), at, width)
  return out
}

function range(draws: Draws, length: number): [number, number] {
  const start = draws.below(length)
  return [start, Math.min(length, start + 1 + draws.below(draws.chance(0.7) ? 16 : length))]
}

function mutateOnce(draws: Draws, bytes: Buffer, other: Buffer): Buffer {
  if (bytes.length === 0) return draws.bytes(draws.below(64))
  const [start, end] = range(draws, bytes.length)
  switch (draws.below(9)) {
    case 0: {
      const out = Buffer.from(bytes)
      out[start] = (out[start] ?? 0) ^ (1 << draws.below(8))
      return out
    }
    case 1:
      return overwriteNumber(draws, bytes)
    case 2:
      return bytes.subarray(0, start)
    case 3:
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
    case 4:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
    case 5:
      return Buffer.concat([bytes.subarray(0, start), draws.bytes(1 + draws.below(16)), bytes.subarray(start)])
    case 6: {
      const [from, to] = range(draws, Math.max(1, other.length))
      return Buffer.concat([bytes.subarray(0, start), other.subarray(from, to), bytes.subarray(end)])
    }
    case 7: {
      const out = Buffer.from(bytes)
      draws.bytes(Math.min(end - start, 16)).copy(out, start)
      return out
    }
    default: {
      const out = Buffer.from(bytes)
      out.fill(draws.pick([0, 0xff, 0x28, 0x5b, 0x7b]), start, end)
      return out
    }
  }
}

/** Bytes with one to four mutations; `other` is a file from which pieces may come. */
export function mutateBytes(draws: Draws, bytes: Buffer, other: Buffer = bytes): Buffer {
  let out = bytes
  for (let left = 1 + draws.below(4); left > 0; left--) out = mutateOnce(draws, out, other)
  return out
}

/** Stands for arrays in arrays, too many to build as a value; `jsonText` writes them. */
const deep = '\u0000deep\u0000'

function oddValue(draws: Draws): unknown {
  const word = draws.pick([
    'x',
    '__proto__',
    '\u001b[31m',
    'a\nb',
    '../../etc/passwd',
    '/etc/hostname',
    '\ud800',
    'NaN',
    '0x10',
    '(a+)+$',
    ' '
  ])
  const values: (() => unknown)[] = [
    () => null,
    () => draws.chance(0.5),
    () => draws.pick([0, -0, -1, 1, 2, 3, 7, 0.5, -1.5, 1e9, 1e12, -1e9, 2 ** 31, 2 ** 53, 2 ** 53 + 2, 1e308, 5e-324, 1e-300]),
    () => word,
    () => word.repeat(1 + draws.below(2000)),
    () => [],
    () => ({}),
    () => [word],
    () => Array.from({ length: 1 + draws.below(300) }, () => draws.pick([0, 1, -1, 1e9])),
    () => ({ [word]: draws.below(10) }),
    () => deep
  ]
  return draws.pick(values)()
}

interface Place {
  readonly holder: Record<string, unknown> | unknown[]
  readonly key: string
}

function placesOf(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null || found.length > 2000) return found
  const holder = value as Record<string, unknown> | unknown[]
  for (const key of Object.keys(holder)) {
    found.push({ holder, key })
    placesOf(Reflect.get(holder, key), found)
  }
  return found
}

function set(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

function change(draws: Draws, { holder, key }: Place, places: readonly Place[]): void {
  switch (draws.below(5)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1)
      else Reflect.deleteProperty(holder, key)
      return
    case 1:
      // A list with names is none that JSON writes.
      if (Array.isArray(holder)) holder.push(oddValue(draws))
      else set(holder, draws.pick(['__proto__', 'constructor', 'toString', '', `${key} `, key.toUpperCase()]), oddValue(draws))
      return
    case 2: {
      const other = draws.pick(places)
      const taken = Reflect.get(other.holder, other.key)
      // A copy: a value inside itself has no text.
      set(holder, key, typeof taken === 'object' && taken !== null ? structuredClone(taken) : taken)
      return
    }
    default:
      set(holder, key, oddValue(draws))
  }
}

/** A value with one to three places of it changed. */
export function mutateValue(draws: Draws, value: unknown): unknown {
  const root = { value: structuredClone(value) }
  for (let left = 1 + draws.below(3); left > 0; left--) {
    const places = placesOf(root)
    if (places.length === 0) break
    // The root itself is one place of many, and rarely interesting.
    const inner = places.length > 1 && draws.chance(0.95) ? places.slice(1) : places
    change(draws, draws.pick(inner), places)
  }
  return root.value
}

/** JSON of a value; what stands for depth becomes up to 200,000 brackets. */
export function jsonText(draws: Draws, value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  const levels = draws.pick([10, 200, 5000, 200_000])
  return text.replaceAll(JSON.stringify(deep), () =>
    draws.chance(0.5) ? nested('[', '0', ']', levels) : nested('{"a":', '0', '}', levels)
  )
}

function nested(open: string, inner: string, close: string, levels: number): string {
  return open.repeat(levels) + inner + close.repeat(levels)
}

/** A JSON file broken in its meaning, or, one time in four, in its bytes. */
export function mutateJson(draws: Draws, text: string): Buffer {
  if (draws.chance(0.25)) return mutateBytes(draws, Buffer.from(text))
  return Buffer.from(jsonText(draws, mutateValue(draws, JSON.parse(text))))
}
