/** Targets as a person writes them. */
import { expect, test } from 'vitest'
import { readTarget } from './target.ts'

const text = (text: string) => ({ text })
test.each([
  [' hole', { kind: 'log-prob', token: text(' hole') }],
  ['4123', { kind: 'log-prob', token: { id: 4123 } }],
  ['"4123"@3', { kind: 'log-prob', token: text('4123'), position: 3 }],
  [' hole- space@5', { kind: 'logit-difference', token: text(' hole'), other: text(' space'), position: 5 }],
  ['7-101', { kind: 'logit-difference', token: { id: 7 }, other: { id: 101 } }],
  ['"-"-"@"@0', { kind: 'logit-difference', token: text('-'), other: text('@'), position: 0 }],
  ['-', { kind: 'log-prob', token: text('-') }],
  ['@@2', { kind: 'log-prob', token: text('@'), position: 2 }],
  ['loss', { kind: 'loss' }],
  ['"loss"', { kind: 'log-prob', token: text('loss') }],
  ['kl', { kind: 'kl' }],
  ['kl@7', { kind: 'kl', position: 7 }]
])('%s', (written, expected) => {
  expect(readTarget(written)).toEqual(expected)
})

test.each(['', ' a@', ' a@x', ' a- b- c', 'kl@-1', '""', '"a"b', ' a-'])('%j is refused with what to write', written => {
  expect(() => readTarget(written)).toThrow(
    expect.objectContaining({ kind: 'cli/usage', field: '--target', hint: expect.stringContaining('--target kl@7') })
  )
})
