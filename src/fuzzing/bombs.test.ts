/** Files made to take memory, time or room, read by a process whose memory is measured. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AttackerProcess } from './attacker-process.ts'
import { bombs } from './readers/bombs.ts'

const heapMegabytes = 768
/** Of the process, making the files included. */
const peakMegabytes = 1600

describe('a bomb takes no more than what is said', () => {
  let attacker: AttackerProcess
  beforeAll(() => {
    attacker = new AttackerProcess(heapMegabytes)
  })
  afterAll(() => attacker.close())

  test.each(bombs.map(({ name }) => name))('%s', async reader => {
    const { cases, peakBytes } = await attacker.attack({ reader, seed: 1, from: 0, count: 1 })
    expect(cases).toBe(1)
    expect(peakBytes / 1024 ** 2).toBeLessThan(peakMegabytes)
  })
})
