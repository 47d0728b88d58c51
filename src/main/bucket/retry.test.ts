import { expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import { waitBefore, withRetries } from './retry.ts'
import { PassingError, retryAfter } from './service.ts'

const patience = { tries: 4, firstWait: 100, longestWait: 1000 }
const passing = (after: number | null = null) => new PassingError(new SpliceError('sync/busy', 'busy', { mistake: false }), after)

test('waits grow twofold to a limit, and are anything up to it', () => {
  expect([1, 2, 3, 4, 5, 9].map(failed => waitBefore(failed, patience, () => 1))).toEqual([100, 200, 400, 800, 1000, 1000])
  expect(waitBefore(3, patience, () => 0)).toBe(0)
  expect(waitBefore(3, patience, () => 0.25)).toBe(100)
})

test('Retry-After is seconds or a date, and never too long', () => {
  const now = Date.parse('2025-10-01T00:00:00Z')
  expect(
    ['3', ' 0 ', 'Wed, 01 Oct 2025 00:00:05 GMT', 'Wed, 01 Oct 2025 00:00:00 GMT', '86400', 'soon', null].map(header =>
      retryAfter(header, now)
    )
  ).toEqual([3000, 0, 5000, 0, 60_000, null, null])
})

test('work is tried again while it brings something on, and fails after tries in vain', async () => {
  let tries = 0
  const quick = { ...patience, firstWait: 0 }
  const failing = (most: number, error: () => unknown) => async () => {
    tries += 1
    if (tries <= most) throw error()
    return tries
  }
  expect(await withRetries(failing(3, passing), { signal: undefined, patience: quick })).toBe(4)
  tries = 0
  await expect(withRetries(failing(4, passing), { signal: undefined, patience: quick })).rejects.toMatchObject({ kind: 'sync/busy' })
  tries = 0
  expect(await withRetries(failing(20, passing), { signal: undefined, patience: quick, progressed: () => true })).toBe(21)
  tries = 0
  await expect(
    withRetries(
      failing(9, () => new Error('no')),
      { signal: undefined, patience: quick }
    )
  ).rejects.toThrow('no')
  expect(tries).toBe(1)
})

test('the server is left alone as long as it wants, unless the work is cancelled', async () => {
  const waits: number[] = []
  const abort = new AbortController()
  const work = withRetries(() => Promise.reject(passing(50_000)), {
    signal: abort.signal,
    patience,
    onWait: (_, ms) => {
      waits.push(ms)
      abort.abort()
    }
  })
  await expect(work).rejects.toMatchObject({ kind: 'sync/cancelled' })
  expect(waits).toEqual([50_000])
})
