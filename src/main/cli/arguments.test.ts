/** Tests of the argument parser and of what commands make of their arguments. */
import { describe, expect, test } from 'vitest'
import { SpliceError } from '../../contract/errors.ts'
import { readArguments } from './arguments.ts'
import { downloadGrammar, readDownloadRequest } from './download.ts'
import { errorLine } from './exit.ts'
import { readHarvestOrder, readMergeOrder } from './harvest-request.ts'
import { readPatchOrder } from './patch-request.ts'
import { readRunOrder } from './run-request.ts'
import { readSaeArguments } from './sae-argument.ts'

const grammar = { command: 'search', flags: ['json'], values: ['limit'], lists: ['tag'], operand: 'QUERY', operands: 'one' } as const

/** The error that `work` throws, as the line that a person reads. */
function lineOf(work: () => unknown): string {
  try {
    work()
  } catch (thrown) {
    if (thrown instanceof SpliceError) return errorLine(thrown.toData())
    throw thrown
  }
  throw new Error('nothing was thrown')
}

describe('the parser', () => {
  test('sorts flags, values, lists and operands in any order', () => {
    const args = readArguments(['--tag', 'a', 'words', '--json', '--limit=5', '--tag=b'], grammar)
    expect(args).toEqual({
      flags: new Set(['json']),
      listed: [
        ['tag', 'a'],
        ['tag', 'b']
      ],
      values: new Map([['limit', '5']]),
      lists: new Map([['tag', ['a', 'b']]]),
      operands: ['words']
    })
  })

  test('takes everything after -- as it is', () => {
    expect(readArguments(['--', '--json'], grammar).operands).toEqual(['--json'])
  })

  test('lets a value hold an equals sign, be empty, or start with one dash', () => {
    expect(readArguments(['q', '--limit=a=b'], grammar).values.get('limit')).toBe('a=b')
    expect(readArguments(['q', '--limit', ''], grammar).values.get('limit')).toBe('')
    expect(readArguments(['q', '--limit', '-5'], grammar).values.get('limit')).toBe('-5')
  })

  test.each([
    [['q', '--what'], '--what is not an option of splice search.'],
    [['q', '-j'], '-j is not an option of splice search.'],
    [['q', '--json=yes'], '--json takes no value.'],
    [['q', '--limit'], '--limit needs a value.'],
    [['q', '--limit', '--json'], '--limit needs a value, but --json follows.'],
    [['q', '--limit', '1', '--limit', '2'], '--limit is given twice.'],
    [['one', 'two'], 'splice search takes one QUERY, but "two" follows it.'],
    [[], 'splice search needs QUERY.']
  ])('refuses %j', (argv, message) => {
    expect(lineOf(() => readArguments(argv, grammar))).toContain(message)
  })
})

