/** Tallies of features, held to what a look at everything at once finds: in any order, in any parts, through their records. */
import { describe, expect, test } from 'vitest'
import { PassTally, type PassText, TextPlaces } from './pass-tally.ts'
import { exponentOf, type FeatureTally, SaeTally } from './sae-tally.ts'
import { readTallyRecord, tallyRecords } from './tally-records.ts'
import { binCount, bytesOfFeature, type TallyShape, tokensOf } from './tally-shape.ts'

/** Whole numbers below a bound, the same each time for a seed. */
function drawer(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}

const features = 12

interface TestPass extends PassText {
  /** Activations, [position, feature]. */
  readonly dense: Float32Array
}

/** Passes of random sequences with few distinct tokens, so that texts return; activations of all sizes, and equal ones. */
function passesOf(seed: number, count: number): TestPass[] {
  const draw = drawer(seed)
  let number = 0
  return Array.from({ length: count }, () => {
    const length = 6 + draw(30)
    const lengths = Array.from({ length: 1 + draw(3) }, () => 1 + draw(length))
    const ids = Int32Array.from({ length: lengths.length * length }, () => 3 + draw(3))
    const dense = new Float32Array(ids.length * features)
    for (const [row, size] of lengths.entries()) {
      for (let place = 0; place < size; place++) {
        for (let feature = 0; feature < features; feature++) {
          if (draw(3) !== 0 || feature === 11) continue
          const value = draw(4) === 0 ? 2 ** (draw(40) - 20) : (1 + draw(1000)) * 2 ** (draw(3 + feature) - 6)
          dense[(row * length + place) * features + feature] = value
        }
      }
    }
    const numbers = lengths.map(() => number++)
    return { ids, length, lengths, numbers, dense }
  })
}

function sparse({ dense }: TestPass): { places: Int32Array; values: Float32Array } {
  const places = Int32Array.from([...dense.keys()].filter(place => (dense[place] ?? 0) > 0))
  return { places, values: Float32Array.from(places, place => dense[place] ?? 0) }
}

function tallyOf(passes: readonly TestPass[], shape: TallyShape): SaeTally {
  const tally = new SaeTally(features, shape)
  const counter = new PassTally(tally)
  for (const pass of passes) counter.add(sparse(pass), new TextPlaces(pass, shape, 7))
  return tally
}

function all(tally: SaeTally): (FeatureTally | null)[] {
  return Array.from({ length: features }, (_, feature) => tally.read(feature))
}

/** What is known of a feature, from all passes at once, by definition. */
function bruteForce(passes: readonly TestPass[], shape: TallyShape, feature: number): FeatureTally | null {
  const firings = passes.flatMap(pass => {
    const places = new TextPlaces(pass, shape, 7)
    return pass.lengths.flatMap((size, row) =>
      Array.from({ length: size }, (_, token) => {
        const position = row * pass.length + token
        const [start, end] = [Math.max(0, token - shape.before), Math.min(size, token + shape.after + 1)]
        const around = Array.from({ length: end - start }, (_, at) => row * pass.length + start + at)
        return {
          value: pass.dense[position * features + feature] ?? 0,
          hash: places.hashes[position] ?? 0,
          place: places.places[position] ?? 0,
          at: token - start,
          ids: Int32Array.from(around, at => pass.ids[at] ?? 0),
          activations: Float32Array.from(around, at => pass.dense[at * features + feature] ?? 0),
          stretch: `${pass.numbers[row]} ${Math.floor(token / tokensOf(shape))}`
        }
      }).filter(({ value }) => value > 0)
    )
  })
  if (firings.length === 0) return null
  type Firing = (typeof firings)[number]
  const maximum = Math.max(...firings.map(({ value }) => value))
  let exponent = -200
  while (maximum >= binCount * 2 ** exponent) exponent += 1
  const bins = new Uint32Array(binCount)
  for (const { value } of firings) {
    const bin = Math.floor(value / 2 ** exponent)
    bins[bin] = (bins[bin] ?? 0) + 1
  }
  const byStrength = (a: Firing, b: Firing) => b.value - a.value || a.hash - b.hash || a.place - b.place
  const byHash = (a: Firing, b: Firing) => a.hash - b.hash || b.value - a.value || a.place - b.place
  const stretches = Map.groupBy(firings, ({ stretch }) => stretch)
  const strongest = [...stretches.values()].map(own => own.reduce((best, one) => (one.value > best.value ? one : best)))
  const firstOfText = (sorted: Firing[]) => sorted.filter((one, at) => sorted.findIndex(({ hash }) => hash === one.hash) === at)
  const kept = (group: Firing[], order: typeof byHash, most: number) =>
    firstOfText(group.toSorted(order))
      .slice(0, most)
      .map(({ stretch: _, ...example }) => example)
  return {
    count: firings.length,
    maximum,
    exponent,
    bins,
    top: kept(strongest, byStrength, shape.top),
    intervals: Array.from({ length: 8 }, (_, interval) =>
      kept(
        firings.filter(({ value }) => Math.floor(value / 2 ** (exponent + 3)) === interval),
        byHash,
        shape.perInterval
      )
    )
  }
}

