/** Readers of model folders: shards with their index, config.json of every family, tokenizer files and chat templates. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { openCheckpoint } from '../../main/checkpoint/checkpoint.ts'
import { openChatTemplate, renderChat } from '../../main/inference/chat-template.ts'
import { stopTokens } from '../../main/inference/stop-tokens.ts'
import { Vocabulary } from '../../main/inference/tokenizer.ts'
import { readModelConfig } from '../../main/library/configs.ts'
import { openModel } from '../../main/transformer/model.ts'
import type { Draws } from '../draws.ts'
import { mutateBytes, mutateJson } from '../mutations.ts'
import type { Reader } from '../reader.ts'
import { demo, type Folder, goldenFolders, writeFolder } from '../specimens.ts'

const models = goldenFolders('models', /^config\.json$/).map(({ files }) => files)

/** Puts what is no file where a file is looked for. */
function replaceByOddity(draws: Draws, file: string): void {
  fs.rmSync(file, { force: true })
  const link = (target: string) => () => fs.symlinkSync(target, file)
  draws.pick([
    () => fs.mkdirSync(file),
    () => execFileSync('mkfifo', [file]),
    link(path.basename(file)),
    link('nowhere'),
    link('/dev/zero'),
    link(draws.pick(['/etc/passwd', '/proc/self/environ', '/proc/self/mem', '/proc/kmsg']))
  ])()
}

function filesMatching(files: Folder, pattern: RegExp): string[] {
  return files.map(({ name }) => name).filter(name => pattern.test(name))
}

/** A shard map that points where it should not. */
function brokenIndex(draws: Draws, text: string): Buffer {
  if (draws.chance(0.5)) return mutateJson(draws, text)
  const names = [
    '../model.safetensors',
    '/etc/passwd',
    '',
    '.',
    '..',
    'a/b',
    'model.safetensors.index.json',
    'config.json',
    'x'.repeat(300),
    'a\u0000b',
    'C:\\x',
    '\u001b[2J'
  ]
  const shards = [...text.matchAll(/model-\d+-of-\d+\.safetensors/g)].map(([name]) => name)
  return Buffer.from(
    text.replaceAll(/model-\d+-of-\d+\.safetensors/g, name =>
      draws.chance(0.1) ? JSON.stringify(draws.pick([...names, ...shards])).slice(1, -1) : name
    )
  )
}

export const shards: Reader = {
  name: 'shards and their index',
  async prepare(draws, folder) {
    const files = draws.pick(models.filter(model => model.some(({ name }) => name.endsWith('.index.json'))))
    writeFolder(folder, files)
    const index = path.join(folder, 'model.safetensors.index.json')
    const [shard = ''] = filesMatching(files, /^model-.*\.safetensors$/)
    const made = draws.fraction()
    if (made < 0.6) fs.writeFileSync(index, brokenIndex(draws, fs.readFileSync(index, 'utf8')))
    else if (made < 0.8) fs.writeFileSync(path.join(folder, shard), mutateBytes(draws, fs.readFileSync(path.join(folder, shard))))
    else if (made < 0.97) replaceByOddity(draws, path.join(folder, draws.pick([shard, 'config.json', 'model.safetensors.index.json'])))
    else fs.rmSync(path.join(folder, shard))
    return () => openCheckpoint(folder)
  }
}

export const modelConfigs: Reader = {
  name: 'config.json of a model',
  async prepare(draws, folder) {
    const files = draws.pick(models)
    writeFolder(folder, files)
    const config = path.join(folder, 'config.json')
    fs.writeFileSync(config, mutateJson(draws, fs.readFileSync(config, 'utf8')))
    return async () => {
      const model = await openModel(folder).catch((thrown: unknown) => thrown)
      const shown = await readModelConfig(folder).catch((thrown: unknown) => thrown)
      if (model instanceof Error) throw model
      if (shown instanceof Error) throw shown
      // What a client is sent has to have a text.
      JSON.stringify(shown)
    }
  }
}

