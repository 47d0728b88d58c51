/** Corpora as sequences: lines, JSON lines and arrays of ids, streamed, joined as SAELens joins them, and taken up again anywhere. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Corpus } from '../../contract/evaluation.ts'
import { beginning, type CorpusTokenizer, type Cursor, readSequences, type Sequence } from './sequences.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-test-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

/** A tokenizer of characters: a letter is its code, BOS is 1. */
const characters: CorpusTokenizer = { encode: (text: string) => [...text].map(letter => letter.codePointAt(0) ?? 0), bos: 1 }
const lettersOf = (ids: readonly number[]) => ids.map(id => (id === 1 ? '^' : String.fromCodePoint(id))).join('')

async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(folder, name)
  await fs.writeFile(file, content)
  return file
}

async function textCorpus(name: string, content: string | Uint8Array, documents: 'joined' | 'apart' = 'joined'): Promise<Corpus> {
  return { kind: 'text', file: await fileOf(name, content), documents, prependBos: true }
}

async function idCorpus(content: string): Promise<Corpus> {
  return { kind: 'ids', file: await fileOf('ids.json', content) }
}

async function sequencesOf(corpus: Corpus, context: number, tokenizer = characters, from: Cursor = beginning): Promise<Sequence[]> {
  const sequences: Sequence[] = []
  for await (const sequence of readSequences(corpus, context, tokenizer, from)) sequences.push(sequence)
  return sequences
}

async function lettersIn(corpus: Corpus, context: number, tokenizer: CorpusTokenizer = characters): Promise<string[]> {
  return (await sequencesOf(corpus, context, tokenizer)).map(({ ids }) => lettersOf(ids))
}

/** From each cursor on, the same sequences come as did the first time. */
async function expectToGoOnAnywhere(corpus: Corpus, context: number): Promise<void> {
  const all = await sequencesOf(corpus, context)
  for (const [at, { next }] of all.entries()) {
    if (at === all.length - 1) continue
    expect(await sequencesOf(corpus, context, characters, next), `after sequence ${at}`).toEqual(all.slice(at + 1))
  }
}

describe('documents that are joined', () => {
  test('fill sequences that begin with BOS, with BOS between them; the last one is kept', async () => {
    const corpus = await textCorpus('a.txt', 'abcdefg\nhi\n\njklmno')
    expect(await lettersIn(corpus, 5)).toEqual(['^abcd', '^efg^', '^hi^j', '^klmn', '^o'])
    await expectToGoOnAnywhere(corpus, 5)
  })

  test('get no second BOS where they have one', async () => {
    const corpus = await textCorpus('b.txt', '\u0001ab\n\u0001cd\nef')
    expect(await lettersIn(corpus, 6)).toEqual(['^ab^cd', '^ef'])
  })

  test('get none where the family has none', async () => {
    expect(await lettersIn(await textCorpus('c.txt', 'abc\ndef\ng'), 4, { ...characters, bos: null })).toEqual(['abcd', 'efg'])
  })
})

describe('documents that are kept apart', () => {
  test('begin a sequence each, and go on in the next where they are longer', async () => {
    const corpus = await textCorpus('d.txt', 'abcdefg\r\nhi\r\n', 'apart')
    expect(await lettersIn(corpus, 5)).toEqual(['^abcd', '^efg', '^hi'])
    await expectToGoOnAnywhere(corpus, 5)
  })
})

describe('JSON lines', () => {
  test('give their texts, line feeds inside included', async () => {
    const lines = [{ text: 'ab\ncd' }, { id: 7, text: 'ef' }].map(line => JSON.stringify(line))
    const corpus = await textCorpus('e.jsonl', `${lines[0]}\n\n${lines[1]}`, 'apart')
    expect(await lettersIn(corpus, 9)).toEqual(['^ab\ncd', '^ef'])
    await expectToGoOnAnywhere(corpus, 3)
  })

  test.each([
    ['{"text": "a"}\nhello\n', 'line 2 of'],
    ['{"text": "a"}\n{"content": "b"}\n', 'line 2 of .* has no "text"'],
    ['{"text": 5}\n', 'line 1 of .* has no "text"']
  ])('of another kind are refused by their line: %j', async (content, message) => {
    await expect(sequencesOf(await textCorpus('f.jsonl', content), 8)).rejects.toThrow(new RegExp(message))
  })
})

