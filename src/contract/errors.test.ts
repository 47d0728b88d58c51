import { expect, test } from 'vitest'
import { legible, SpliceError } from './errors.ts'

test('what an error says of a file steers no terminal, turns no text round and fills no screen', () => {
  const error = new SpliceError('a/b', 'the tensor \u001b[2J\u001b]0;x\u0007\r\nW\u202eexe.\u0000', {
    file: '/f',
    field: '\u009b1m',
    hint: `again\n${'x'.repeat(5000)}`
  })
  expect(error.message).toBe('the tensor \\u001b[2J\\u001b]0;x\\u0007 W\\u202eexe.\\u0000')
  expect(error.field).toBe('\\u009b1m')
  expect(error.hint).toMatch(/^again x{994}…$/)
  expect(SpliceError.fromData(error.toData())).toMatchObject({ message: error.message, hint: error.hint })
})

test('text that is fit to be shown stays as it is', () => {
  for (const text of ['', 'W_enc is [4, 8]', 'wörm\u00adhole “x” 漢字 🙂', 'a‍b']) expect(legible(text)).toBe(text)
})