const shapes: TallyShape[] = [
  { top: 4, perInterval: 2, before: 3, after: 2 },
  { top: 0, perInterval: 3, before: 0, after: 0 },
  { top: 7, perInterval: 0, before: 10, after: 4 }
]

describe.each(shapes)('what is held of features: %j', shape => {
  test.each([1, 2, 3, 4])('is what a look at all of it finds (seed %i)', seed => {
    const passes = passesOf(seed, 12)
    const tally = tallyOf(passes, shape)
    for (let feature = 0; feature < features; feature++) {
      expect(tally.read(feature), `feature ${feature}`).toEqual(bruteForce(passes, shape, feature))
    }
    expect(tally.read(11)).toBeNull()
  })

  test.each([5, 6, 7])('is the same in parts of any size, put together in any order (seed %i)', seed => {
    const passes = passesOf(seed, 14)
    const whole = all(tallyOf(passes, shape))
    const draw = drawer(seed)
    for (let round = 0; round < 4; round++) {
      const shuffled = passes.map(pass => ({ pass, key: draw(1000) })).sort((a, b) => a.key - b.key)
      const parts = Array.from({ length: 1 + draw(4) }, (): TestPass[] => [])
      for (const { pass } of shuffled) parts[draw(parts.length)]?.push(pass)
      const merged = new SaeTally(features, shape)
      for (const part of parts) {
        for (const [feature, known] of all(tallyOf(part, shape)).entries()) if (known !== null) merged.absorb(feature, known)
      }
      expect(all(merged)).toEqual(whole)
    }
  })

  test('comes back from its records, and goes on from them', () => {
    const passes = passesOf(8, 10)
    const restored = new SaeTally(features, shape)
    for (const bytes of tallyRecords(3, tallyOf(passes.slice(0, 6), shape))) {
      for (const { sae, feature, tally } of readTallyRecord(bytes)) {
        expect(sae).toBe(3)
        restored.absorb(feature, tally)
      }
      expect(() => [...readTallyRecord(bytes.subarray(0, bytes.length - 1))]).toThrow(RangeError)
    }
    const counter = new PassTally(restored)
    for (const pass of passes.slice(6)) counter.add(sparse(pass), new TextPlaces(pass, shape, 7))
    expect(all(restored)).toEqual(all(tallyOf(passes, shape)))
  })
})

test('bins reach beyond every float32, from the least to the largest', () => {
  for (const value of [2 ** -149, 2 ** -130, 2 ** -126, 1e-30, 0.99999, 1, 1.5, 63.999, 64, 3.4e38]) {
    const rounded = Math.fround(value)
    const bin = rounded / 2 ** exponentOf(rounded)
    expect(bin).toBeLessThan(binCount)
    if (rounded >= 2 ** -126) expect(bin).toBeGreaterThanOrEqual(binCount / 2)
  }
})

test('infinite activations are told and not counted', () => {
  const [pass] = passesOf(9, 1)
  if (pass === undefined) throw new Error('no pass')
  const shape = shapes[0] ?? { top: 1, perInterval: 1, before: 1, after: 1 }
  const whole = sparse(pass)
  const tally = new SaeTally(features, shape)
  const values = whole.values.slice()
  values[2] = Number.POSITIVE_INFINITY
  expect(new PassTally(tally).add({ ...whole, values }, new TextPlaces(pass, shape, 7))).toBe(1)
  const counted = Array.from({ length: features }, (_, feature) => tally.count(feature)).reduce((sum, count) => sum + count, 0)
  expect(counted).toBe(whole.values.length - 1)
})

test('the memory that is said is what the arrays of a tally take', () => {
  const shape = { top: 20, perInterval: 5, before: 20, after: 11 }
  const before = process.memoryUsage().arrayBuffers
  const tally = new SaeTally(2000, shape)
  const counter = new PassTally(tally)
  const taken = process.memoryUsage().arrayBuffers - before
  expect(counter).toBeDefined()
  expect(Math.abs(taken - 2000 * bytesOfFeature(shape))).toBeLessThan(0.02 * taken)
})
