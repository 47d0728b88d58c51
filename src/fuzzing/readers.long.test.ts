/** The same for minutes, with another seed each time. */
import { describe, expect, test } from 'vitest'
import { AttackerProcess } from './attacker-process.ts'
import { readers } from './readers/all.ts'

const seed = Number(process.env.SPLICE_FUZZ_SEED ?? Date.now() % 2 ** 31)
/** How long each reader is attacked, and in how large portions. */
const attackedMs = 20_000
const portion = 500
const heapMegabytes = 512
const peakMegabytes = 1000

describe(`broken files are refused in words, seed ${seed}`, () => {
  test.each(readers.map(({ name }) => name))(
    '%s',
    async reader => {
      const attacker = new AttackerProcess(heapMegabytes)
      try {
        const until = performance.now() + attackedMs
        for (let from = 0; performance.now() < until; from += portion) {
          const { cases, peakBytes } = await attacker.attack({ reader, seed, from, count: portion })
          expect(cases).toBe(portion)
          expect(peakBytes / 1024 ** 2).toBeLessThan(peakMegabytes)
        }
      } finally {
        attacker.close()
      }
    },
    5 * 60_000
  )
})
