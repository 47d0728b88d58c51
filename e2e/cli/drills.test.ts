/** The short round of drills: faults made for real, a few times each. `npm run test:all` has the whole round. */
import { describe, expect, test } from 'vitest'
import { drills } from '../drills/all.ts'
import { tryDrill } from '../drills/try-drill.ts'

describe.each(drills.filter(({ quick }) => quick > 0))('$name', drill => {
  test.skipIf(drill.unable?.() != null)(`${drill.fault}: nothing is lost`, async () => {
    const { losses, survived } = await tryDrill(drill, { times: drill.quick, seed: 20_251 })
    expect(losses).toEqual([])
    expect(survived).toBe(drill.quick)
  })
})
