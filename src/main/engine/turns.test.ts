import { expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import { Turns } from './turns.ts'

const cancelled = () => new SpliceError('run/cancelled', 'cancelled')

test('work is done one after the other, also after work that fails', async () => {
  const turns = new Turns(10)
  const done: string[] = []
  const work = (name: string) => async () => {
    done.push(`${name} begins`)
    await new Promise(resolve => setTimeout(resolve, 5))
    done.push(`${name} ends`)
    if (name === 'a') throw new Error('a fails')
    return name
  }
  const [a, b] = await Promise.allSettled([turns.take(work('a'), undefined, cancelled), turns.take(work('b'), undefined, cancelled)])
  expect(done).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  expect([a.status, b]).toEqual(['rejected', { status: 'fulfilled', value: 'b' }])
})

test('as many wait as may, the next one is refused by name; one that is cancelled leaves at once and makes room', async () => {
  const turns = new Turns(2)
  let finish = () => {}
  const first = turns.take(() => new Promise<void>(resolve => (finish = resolve)), undefined, cancelled)
  await new Promise(resolve => setImmediate(resolve))
  const abort = new AbortController()
  let wasDone = false
  const second = turns.take(
    async () => {
      wasDone = true
    },
    abort.signal,
    cancelled
  )
  const third = turns.take(async () => 3, undefined, cancelled)
  await expect(turns.take(async () => 4, undefined, cancelled)).rejects.toMatchObject({ kind: 'run/queue-full', mistake: false })
  abort.abort()
  await expect(second).rejects.toMatchObject({ kind: 'run/cancelled' })
  const fifth = turns.take(async () => 5, undefined, cancelled)
  finish()
  await first
  expect(await Promise.all([third, fifth])).toEqual([3, 5])
  expect(wasDone).toBe(false)
})