describe('--sae', () => {
  const here =
    (...paths: string[]) =>
    (path: string) =>
      paths.includes(path)

  test('names SAEs by their place where they have no name', () => {
    expect(readSaeArguments(['/a', 'mine=/b', '/c'], here('/a', '/b', '/c'))).toEqual([
      { name: 'sae1', path: '/a' },
      { name: 'mine', path: '/b' },
      { name: 'sae3', path: '/c' }
    ])
  })

  test('splits at the last @ only where the whole is no path', () => {
    expect(readSaeArguments(['/a@b'], here('/a@b'))).toEqual([{ name: 'sae1', path: '/a@b' }])
    expect(readSaeArguments(['/a@b@hook_embed'], here('/a@b'))).toEqual([{ name: 'sae1', path: '/a@b', hook: 'hook_embed' }])
    expect(readSaeArguments(['x=/a@hook_embed'], here('/a'))).toEqual([{ name: 'x', path: '/a', hook: 'hook_embed' }])
  })

  test('takes two hook points of a transcoder', () => {
    expect(readSaeArguments(['x=/a@in.hook:out.hook'], here('/a'))).toEqual([
      { name: 'x', path: '/a', hook: 'in.hook', hookOut: 'out.hook' }
    ])
  })

  test('takes a path with an equals sign for a path', () => {
    expect(readSaeArguments(['/l0=71/params.npz'], here('/l0=71/params.npz'))[0]).toEqual({ name: 'sae1', path: '/l0=71/params.npz' })
    const cwdPath = 'l0=71'
    expect(readSaeArguments([cwdPath], here(cwdPath))[0]?.name).toBe('sae1')
    expect(readSaeArguments([`${cwdPath}@hook_embed`], here(cwdPath))[0]).toMatchObject({ name: 'sae1', hook: 'hook_embed' })
  })

  test.each([
    [['/gone'], 'nothing is at /gone.'],
    [['/gone@hook_embed'], 'nothing is at /gone.'],
    [['a=/gone'], 'nothing is at /gone.'],
    [['/a@'], 'names no hook point after @.'],
    [['/a@in:'], 'names no hook point after @.'],
    [['/a@:out'], 'names no hook point after @.'],
    [['/a@a:b:c'], 'names more than two hook points.'],
    [[''], '--sae is empty.'],
    [['a=/a', 'a=/a'], 'Two SAEs of this run are called a.'],
    [['sae2=/a', '/a'], 'Two SAEs of this run are called sae2.']
  ])('refuses %j', (texts, message) => {
    expect(lineOf(() => readSaeArguments(texts, here('/a')))).toContain(message)
  })
})

