/**
 * Files made to take memory, time or room: small ones that unpack to much, and the worst that is still within what a reader takes.
 * Each is one case, always the same; where a file is wrong, reading it says so.
 */
import fs from 'node:fs'
import path from 'node:path'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { SpliceError } from '../../contract/errors.ts'
import { openCheckpoint } from '../../main/checkpoint/checkpoint.ts'
import { pickle, picklesOf, writeTorchZip, zipOf } from '../../main/checkpoint/torch-fixture.ts'
import { openWeightFile } from '../../main/checkpoint/weight-file.ts'
import { parseFile } from '../../main/explanations/import/file-parser.ts'
import { TermWriter } from '../../main/explanations/search/index-terms.ts'
import { renderChat } from '../../main/inference/chat-template.ts'
import { Vocabulary } from '../../main/inference/tokenizer.ts'
import { readPretrainedSaes } from '../../main/library/pretrained-saes.ts'
import { openSae } from '../../main/sae/open.ts'
import type { Reader } from '../reader.ts'

const million = 1_000_000
const fill = (unit: string, length: number) => unit.repeat(Math.floor(length / unit.length))
const latin = (text: string) => Buffer.from(text, 'latin1')

/** A bomb: what writes its file into a folder, and reads it. */
function bomb(name: string, prepare: Reader['prepare']): Reader {
  return { name, prepare }
}

/** A safetensors file with a header of this text. */
function headerBomb(name: string, header: () => string, dataBytes = 0): Reader {
  return bomb(name, async (_, folder) => {
    const text = Buffer.from(header())
    const prefix = Buffer.alloc(8)
    prefix.writeBigUInt64LE(BigInt(text.length))
    const file = path.join(folder, 'weights.safetensors')
    fs.writeFileSync(file, Buffer.concat([prefix, text, Buffer.alloc(dataBytes)]))
    return () => openWeightFile(file)
  })
}

function manyTensors(count: number): string {
  const entries = Array.from({ length: count }, (_, i) => `"t${i}":{"dtype":"F32","shape":[],"data_offsets":[${4 * i},${4 * i + 4}]}`)
  return `{${entries.join(',')}}`
}

const safetensorsBombs = [
  headerBomb('safetensors: 200,000 tensors', () => manyTensors(200_000), 800_000),
  headerBomb(
    'safetensors: 400,000 empty objects',
    () => `{${Array.from({ length: 400_000 }, (_, i) => `"${i.toString(36)}":{}`).join(',')}}`
  ),
  headerBomb('safetensors: 30 MB of brackets', () => fill('[', 30 * million)),
  headerBomb('safetensors: a dtype of 30 MB', () => `{"a":{"dtype":"${fill('x', 30 * million)}","shape":[],"data_offsets":[0,0]}}`),
  headerBomb('safetensors: a million axes', () => `{"a":{"dtype":"F32","shape":[${fill('1,', 2 * million)}1],"data_offsets":[0,4]}}`, 4)
]