describe('a long line', () => {
  const words = Array.from({ length: 9000 }, (_, at) => `w${at}`).join(' ')

  test('comes in pieces that make up the whole, and can be taken up inside', async () => {
    const corpus = await textCorpus('g.txt', `${words}\nend`)
    const sequences = await sequencesOf(corpus, 7000)
    expect(sequences.map(({ ids }) => lettersOf(ids).replaceAll('^', '')).join('')).toBe(`${words}end`)
    expect(sequences.length).toBeGreaterThan(5)
    await expectToGoOnAnywhere(corpus, 7000)
  })

  test('is cut before spaces, which a tokenizer that adds one itself is not given', async () => {
    const corpus = await textCorpus('h.txt', words)
    const seen: string[] = []
    const metaspace = (text: string) => [...` ${text}`.matchAll(/ (\S+)/g)].map(match => Number(match[1]?.slice(1) ?? 0))
    const encode = (text: string) => {
      seen.push(text)
      return text === 'a a' ? [5, 5] : metaspace(text)
    }
    const [sequence] = await sequencesOf(corpus, 10_000, { encode, bos: null })
    expect(sequence?.ids).toEqual(Array.from({ length: 9000 }, (_, at) => at))
    expect(seen.length).toBeGreaterThan(5)
  })

  test('without spaces is cut between characters', async () => {
    const corpus = await textCorpus('i.txt', 'é€𝄞'.repeat(4000))
    expect(await lettersIn(corpus, 20_000, { ...characters, bos: null })).toEqual(['é€𝄞'.repeat(4000)])
  })
})

test('a byte order mark is read over', async () => {
  expect(await lettersIn(await textCorpus('j.txt', '\uFEFFab'), 8)).toEqual(['^ab'])
  expect(await lettersIn(await textCorpus('k.jsonl', '\uFEFF{"text":"ab"}'), 8)).toEqual(['^ab'])
})

test.each([
  ['l.txt', Buffer.concat([Buffer.from('ab\ncd'), Buffer.of(0xff), Buffer.from('e\n')]), 'l.txt is not UTF-8 in line 2'],
  ['m.txt', '\n\n', 'nothing is in .*m.txt'],
  ['n.txt', '', 'nothing is in .*n.txt']
])('%s is refused', async (name, content, message) => {
  await expect(sequencesOf(await textCorpus(name, content), 8)).rejects.toThrow(new RegExp(message))
})

describe('arrays of ids', () => {
  test('are sequences as they are, cut to the context', async () => {
    const corpus = await idCorpus(' [ [2, 10,3],\n[4],[5,6,7,8,9] ]\n')
    const sequences = await sequencesOf(corpus, 3)
    expect(sequences.map(({ ids, leftOut }) => [ids, leftOut])).toEqual([
      [[2, 10, 3], 0],
      [[4], 0],
      [[5, 6, 7], 2]
    ])
    await expectToGoOnAnywhere(corpus, 3)
  })

  test('may fill a file of many chunks', async () => {
    const arrays = Array.from({ length: 3000 }, (_, row) => Array.from({ length: 40 }, (_, place) => row * 7 + place))
    const corpus = await idCorpus(JSON.stringify(arrays))
    expect((await sequencesOf(corpus, 64)).map(({ ids }) => ids)).toEqual(arrays)
  })

  test.each([
    ['[2,106,108]', 'no array of arrays of token ids: "2" at byte 1 in sequence 1'],
    ['{"ids": [[1]]}', '"{" at byte 0'],
    ['[[1,2],[3,-4]]', '"-" at byte 10 in sequence 2'],
    ['[[1.5]]', '"." at byte 3'],
    ['[[1 2]]', '"2" at byte 4'],
    ['[[1,]]', '"]" at byte 4'],
    ['[[1],]', '"]" at byte 5'],
    ['[[99999999999]]', 'at byte'],
    ['[[1],[]]', 'sequence 2 of .* is empty'],
    ['[[1],[2', 'ends before its array'],
    ['[[1]] x', '"x" at byte 6'],
    ['[]', 'nothing is in'],
    ['', 'ends before its array']
  ])('%j is refused', async (content, message) => {
    await expect(sequencesOf(await idCorpus(content), 8)).rejects.toThrow(new RegExp(message))
  })
})