describe('splice run', () => {
  const order = (...argv: string[]) => readRunOrder(['--model', '/model', ...argv], path => path.startsWith('/'))
  const variants = (...argv: string[]) => order('--prompt', 'x', ...argv).request.variants

  test('has the documented defaults', () => {
    expect(order('--prompt', 'x').request).toEqual({
      model: '/model',
      saes: [],
      prompt: { text: 'x', prependBos: true },
      variants: [{ name: 'clean', splices: [] }],
      processing: 'auto',
      layerOrder: 'checkpoint',
      hooks: 'all',
      keep: true,
      topK: 10,
      topFeatures: 5,
      metricPositions: 'no-special',
      provider: 'auto'
    })
  })

  test('runs clean, spliced and spliced+error where an SAE is given', () => {
    expect(variants('--sae', '/a', '--sae', 'b=/b', '--splice-positions', 'no-special')).toEqual([
      { name: 'clean', splices: [] },
      {
        name: 'spliced',
        splices: [
          { sae: 'sae1', errorTerm: false, positions: 'no-special' },
          { sae: 'b', errorTerm: false, positions: 'no-special' }
        ]
      },
      {
        name: 'spliced+error',
        splices: [
          { sae: 'sae1', errorTerm: true, positions: 'no-special' },
          { sae: 'b', errorTerm: true, positions: 'no-special' }
        ]
      }
    ])
  })

  test("runs clean and the variants of one's own where only those are given", () => {
    expect(variants('--sae', '/a', '--sae', '/b', '--variant', 'one=sae1', '--variant', 'both=sae1,sae2+error')).toEqual([
      { name: 'clean', splices: [] },
      { name: 'one', splices: [{ sae: 'sae1', errorTerm: false, positions: 'all' }] },
      {
        name: 'both',
        splices: [
          { sae: 'sae1', errorTerm: false, positions: 'all' },
          { sae: 'sae2', errorTerm: true, positions: 'all' }
        ]
      }
    ])
  })

  test('puts edits into their variants, and makes those that are not there', () => {
    const edit = (feature: number, kind: string, value: number, positions: unknown = 'all') => ({
      sae: 'sae1',
      feature,
      kind,
      value,
      positions
    })
    const spliced = [{ sae: 'sae1', errorTerm: false, positions: 'all' }]
    const edits = ['spliced:sae1:7x2', 'off:sae1:8=0@1:', 'off:sae1:9x-1.5@2:4', 'on:sae1:8+-5.66', 'on:sae1:8+1e-2@:3']
    expect(variants('--sae', '/a', '--variants', 'clean,spliced', ...edits.flatMap(text => ['--edit', text]))).toEqual([
      { name: 'clean', splices: [] },
      { name: 'spliced', splices: spliced, edits: [edit(7, 'scale', 2)] },
      { name: 'off', splices: spliced, edits: [edit(8, 'set', 0, [[1, null]]), edit(9, 'scale', -1.5, [[2, 4]])] },
      { name: 'on', splices: [], edits: [edit(8, 'steer', -5.66), edit(8, 'steer', 0.01, [[0, 3]])] }
    ])
  })

  test('gives SAEs their factors by name', () => {
    const { saes } = order('--prompt', 'x', '--sae', '/a', '--sae', 'b=/b', '--sae-norm-factor', 'b=0.25').request
    expect(saes).toEqual([
      { name: 'sae1', path: '/a' },
      { name: 'b', path: '/b', normFactor: 0.25 }
    ])
  })

  test('keeps the order of --variants', () => {
    expect(variants('--sae', '/a', '--variants', 'spliced,clean').map(variant => variant.name)).toEqual(['spliced', 'clean'])
  })

  test('reads ranges of positions, an empty one being none', () => {
    const positions = (text: string) =>
      variants('--sae', '/a', '--variants', 'spliced', '--splice-positions', text)[0]?.splices[0]?.positions
    expect(positions('1:5,8:9')).toEqual([
      [1, 5],
      [8, 9]
    ])
    expect(positions('3:3')).toEqual([[3, 3]])
  })

  test('takes ids as they are', () => {
    expect(order('--ids', '2,106, 108').request.prompt).toEqual({ ids: [2, 106, 108] })
    expect(order('--ids', '').request.prompt).toEqual({ ids: [] })
  })

  test('saves all hooks unless told which', () => {
    expect(order('--prompt', 'x', '--save', '/o.safetensors').request).toMatchObject({ save: { file: '/o.safetensors' }, hooks: 'all' })
    expect(order('--prompt', 'x', '--save', '/o.safetensors', '--hooks', 'hook_embed').request.hooks).toEqual(['hook_embed'])
    expect(order('--prompt', 'x', '--hooks', 'none').request.save).toBeUndefined()
  })

  test('reads a list of processing flags', () => {
    expect(order('--prompt', 'x', '--processing', 'fold_ln,center_unembed').request.processing).toEqual(['fold_ln', 'center_unembed'])
  })

  test.each([
    [[], 'needs a prompt'],
    [['--prompt', 'x', '--ids', '2'], '--prompt and --ids are both given.'],
    [['--ids', '2,x'], '--ids: "x" is not a token id.'],
    [['--ids', '2,,3'], '--ids: "" is not a token id.'],
    [['--prompt', 'x', '--variants', 'dirty'], '--variants: "dirty" is no variant.'],
    [['--prompt', 'x', '--variants', 'spliced'], '--variants: spliced needs an SAE.'],
    [['--prompt', 'x', '--variants', 'clean,clean'], 'Two variants of this run are called clean.'],
    [['--prompt', 'x', '--variant', 'a'], '--variant "a" does not name a variant and its SAEs.'],
    [['--prompt', 'x', '--variant', 'a=b'], '--variant a: "b" is no SAE of this run.'],
    [['--prompt', 'x', '--sae', '/a', '--variant', 'clean=sae1'], 'clean is the run without any SAE'],
    [['--prompt', 'x', '--sae', '/a', '--variant', 'v=sae1,sae1'], '--variant v names sae1 twice.'],
    [['--prompt', 'x', '--splice-positions', '5:3'], '--splice-positions "5:3" is not a range'],
    [['--prompt', 'x', '--sae', '/a', '--edit', 'off:sae1:x2'], '--edit "off:sae1:x2" is not an edit of a feature.'],
    [['--prompt', 'x', '--sae', '/a', '--edit', 'off:sae1:7=0@5:2'], '--edit "off:sae1:7=0@5:2": position 5 is above 2.'],
    [['--prompt', 'x', '--sae', '/a', '--edit', 'off:b:7=0'], '--edit "off:b:7=0": b is no SAE of this run.'],
    [['--prompt', 'x', '--sae', '/a', '--edit', 'clean:sae1:7+1'], '--edit: clean is the model as it is.'],
    [['--prompt', 'x', '--splice-positions', 'some'], '--splice-positions "some" is not a range'],
    [['--prompt', 'x', '--sae', '/a', '--sae-norm-factor', '0.5'], '--sae-norm-factor "0.5" is not NAME=F.'],
    [['--prompt', 'x', '--sae', '/a', '--sae-norm-factor', 'sae1=0'], '--sae-norm-factor "sae1=0" is not NAME=F.'],
    [['--prompt', 'x', '--sae', '/a', '--sae-norm-factor', 'b=1'], '--sae-norm-factor: "b" is no SAE of this run.'],
    [['--prompt', 'x', '--sae', '/a', '--sae-norm-factor', 'sae1=1', '--sae-norm-factor', 'sae1=2'], '--sae-norm-factor names sae1 twice.'],
    [['--prompt', 'x', '--processing', 'fold'], '--processing "fold" is unknown.'],
    [['--prompt', 'x', '--layer-order', 'mine'], '--layer-order "mine" is unknown.'],
    [['--prompt', 'x', '--provider', 'tpu'], '--provider "tpu" is unknown.'],
    [['--prompt', 'x', '--top-k', '0'], '--top-k "0" is not a whole number from 1 to 1000.'],
    [['--prompt', 'x', '--top-features', '1.5'], '--top-features "1.5" is not a whole number'],
    [['--prompt', 'x', '--hooks', 'hook_embed,'], 'has an empty name'],
    [['--prompt', 'x', 'y'], 'takes no argument "y"']
  ])('refuses %j', (argv, message) => {
    const line = lineOf(() => order(...argv))
    expect(line).toContain(message)
    expect(line).not.toContain('\n')
  })

  test('needs a model', () => {
    expect(lineOf(() => readRunOrder(['--prompt', 'x']))).toContain('Add --model DIR')
  })
})

