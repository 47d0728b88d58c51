/** Readers of SAEs in all their formats: configs in JSON and YAML, weights in every container, and what the library shows of them. */
import fs from 'node:fs'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { parseYaml } from '../../main/checkpoint/yaml.ts'
import { readPretrainedSaes } from '../../main/library/pretrained-saes.ts'
import { openSae } from '../../main/sae/open.ts'
import { mapSae } from '../../main/sae/sae.ts'
import type { Draws } from '../draws.ts'
import { mutateBytes, mutateJson, mutateValue } from '../mutations.ts'
import type { Reader } from '../reader.ts'
import { goldenFolders, writeFolder } from '../specimens.ts'

const saes = goldenFolders('saes', /\.(npz|safetensors|pt|pth)$/)
const isConfig = (name: string) => /\.(json|ya?ml)$/.test(name)

export const saeFolders: Reader = {
  name: 'SAE folder',
  async prepare(draws, folder, scratch) {
    const { name, files } = draws.pick(saes)
    const place = path.join(folder, name)
    writeFolder(place, files)
    const configs = files.filter(file => isConfig(file.name))
    const weights = files.filter(file => !isConfig(file.name))
    const [config] = configs.length > 0 && draws.chance(0.7) ? [draws.pick(configs)] : []
    const broken = config ?? draws.pick(weights)
    const isJson = broken.name.endsWith('.json')
    fs.writeFileSync(
      path.join(place, broken.name),
      isJson ? mutateJson(draws, broken.bytes.toString('utf8')) : mutateBytes(draws, broken.bytes)
    )
    return async () => {
      const sae = await openSae(files.length > 3 ? path.join(place, weights[0]?.name ?? '') : place)
      await mapSae(sae, scratch)
    }
  }
}

const plainYaml =
  'model_name: google/gemma\nmodel_kind: transcoder_set\nlist: [1, 2.5, ~, true]\nnested:\n  - a: "x\\ty"\n    b: |\n      text\n'
const pieces = [
  '&a ',
  '*a',
  '!!js/function ',
  '- ',
  '? ',
  ': ',
  '[',
  ']',
  '{',
  '}',
  '"',
  "'",
  '|\n',
  '>\n',
  '\n',
  '  ',
  '\t',
  '%YAML 1.1\n',
  '---\n',
  '...\n',
  '#',
  '<<: *a\n',
  '\u0000',
  '0x7fffffffffffffff',
  '1e999',
  '2026-01-01'
]

/** YAML of pieces that mean something to its readers. */
function drawnYaml(draws: Draws): string {
  if (draws.chance(0.3)) return mutateBytes(draws, Buffer.from(plainYaml)).toString('utf8')
  const text = Array.from({ length: 1 + draws.below(60) }, () => (draws.chance(0.4) ? 'k: v' : draws.pick(pieces))).join('')
  return draws.chance(0.05) ? text.repeat(200) : text
}

const releases = `gpt2-small-res-jb:
  conversion_func: null
  model: gpt2-small
  repo_id: jbloom/GPT2-Small-SAEs
  saes:
  - id: blocks.0.hook_resid_pre
    l0: 10.0
    path: blocks.0.hook_resid_pre
    neuronpedia: gpt2-small/0-res-jb
`

export const yamlTexts: Reader = {
  name: 'YAML',
  async prepare(draws, folder) {
    const file = path.join(folder, 'pretrained_saes.yaml')
    const isTable = draws.chance(0.4)
    const value = mutateValue(draws, {
      r: { model: 'm', repo_id: 'a/b', saes: [{ id: 'x', l0: 1, path: 'p' }], config_overrides: { a: 1 } }
    })
    const text = isTable
      ? draws.chance(0.5)
        ? JSON.stringify(value)
        : mutateBytes(draws, Buffer.from(releases)).toString('utf8')
      : drawnYaml(draws)
    return async () => {
      if (isTable) return readPretrainedSaes(text, file)
      try {
        return parseYaml(text)
      } catch (thrown) {
        // What callers of it turn into an error that names their file.
        if (thrown instanceof SyntaxError) throw new SpliceError('sae/config', 'is not plain YAML', { file })
        throw thrown
      }
    }
  }
}
