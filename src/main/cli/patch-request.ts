/** `splice patch`'s arguments as the contract's requests. */
import { resolve } from 'node:path'
import {
  type PatchGrid,
  type PatchingRequest,
  type PatchRequest,
  patchingRequest,
  patchRequest,
  patchSite
} from '../../contract/patching.ts'
import { layerOrder, type Prompt, provider, type RunRequest, runRequest } from '../../contract/run.ts'
import { type Arguments, type Grammar, mistake, quoted, readArguments, readChoice, readCount, readDb } from './arguments.ts'
import { readIds, readPrecision, readProcessing, readPrompt } from './model-arguments.ts'
import { readTarget } from './target.ts'

const grammar: Grammar = {
  command: 'patch',
  flags: ['no-bos', 'no-history', 'json'],
  values: [
    ...['model', 'prompt', 'ids', 'source', 'source-ids', 'target', 'cell', 'from', 'top-k', 'batch-rows'],
    ...['processing', 'layer-order', 'provider', 'precision', 'db']
  ],
  lists: ['site'],
  operand: null,
  operands: 'none'
}

/** What `splice patch` was asked to do: grids, perhaps kept with a run of the prompt, or one cell. */
export type PatchOrder = { readonly json: boolean; readonly db: string | undefined } & (
  | { readonly kind: 'grids'; readonly request: PatchingRequest; readonly run: RunRequest | null }
  | { readonly kind: 'cell'; readonly request: PatchRequest }
)

/** Reads `splice patch`'s arguments. Throws `cli/usage`. */
export function readPatchOrder(argv: readonly string[]): PatchOrder {
  const args = readArguments(argv, grammar)
  const model = args.values.get('model')
  if (model === undefined || model === '')
    throw mistake('--model', 'splice patch needs a model.', 'Add --model DIR, a Hugging Face model folder.')
  const prompt = readPrompt(args, 'patch')
  const source = readSource(args)
  const target = args.values.get('target')
  if (target === undefined)
    throw mistake('--target', 'splice patch needs a target.', 'Add --target TOKEN, e.g. --target " hole", or --target " Mary- John".')
  const asked = {
    model: resolve(model),
    prompt,
    processing: readProcessing(args.values.get('processing') ?? 'auto'),
    layerOrder: readChoice('--layer-order', args.values.get('layer-order') ?? 'checkpoint', layerOrder.options),
    provider: readChoice('--provider', args.values.get('provider') ?? 'auto', provider.options),
    ...readPrecision(args)
  }
  const both = { ...asked, source, quantity: readTarget(target) }
  const sites = (args.lists.get('site') ?? ['resid_pre']).map(readSite)
  const common = { json: args.flags.has('json'), db: readDb(args) }
  const cell = args.values.get('cell')
  if (cell !== undefined) {
    if (args.values.has('batch-rows')) throw mistake('--batch-rows', '--batch-rows is of grids.', 'Leave --batch-rows or --cell out.')
    const topK = readCount('--top-k', args.values.get('top-k') ?? '10', 1, 1000)
    return { ...common, kind: 'cell', request: patchRequest.parse({ ...both, topK, cell: readCell(cell, sites, args.values.get('from')) }) }
  }
  for (const name of ['from', 'top-k'] as const) {
    if (args.values.has(name)) throw mistake(`--${name}`, `--${name} is of one cell.`, 'Add --cell LAYER:POS[:HEAD].')
  }
  const batchRows = args.values.get('batch-rows')
  const rows = batchRows === undefined ? {} : { batchRows: readCount('--batch-rows', batchRows, 1, 4096) }
  const run = args.flags.has('no-history') ? null : runRequest.parse({ ...asked, variants: [{ name: 'clean', splices: [] }] })
  return { ...common, kind: 'grids', request: patchingRequest.parse({ ...both, sites, ...rows }), run }
}

function readSource(args: Arguments): Prompt {
  const text = args.values.get('source')
  const ids = args.values.get('source-ids')
  if (text !== undefined && ids !== undefined)
    throw mistake('--source-ids', '--source and --source-ids are both given.', 'Give one of them.')
  if (text !== undefined) return { text, prependBos: !args.flags.has('no-bos') }
  if (ids !== undefined) return { ids: readIds('--source-ids', ids) }
  throw mistake(
    '--source',
    'splice patch needs a source.',
    'Add --source TEXT or --source-ids 2,106,109, with as many tokens as the prompt.'
  )
}

/** `resid_pre`, `z`, `z:3`. */
function readSite(text: string): PatchGrid {
  const [, name = '', head] = /^([a-z_]+)(?::(\d{1,6}))?$/.exec(text) ?? []
  const site = patchSite.safeParse(name)
  if (site.success && (head === undefined || site.data === 'z')) return { site: site.data, head: head === undefined ? null : Number(head) }
  throw mistake('--site', `--site ${quoted(text)} is unknown.`, `Choose one of ${patchSite.options.join(', ')}; z:3 is head 3 alone.`)
}

/** `LAYER:POS[:HEAD]` at a site, and where it comes from. */
function readCell(text: string, sites: readonly PatchGrid[], fromText: string | undefined): PatchRequest['cell'] {
  const [, layer, at, ofCell] = /^(\d{1,6}):(\d{1,9}|all)(?::(\d{1,6}))?$/.exec(text) ?? []
  if (layer === undefined || at === undefined)
    throw mistake('--cell', `--cell ${quoted(text)} is no cell.`, 'Write LAYER:POS or LAYER:POS:HEAD, e.g. --cell 5:7 or --cell 5:all:3.')
  const [grid] = sites
  if (grid === undefined || sites.length > 1) throw mistake('--site', '--cell patches at one site.', 'Give one --site.')
  const head = ofCell === undefined ? grid.head : Number(ofCell)
  if (head !== null && grid.site !== 'z')
    throw mistake('--cell', `--cell ${quoted(text)}: ${grid.site} has no heads.`, 'Add --site z, or leave HEAD out.')
  const position = at === 'all' ? null : Number(at)
  if (position === null && fromText !== undefined) throw mistake('--from', '--from is of one position.', 'Write a position in --cell.')
  const from = fromText === undefined ? null : readCount('--from', fromText, 0, 1e9)
  return { site: grid.site, layer: Number(layer), position, head, from }
}