describe('what to patch', () => {
  const order = (...argv: string[]) => readPatchOrder(['--model', '/m', '--prompt', 'x', '--source', 'y', '--target', ' a', ...argv])
  test('grids at sites and heads, by default of resid_pre, or one cell', () => {
    expect(order()).toMatchObject({ kind: 'grids', request: { sites: [{ site: 'resid_pre', head: null }], source: { text: 'y' } } })
    expect(order('--site', 'z', '--site', 'z:3', '--no-history')).toMatchObject({
      request: { sites: [{ head: null }, { site: 'z', head: 3 }] },
      run: null
    })
    const cell = (...argv: string[]) => order('--cell', ...argv).request
    expect(cell('2:5')).toMatchObject({ cell: { site: 'resid_pre', layer: 2, position: 5, head: null, from: null } })
    expect(cell('2:5:1', '--site', 'z', '--from', '4')).toMatchObject({ cell: { site: 'z', position: 5, head: 1, from: 4 } })
    expect(cell('2:all', '--site', 'z:3')).toMatchObject({ cell: { site: 'z', position: null, head: 3 } })
  })
  test.each([
    [['--site', 'mlp_out:3'], '--site "mlp_out:3" is unknown.'],
    [['--cell', '2'], '--cell "2" is no cell.'],
    [['--cell', '2:all', '--from', '1'], '--from is of one position.'],
    [['--cell', '2:1', '--site', 'z', '--site', 'mlp_out'], '--cell patches at one site.'],
    [['--cell', '2:1', '--batch-rows', '3'], '--batch-rows is of grids.'],
    [['--top-k', '3'], '--top-k is of one cell.'],
    [['--source-ids', '1,2'], '--source and --source-ids are both given.']
  ])('refuses %j', (argv, message) => {
    expect(lineOf(() => order(...argv))).toContain(message)
  })
})

