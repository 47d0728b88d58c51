/** Tables and scripts of a run: what is in them reads back as it was. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parse } from 'csv-parse/sync'
import { afterAll, describe, expect, test } from 'vitest'
import type { RunRequest, RunResult } from '../contract/run.ts'
import { readModelConfig } from '../main/library/configs.ts'
import { resourcesFolder } from '../main/library/resources.ts'
import { someRun } from '../main/runs/history-fixture.ts'
import { featuresCsv, summaryCsv, toCsv, tokensCsv, topKCsv } from './csv.ts'
import { py, pyString } from './python/literal.ts'
import type { KnownConfig } from './python/model-loading.ts'
import { rangesOf } from './python/positions.ts'
import { pythonScript } from './python/script.ts'
import { type ExportedRun, fileStem, runJson } from './run-export.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-export-'))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const nasty = ['a,b', 'a "quoted" word', ' leading', 'trailing ', 'line\nend', '\r\n', '\t', '', 'NA', '=1+1', '日本', '\u{1f600}', "'"]

function nastyRun(): ExportedRun {
  const { request, result } = someRun(nasty.join('|'), nasty.length)
  const tokens = nasty.map((text, id) => ({ id, text, special: false }))
  return { request, result: { ...result, tokens }, kept: null }
}

describe('CSV', () => {
  test('gives back every text as it was', () => {
    const rows = nasty.map((text, i) => [i, text])
    const read: string[][] = parse(toCsv(['position', 'token'], rows))
    expect(read.slice(1).map(([, text]) => text)).toEqual(nasty)
  })

  test('has a row per token and one for what follows, KL beside the token that it predicted', () => {
    const { result } = nastyRun()
    const read: string[][] = parse(tokensCsv(result))
    expect(read).toHaveLength(nasty.length + 2)
    expect(read[0]).toEqual([
      ...['position', 'token_id', 'token', 'special', 'log_prob clean', 'rank clean'],
      ...['log_prob spliced', 'rank spliced', 'kl spliced']
    ])
    expect(read[1]).toEqual(['0', '0', 'a,b', '0', '', '', '', '', ''])
    expect(read[3]).toEqual(['2', '2', ' leading', '0', '-2', '2', '-2.25', '2', '0.1'])
    expect(read.at(-1)?.at(-1)).toBe(String((nasty.length - 1) / 10))
  })

  test('names what is not finite as its readers do', () => {
    const { result } = nastyRun()
    const topK: string[][] = parse(topKCsv(result))
    expect(topK[3]).toEqual(['2', ' leading', 'clean', '0', '2', ' t2', '2', '-inf', '0'])
    expect(parse(summaryCsv(result))[1]).toEqual(['clean', '2', '0', '0', 'l0_15', '1', 'NaN', '0.9', '0.95', '12'])
    const features: string[][] = parse(featuresCsv(result))
    expect(features[2]?.slice(0, 9)).toEqual([
      ...['l0_15', 'blocks.2.hook_resid_post', 'tiny/2-res', 'clean', '1', '1'],
      ...['a "quoted" word', '8', '1.5']
    ])
  })
})

test('JSON holds the whole run', () => {
  const run = nastyRun()
  expect(JSON.parse(runJson(run))).toEqual({ splice: { run: 1 }, ...run })
})

test.each([
  ['Would you be able to travel?', 'splice-would-you-be-able-to-travel'],
  ['Über die Brücke', 'splice-u-ber-die-bru-cke'],
  ['../../etc/passwd', 'splice-etc-passwd'],
  ['日本', 'splice-run']
])('a file of %j is called %s', (text, stem) => {
  const { result } = someRun(text)
  expect(fileStem({ result, kept: { ...keptRun, prompt: text } })).toBe(stem)
})

describe('a Python script', () => {
  const demo = path.join(resourcesFolder(), 'demo/model')

  test('writes texts and numbers as Python reads them', () => {
    expect(pyString('a"b\\c\n\u00e9\u65e5\u{1f600}\u0000')).toBe('"a\\"b\\\\c\\n\\xe9\\u65e5\\U0001f600\\x00"')
    expect(py([1, null, true, 'x', Number.NaN, Number.NEGATIVE_INFINITY])).toBe('[1, None, True, "x", float("nan"), float("-inf")]')
  })

  test('covers the positions that a splice covers', () => {
    const special = [true, false, false, true, false]
    expect(rangesOf('all', special)).toEqual([[0, 5]])
    expect(rangesOf('no-special', special)).toEqual([
      [1, 3],
      [4, 5]
    ])
    expect(rangesOf([[1, 2]], special)).toEqual([[1, 2]])
  })

  const whole = (change: (run: { request: RunRequest; result: RunResult }) => void = () => undefined): ExportedRun => {
    const { request, result } = someRun('He said """hello\\" and\nleft')
    change({ request, result })
    return { request, result, kept: { ...keptRun, name: 'A "name" \\ with """ quotes' } }
  }
  const cases: [what: string, run: ExportedRun, known: boolean][] = [
    [
      'a folder whose config is known',
      whole(({ result }) => {
        result.model.path = demo
      }),
      true
    ],
    ['a folder that is gone', whole(), false],
    [
      'a repository of the cache, SAEs by release, from disk and in a format that SAELens cannot read from disk',
      whole(({ request, result }) => {
        result.model.path = '/home/me/hub/models--google--gemma-2-2b/snapshots/c5ebcd40d208330abc697524c919956e692655cf'
        const [sae] = result.saes
        if (sae === undefined) throw new Error('no SAE')
        const factor = { value: 0.25, from: 'chosen' as const }
        result.saes = [
          { ...sae, name: 'by-release', release: { name: 'gemma-scope-2b-pt-res', saeId: 'layer_20/width_16k/average_l0_71' } },
          { ...sae, name: 'from-disk', format: 'saelens', normFactor: factor },
          { ...sae, name: 'transcoder', format: 'mwhanna', hook: 'blocks.0.ln2.hook_normalized', hookOut: 'blocks.0.hook_mlp_out' }
        ]
        request.variants.push({
          name: 'together "all"',
          splices: [
            { sae: 'by-release', errorTerm: true, positions: 'no-special' },
            { sae: 'transcoder', errorTerm: false, positions: [[0, 2]] }
          ]
        })
        request.prompt = { ids: [0, 1, 2, 3] }
      }),
      false
    ],
    [
      'edited features',
      whole(({ request, result }) => {
        request.variants.push(
          {
            name: '#7 off +error',
            splices: [{ sae: 'l0_15', errorTerm: true, positions: 'all' }],
            edits: [
              { sae: 'l0_15', feature: 7, kind: 'set', value: 0, positions: 'all' },
              { sae: 'l0_15', feature: 9, kind: 'scale', value: 2.5, positions: [[1, null]] }
            ]
          },
          { name: '#7 -8', splices: [], edits: [{ sae: 'l0_15', feature: 7, kind: 'steer', value: -8, positions: 'no-special' }] }
        )
        for (const sae of result.saes) sae.normFactor = { value: 0.25, from: 'file' }
      }),
      false
    ],
    [
      'a chat without SAEs',
      whole(({ request, result }) => {
        request.prompt = { chat: [{ role: 'user', content: 'Hi' }], addGenerationPrompt: true }
        result.saes = []
        request.variants = [{ name: 'clean', splices: [] }]
      }),
      false
    ]
  ]

  /** What TransformerLens 2.18 and 3.5 and SAELens 6.18 and 6.52 have by these names, as their sources say. */
  const there = new Set([
    ...['HookedTransformer.from_pretrained', 'TransformerBridge.boot_transformers', 'AutoModelForCausalLM.from_pretrained'],
    ...['SAE.from_pretrained', 'SAE.load_from_disk', 'sae.encode', 'sae.load_state_dict', 'sae.run_with_hooks'],
    ...[
      'model.load_and_process_state_dict',
      'model.enable_compatibility_mode',
      'model.to_tokens',
      'model.run_with_hooks',
      'model.run_with_cache'
    ],
    ...['model.tokenizer', 'cfg.metadata', 'cfg.normalize_activations']
  ])

  test.each(cases)('of %s parses and names only what there is', async (_, run, known) => {
    const config: KnownConfig = known ? await readModelConfig(run.result.model.path) : null
    for (const library of [2, 3] as const) {
      const script = pythonScript(run, library, config)
      const names = [...script.matchAll(/\b(HookedTransformer|TransformerBridge|AutoModelForCausalLM|SAE|sae|model|cfg)\.(\w+)/g)].map(
        ([, owner, name]) => `${owner}.${name}`
      )
      expect(names.filter(name => !there.has(name))).toEqual([])
      expect(script).not.toMatch(/undefined|\[object|NaN/)
      const file = path.join(folder, `script-${library}.py`)
      fs.writeFileSync(file, script)
      const python = spawnSync('python3', ['-m', 'py_compile', file], { encoding: 'utf8' })
      // Where there is no Python, nothing can be said of the syntax.
      if (python.error === undefined) expect(python.stderr).toBe('')
    }
  })

  test('says what was in force: processing, layer order, splices, the numbers', async () => {
    const [[, local] = [], , [, cached] = []] = cases
    if (local === undefined || cached === undefined) throw new Error('no such cases')
    const script = pythonScript(local, 2, await readModelConfig(demo))
    expect(script).toContain('    fold_ln=True,\n    center_writing_weights=False,')
    expect(script).toContain('attn_types=["local", "global", "local", "global"]')
    expect(script).toContain('normalization_type="RMSPre"')
    expect(script).toContain('"spliced": [("l0_15", False, mask_of((0, 4)))]')
    expect(script).toContain('SPLICE_LOSS = {"clean": 2, "spliced": 2.25}')
    const repository = pythonScript(cached, 2, null)
    expect(repository).toContain('MODEL = "google/gemma-2-2b"')
    expect(repository).toMatch(/# Layer order: this run took the checkpoint's order/)
    expect(repository).toContain('SAE.from_pretrained("gemma-scope-2b-pt-res", "layer_20/width_16k/average_l0_71", device=DEVICE)')
    expect(repository).toContain('fold_activation_norm_scaling_factor(0.25)')
    expect(repository).toContain('raise SystemExit("Load the SAE transcoder')
    expect(pythonScript(cached, 3, null)).not.toMatch(/Layer order/)
  })

  test('does edits: activations on the SAE’s hook, the error of what is not edited, steering on the model’s hook', () => {
    const edited = cases.find(([name]) => name === 'edited features')?.[1]
    if (edited === undefined) throw new Error('no such case')
    const script = pythonScript(edited, 2, null)
    expect(script).toContain(
      '"#7 off +error": [\n        ("l0_15", 7, "set", 0, mask_of((0, 4))),\n        ("l0_15", 9, "scale", 2.5, mask_of((1, 4))),\n    ],'
    )
    expect(script).toContain('"#7 -8": [\n        ("l0_15", 7, "steer", -8, mask_of((1, 4))),\n    ],')
    expect(script).toContain('FOLDED = {"l0_15": 0.25}')
    expect(script).toContain('sae.run_with_hooks(x, fwd_hooks=[("hook_sae_acts_post", change_of(own))]) if own else plain')
    expect(script).toContain('output = output + (activation - plain)')
    expect(script).toContain('fwd_hooks=hooks_of(splices, EDITS.get(name, []))')
    const plain = cases[0]?.[1]
    expect(plain === undefined ? '' : pythonScript(plain, 2, null)).not.toMatch(/EDITS|hook_sae_acts_post/)
    for (const sae of edited.result.saes) Object.assign(sae, { format: 'gemma-scope', hook: 'hook_embed' })
    expect(pythonScript(edited, 2, null)).toContain('raise SystemExit("Steering along l0_15')
  })
})

const keptRun = {
  id: '0123456789',
  createdAt: 0,
  name: null,
  pinned: false,
  notes: '',
  tags: [],
  prompt: 'x',
  tokens: 4,
  model: { name: 'tiny', path: '/models/tiny' },
  saes: [],
  variants: [],
  bytes: 1,
  version: '0.1.0'
}