const npyHeader = (shape: string) => {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`
  const head = Buffer.alloc(10)
  head.write('\x93NUMPY', 'latin1')
  head[6] = 1
  head.writeUInt16LE(text.length, 8)
  return Buffer.concat([head, latin(text)])
}

/** A zip of one deflated member, whose size in both of its headers is `claimed`. */
function deflatedZip(name: string, packed: Buffer, claimed: number): Buffer {
  const zip = zipOf([{ name, bytes: packed }])
  const directory = zip.length - 22 - 46 - name.length
  for (const [method, size] of [
    [8, 22],
    [directory + 10, directory + 24]
  ] as const) {
    zip.writeUInt16LE(8, method)
    zip.writeUInt32LE(claimed, size)
  }
  return zip
}

const zipBombs = [
  bomb('npz: 16 kB that claim to be 1 GB of weights', async (_, folder, scratch) => {
    const file = path.join(folder, 'params.npz')
    const head = npyHeader('268435456,')
    fs.writeFileSync(
      file,
      deflatedZip('W_enc.npy', deflateRawSync(Buffer.concat([head, Buffer.alloc(16 * million)])), head.length + 2 ** 30)
    )
    return async () => (await openWeightFile(file)).entries.get('W_enc')?.map(scratch)
  }),
  bomb('npz: 2,000 members', async (_, folder) => {
    const file = path.join(folder, 'params.npz')
    const bytes = Buffer.concat([npyHeader('1,'), Buffer.alloc(4)])
    fs.writeFileSync(file, zipOf(Array.from({ length: 2000 }, (__, i) => ({ name: `m${i}.npy`, bytes }))))
    return () => openWeightFile(file)
  })
]

function pickleBomb(name: string, ...body: Buffer[]): Reader {
  return bomb(name, async (_, folder) => {
    const file = path.join(folder, 'ae.pt')
    fs.writeFileSync(file, zipOf([{ name: 'archive/data.pkl', bytes: picklesOf(...body) }]))
    return () => openWeightFile(file)
  })
}

/** Dictionaries in dictionaries, each of which has the one before it a hundred times. */
function laughter(): Buffer {
  const levels = Array.from({ length: 7 }, (_, level) => {
    const entries = Array.from({ length: 100 }, (__, i) => Buffer.concat([pickle.text(`k${i}`), Buffer.from([0x68, level])]))
    return Buffer.concat([latin('}('), ...entries, latin('uq'), Buffer.from([level + 1])])
  })
  return Buffer.concat([latin('}q\x00'), ...levels])
}

/** A tensor that is to be rebuilt from its own arguments. */
const ownArguments = Buffer.concat([
  latin(']q\x00'),
  pickle.global('torch._tensor', '_rebuild_from_type_v2'),
  latin('aN'),
  latin('ah\x00ah\x00'),
  latin('0'),
  pickle.global('torch._tensor', '_rebuild_from_type_v2'),
  latin('h\x00R')
])

const pickleBombs = [
  pickleBomb('torch: a billion laughs', laughter()),
  pickleBomb('torch: a tensor made of itself', ownArguments),
  pickleBomb('torch: fifteen million instructions', latin(fill(']', 15 * million))),
  pickleBomb(
    'torch: one list of pairs for a thousand dictionaries',
    latin(']('),
    latin(fill('NN\x86', 3 * 100_000)),
    latin('eq\x00'),
    ...Array.from({ length: 1000 }, () => Buffer.concat([pickle.global('collections', 'OrderedDict'), latin('h\x00\x85R0')]))
  ),
  bomb('torch: a view all over its storage', async (_, folder, scratch) => {
    const file = path.join(folder, 'ae.pt')
    const values = new Float32Array(4 * million)
    await writeTorchZip(file, { b: { shape: [4 * million, 2], strides: [0, values.length - 1], values } })
    return async () => (await openWeightFile(file)).entries.get('b')?.map(scratch)
  }),
  bomb('torch: a view of a million rows in every order', async (_, folder, scratch) => {
    const file = path.join(folder, 'ae.pt')
    const shape = Array.from({ length: 20 }, () => 2)
    await writeTorchZip(file, {
      b: { shape, strides: shape.map((__, axis) => 2 ** ((axis * 7) % 20)), values: new Float32Array(2 ** 20) },
      c: { shape: [], values: new Float32Array(1) }
    })
    return async () => (await openWeightFile(file)).entries.get('b')?.map(scratch)
  })
]

function configBomb(name: string, files: Readonly<Record<string, () => string>>, read: (folder: string) => Promise<unknown>): Reader {
  return bomb(name, async (_, folder) => {
    for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, file), text())
    return () => read(folder)
  })
}

const vocabularyOf = (folder: string) =>
  Vocabulary.open(
    {
      folder,
      config: {},
      modelType: 'gemma2',
      tensors: new Map(),
      files: [],
      sizeBytes: 0,
      tokenizerFile: path.join(folder, 'tokenizer.json'),
      tokenizerConfigFile: null
    },
    [],
    null
  )

/** A tokenizer whose pattern takes twice as long for each letter more. */
const backtracking = JSON.stringify({
  normalizer: null,
  pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false },
  post_processor: null,
  decoder: null,
  added_tokens: [],
  model: { type: 'BPE', unk_token: 'a', vocab: { a: 0, '!': 1 }, merges: [] }
})

const configBombs = [
  configBomb(
    'config.json: 400,000 lists',
    { 'config.json': () => `{"model_type":"gpt2","a":[${fill('[],', 3 * 199_000)}0]}` },
    openCheckpoint
  ),
  configBomb(
    'shards: an index of 240,000 tensors',
    {
      'config.json': () => '{"model_type":"gpt2"}',
      'model.safetensors.index.json': () => `{"weight_map":{${Array.from({ length: 240_000 }, (_, i) => `"t${i}":"s${i}"`).join(',')}}}`
    },
    openCheckpoint
  ),
  configBomb(
    'tokenizer.json: a vocabulary of 2,900,000',
    {
      'tokenizer.json': () =>
        `{"model":{"type":"BPE","vocab":{${Array.from({ length: 2_900_000 }, (_, i) => `"${i}":${i}`).join(',')}},"merges":[]}}`
    },
    vocabularyOf
  ),
  configBomb('tokenizer.json: a pattern that backtracks', { 'tokenizer.json': () => backtracking }, async folder =>
    (await vocabularyOf(folder)).encode(`${'a'.repeat(60)}!`, false)
  ),
  configBomb(
    'chat template: loops without end',
    { t: () => '{% for a in range(1000000) %}{% for b in range(1000000) %}{{ a * b }}{% endfor %}{% endfor %}' },
    async folder => {
      const file = path.join(folder, 't')
      renderChat({ source: fs.readFileSync(file, 'utf8'), file, tokens: {} }, [], true)
    }
  ),
  ...(
    [
      ['12,000 keys', () => Array.from({ length: 12_000 }, (_, i) => `k${i}: 1`).join('\n')],
      ['brackets', () => fill('[', 130_000)],
      ['lists in lists', () => fill('- ', 130_000)],
      ['steps', () => Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
      ['a billion laughs', () => `a: &a [x]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [${fill('*a, ', 40)}*a]`).join('\n')}`]
    ] as const
  ).map(([what, text]) =>
    bomb(`YAML: ${what}`, async (_, folder) => {
      await writeTranscoder(folder, text())
      return () => openSae(path.join(folder, 'layer_1.safetensors'))
    })
  ),
  bomb('YAML: a table of 140,000 lines', async (_, folder) => {
    const file = path.join(folder, 'pretrained_saes.yaml')
    const yaml = `r:\n  model: m\n  repo_id: a/b\n  saes:\n${fill('  - id: x\n', 10 * 140_000)}`
    return async () => readPretrainedSaes(yaml, file)
  })
]