describe('what to download', () => {
  const request = (...argv: string[]) => {
    const args = readArguments(argv, downloadGrammar)
    return readDownloadRequest(args.operands, args.values.get('release'), args.values.get('sae-id'))
  }
  test('a repository, at a revision, some of its files; or an SAE by its names', () => {
    expect(request('google/gemma-2-2b')).toEqual({ kind: 'repository', repo: 'google/gemma-2-2b', revision: 'main', patterns: [] })
    expect(request('gpt2@refs/pr/3', '*.json', 'a b')).toEqual({
      kind: 'repository',
      repo: 'gpt2',
      revision: 'refs/pr/3',
      patterns: ['*.json', 'a b']
    })
    expect(request('--release', 'r', '--sae-id', 'i')).toEqual({ kind: 'sae', release: 'r', saeId: 'i' })
  })
  test.each([
    [[], 'needs REPO'],
    [['a/b/c'], '"a/b/c" is no repository'],
    [['../b'], 'is no repository'],
    [['a/b@'], '"" is no branch'],
    [['a/b@../x'], 'is no branch'],
    [['a/b', ''], 'A PATTERN is empty'],
    [['--release', 'r'], 'needs --sae-id'],
    [['--sae-id', 'i'], 'needs --release'],
    [['a/b', '--release', 'r', '--sae-id', 'i'], 'are both given']
  ])('refuses %j', (argv, message) => {
    expect(lineOf(() => request(...argv))).toContain(message)
  })
})

describe('what to harvest', () => {
  const required = ['--model', 'm', '--sae', 'mine=s', '--text', 'a.txt', '--tokens', '1000']
  const request = (...argv: string[]) => readHarvestOrder([...required, ...argv], file => !file.includes('=')).request

  test('texts by --text and behind it, a share, a name, and the defaults', () => {
    const { texts, saes, tokens, shard, top, perInterval, before, after, documents, prependBos, memoryLimit } = request(
      'b.txt',
      '--shard',
      '2/3',
      '--memory-limit',
      '1.5',
      '--text=c'
    )
    expect(texts.map(text => text.split(/[\\/]/).at(-1))).toEqual(['a.txt', 'c', 'b.txt'])
    expect([saes.map(({ name }) => name), tokens, shard]).toEqual([['mine'], 1000, { index: 2, of: 3 }])
    expect([top, perInterval, before, after, documents, prependBos, memoryLimit]).toEqual([20, 5, 20, 11, 'joined', true, 1.5e9])
  })

  test('and what to put together', () => {
    const { request: merge, db } = readMergeOrder(['a', 'b', '--out', 'c', '--no-mirror', '--name', 'x'])
    expect(merge.files).toHaveLength(2)
    expect([merge.toMirror, merge.name, db]).toEqual([false, 'x', undefined])
  })

  test.each([
    [['--shard', '0/2'], '--shard "0/2" is not I/N'],
    [['--shard', '2'], '--shard "2" is not I/N'],
    [['--top', '101'], '--top "101" is not a whole number from 0 to 100'],
    [['--before', '101'], '--before "101" is not a whole number from 0 to 100'],
    [['--name', ''], '--name is empty'],
    [['--text', ''], '--text is empty']
  ])('refuses %j', (argv, message) => {
    expect(lineOf(() => request(...argv))).toContain(message)
  })
})

describe('the line of an error', () => {
  test('names file and field once and ends in what to do', () => {
    const error = new SpliceError('checkpoint/truncated', '/m/model.safetensors ends early\nat byte 8', {
      file: '/m/model.safetensors',
      field: 'wte',
      hint: 'Copy it again.'
    })
    expect(errorLine(error.toData())).toBe('splice: wte: /m/model.safetensors ends early at byte 8. Copy it again.')
  })
})
