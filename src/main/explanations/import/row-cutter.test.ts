import { describe, expect, test } from 'vitest'
import { type CutRow, LineCutter, ObjectCutter, type RowCutter } from './row-cutter.ts'

/** The rows of a text, pushed in pieces of `size` bytes. */
function cut(cutter: RowCutter, text: string, size: number): (string | CutRow)[] {
  const bytes = Buffer.from(text)
  const rows: CutRow[] = []
  for (let at = 0; at < bytes.length; at += size) rows.push(...cutter.push(bytes.subarray(at, at + size)))
  rows.push(...cutter.end())
  return rows.map(row => ('bytes' in row ? `${row.line} ${row.bytes.toString()}` : row))
}

describe.each([1, 2, 3, 7, 1000])('in pieces of %i bytes', size => {
  test('lines are rows, empty ones are none, and the last one needs no end', () => {
    expect(cut(new LineCutter(), '{"a":1}\n\n  \r\n{"b":"ü"}\n{"c":3}', size)).toEqual(['1 {"a":1}', '4 {"b":"ü"}', '5 {"c":3}'])
    expect(cut(new LineCutter(), '', size)).toEqual([])
  })

  test('objects of an array are rows, whatever their texts hold', () => {
    const objects = ['{"a":"} ] { \\" \\\\"}', '{"b":{"c":[{"d":1}]}}', '{"e":"\\\\"}', '{}']
    const numbered = objects.map((object, at) => `${at + 1} ${object}`)
    expect(cut(new ObjectCutter(), `[${objects.join(',')}]`, size)).toEqual(numbered)
    expect(cut(new ObjectCutter(), `\ufeff[\n  ${objects.join(' ,\n  ')}\n]\n`, size)).toEqual(numbered)
    expect(cut(new ObjectCutter(), '{"a":1}', size)).toEqual(['1 {"a":1}'])
  })

  test('what is no array of objects is said', () => {
    expect(cut(new ObjectCutter(), '[{"a":1}, 7, {"b":2}]', size)).toEqual([
      '1 {"a":1}',
      { line: 2, problem: expect.stringContaining('no object') }
    ])
    expect(cut(new ObjectCutter(), '[{"a":1},{"b":', size)).toEqual(['1 {"a":1}', { line: 2, problem: 'the file ends inside an object' }])
    expect(cut(new ObjectCutter(), 'null', size)).toEqual([{ line: 1, problem: expect.stringContaining('no object') }])
    expect(cut(new ObjectCutter(), '', size)).toEqual([{ line: 1, problem: 'the file holds no objects' }])
  })
})