/** A transcoder as circuit-tracer has them, whose config is in YAML. */
async function writeTranscoder(folder: string, yaml: string): Promise<void> {
  const header = Buffer.from(JSON.stringify({ W_enc: { dtype: 'F32', shape: [1, 1], data_offsets: [0, 4] } }))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(header.length))
  fs.writeFileSync(path.join(folder, 'layer_1.safetensors'), Buffer.concat([prefix, header, Buffer.alloc(4)]))
  fs.writeFileSync(path.join(folder, 'config.yaml'), yaml)
}

function importBomb(name: string, file: string, content: () => string, times = 1): Reader {
  return bomb(name, async (_, folder) => {
    const place = path.join(folder, file)
    fs.writeFileSync(place, file.endsWith('.gz') ? zippedTimes(content(), times) : content())
    return async () => {
      let rejected = 0
      for await (const { rejects } of parseFile(
        { path: place, bytes: fs.statSync(place).size },
        { skip: 0, withEmbeddings: true, terms: new TermWriter() }
      )) {
        rejected += rejects.length
      }
      if (rejected > 0) throw new SpliceError('import/rejected', `${rejected} rows are rejected`, { file: place })
    }
  })
}

/** A text so many times, zipped once: gzip's members stand side by side. */
function zippedTimes(text: string, times: number): Buffer {
  const zipped = gzipSync(text, { level: 1 })
  return Buffer.concat(Array.from({ length: times }, () => zipped))
}

const importBombs = [
  importBomb('jsonl.gz: one line of 400 MB', 'a.jsonl.gz', () => fill('a', 10 * million), 40),
  importBomb('jsonl.gz: 15 MB of brackets', 'a.jsonl.gz', () => `${fill('[', 15 * million)}\n`),
  importBomb('json.gz: 15 MB of brackets', 'a.json.gz', () => `{"a":${fill('[', 15 * million)}}`),
  importBomb('json.gz: 100 MB of braces', 'a.json.gz', () => fill('{', 10 * million), 10),
  importBomb(
    'jsonl.gz: an embedding of 15 MB',
    'a.jsonl.gz',
    () => `{"modelId":"m","layer":"l","index":0,"description":"x","embedding":[${fill('1,', 15 * million)}0]}`
  ),
  importBomb(
    'jsonl.gz: a description of 5 MB',
    'a.jsonl.gz',
    () => `{"modelId":"m","layer":"l","index":0,"description":"${fill('a b ', 5 * million)}"}`
  ),
  importBomb('jsonl.gz: rows that are none', 'a.jsonl.gz', () => fill('x\n', 240_000)),
  importBomb('csv: a line of 20 MB', 'a.csv', () => fill('a,', 20 * million))
]

export const bombs: readonly Reader[] = [...safetensorsBombs, ...zipBombs, ...pickleBombs, ...configBombs, ...importBombs]
