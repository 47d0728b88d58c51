/** The whole round of drills, as `npm run drills` has it, with another seed each time; and the soak. */
import { expect, test } from 'vitest'
import { drills } from '../drills/all.ts'
import { measureSoak } from '../drills/soak.ts'
import { tryDrill } from '../drills/try-drill.ts'

const seed = Date.now() % 1_000_000

test.each(drills)(
  '$name: nothing is lost',
  async drill => {
    const { losses, skipped, tried } = await tryDrill(drill, { times: drill.times, seed })
    if (skipped !== null) process.stderr.write(`${drill.name} was not tried: ${skipped}\n`)
    expect(losses).toEqual([])
    expect(skipped !== null || tried === drill.times).toBe(true)
  },
  1_800_000
)

test('2,000 operations: memory at the end is within a tenth of the middle, and no descriptor is left open', async () => {
  const soak = await measureSoak({ operations: 2000, seed })
  expect(soak, JSON.stringify(soak)).toMatchObject({ isSteady: true })
}, 1_800_000)
