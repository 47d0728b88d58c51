/** Token ids out of what people type. */
import { expect, test } from 'vitest'
import { parseTokenIds } from './token-ids.ts'

test.each([
  ['2,106,108', [2, 106, 108]],
  ['[2, 106, 108]', [2, 106, 108]],
  [' 2 106\n108 ', [2, 106, 108]],
  ['2, 106, ', [2, 106]],
  ['0', [0]],
  ['2047', [2047]],
  ['', []],
  ['[]', []]
])('%j', (text, ids) => {
  expect(parseTokenIds(text, 2048)).toEqual({ ids, error: null })
})

test.each([
  ['2, 12a', '“12a”, the 2nd, is not a token id'],
  ['-1', '“-1”, the 1st, is not a token id'],
  ['1.5', '“1.5”, the 1st, is not a token id'],
  ['1 2 3e1', '“3e1”, the 3rd, is not a token id'],
  ['1,,2', 'the 2nd token id is missing: nothing stands before a comma'],
  [',1', 'the 1st token id is missing: nothing stands before a comma'],
  ['[1, 2', '“[1”, the 1st, is not a token id'],
  ['5 2048', "token id 2048, the 2nd, is not in the model's vocabulary"]
])('%j is refused by the one that is wrong', (text, message) => {
  expect(parseTokenIds(text, 2048)).toMatchObject({ ids: null, error: { message, field: 'ids', mistake: true } })
})

test('without a model any whole number that a number can hold is an id', () => {
  expect(parseTokenIds('255999', null).ids).toEqual([255999])
  expect(parseTokenIds('99999999999999999999', null).error?.message).toContain('99999999999999999999')
})