const tokenizerFiles: Folder = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'].map(name => ({
  name,
  bytes: fs.readFileSync(path.join(demo, 'model', name))
}))
/** A tokenizer small enough that most changes of it matter. */
const smallTokenizer = JSON.stringify({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [{ id: 0, content: '<s>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
  normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
  pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: '\\w+' }, behavior: 'Isolated', invert: false }] },
  post_processor: { type: 'TemplateProcessing', single: [{ Sequence: { id: 'A', type_id: 0 } }], pair: [], special_tokens: {} },
  decoder: {
    type: 'Sequence',
    decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }]
  },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: '<s>',
    fuse_unk: true,
    byte_fallback: true,
    vocab: { '<s>': 0, '▁': 1, a: 2, b: 3, '▁a': 4, '▁ab': 5, '<0x0A>': 6 },
    merges: [
      ['▁', 'a'],
      ['▁a', 'b']
    ]
  }
})
const kinds = [
  'BPE',
  'WordPiece',
  'Unigram',
  'WordLevel',
  'ByteLevel',
  'Metaspace',
  'Split',
  'NFKC',
  'Lowercase',
  'Digits',
  'Punctuation',
  'Strip',
  'Precompiled',
  'Bert',
  'BertNormalizer',
  'Prepend',
  'CTC',
  'Fuse',
  'TemplateProcessing',
  'RobertaProcessing',
  'Nothing'
]

/** A tokenizer.json with other parts in the places of its own. */
function otherKinds(draws: Draws, text: string): string {
  return text.replaceAll(/"type":"(\w+)"/g, all => (draws.chance(0.2) ? `"type":${JSON.stringify(draws.pick(kinds))}` : all))
}

export const tokenizers: Reader = {
  name: 'tokenizer.json',
  async prepare(draws, folder) {
    writeFolder(folder, tokenizerFiles)
    const file = path.join(folder, 'tokenizer.json')
    if (draws.chance(0.9)) fs.writeFileSync(file, otherKinds(draws, smallTokenizer))
    const victim = path.join(
      folder,
      draws.pick(['tokenizer.json', 'tokenizer.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
    )
    if (draws.chance(0.03)) replaceByOddity(draws, victim)
    else fs.writeFileSync(victim, mutateJson(draws, fs.readFileSync(victim, 'utf8')))
    const checkpoint = {
      folder,
      config: {},
      modelType: 'gemma2',
      tensors: new Map(),
      files: [],
      sizeBytes: 0,
      tokenizerFile: file,
      tokenizerConfigFile: path.join(folder, 'tokenizer_config.json')
    }
    return async () => {
      await stopTokens(folder, [1])
      const vocabulary = await Vocabulary.open(checkpoint, [0, 1], 0)
      const { ids } = vocabulary.encode('a ab aaaa bbbb\n<s> wörm\u0000hole', true)
      const tokens = ids.map(id => vocabulary.token(id))
      vocabulary.continuationText(tokens.slice(0, 1), tokens.slice(1))
      vocabulary.token(-1)
      vocabulary.token(1e9)
    }
  }
}

const templates = [
  "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'model' }}{% endif %}",
  "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}{% set ns = namespace(n=0) %}{% for m in messages if m.content %}{% set ns.n = ns.n + loop.index0 %}{{ m.role ~ ns.n }}{% endfor %}",
  '{% macro f(x) %}{{ x }}{{ f(x) }}{% endmacro %}{{ f(messages) }}',
  '{% for a in range(1000000) %}{% for b in range(1000000) %}{{ a * b }}{% endfor %}{% endfor %}',
  "{{ messages.constructor }}{{ messages['__proto__'] }}{{ messages[0].content.constructor.constructor('return process')() }}"
]

export const chatTemplates: Reader = {
  name: 'chat template',
  async prepare(draws, folder) {
    const config = { bos_token: '<s>', eos_token: { content: '</s>' }, chat_template: draws.pick(templates.slice(0, 3)) }
    const template = mutateBytes(
      draws,
      Buffer.from(draws.pick(templates.filter((_, place) => place !== 3))),
      Buffer.from(draws.pick(templates))
    )
    fs.writeFileSync(
      path.join(folder, 'tokenizer_config.json'),
      draws.chance(0.4) ? mutateJson(draws, JSON.stringify(config)) : JSON.stringify(config)
    )
    if (draws.chance(0.7)) fs.writeFileSync(path.join(folder, 'chat_template.jinja'), template)
    return async () =>
      renderChat(
        await openChatTemplate(folder, undefined),
        [
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Oh' }
        ],
        true
      )
  }
}
