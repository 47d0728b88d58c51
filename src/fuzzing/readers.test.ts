/** Every reader against files that are broken by chance. A failure names seed and case; SPLICE_FUZZ_SEED has them again. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AttackerProcess } from './attacker-process.ts'
import { readers } from './readers/all.ts'

const seed = Number(process.env.SPLICE_FUZZ_SEED ?? 1)
const casesOfEach = 160
/** Memory of JavaScript, and of the whole process at its peak. */
const heapMegabytes = 256
const peakMegabytes = 600

describe('broken files are refused in words', () => {
  let attacker: AttackerProcess
  beforeAll(() => {
    attacker = new AttackerProcess(heapMegabytes)
  })
  afterAll(() => attacker.close())

  test.each(readers.map(({ name }) => name))('%s', async reader => {
    const { cases, read, refused, peakBytes } = await attacker.attack({ reader, seed, from: 0, count: casesOfEach })
    expect({ cases, all: read + refused }).toEqual({ cases: casesOfEach, all: casesOfEach })
    expect(peakBytes / 1024 ** 2).toBeLessThan(peakMegabytes)
  })
})
