/** `splice logit-lens`: what the unembedding makes of the residual stream in front of every block, as a table or as JSON. */
import { resolve } from 'node:path'
import { type LensRequest, type LensResult, type LensVariant, lensRequest } from '../../contract/logit-lens.ts'
import { fromMaybeNumber, type MaybeNumber } from '../../contract/numbers.ts'
import { aligned } from './aligned.ts'
import { type Arguments, type Grammar, mistake, quoted, readArguments, readCount, readDb } from './arguments.ts'
import { exitCode } from './exit.ts'
import { modelOptions, readModelArguments } from './model-arguments.ts'
import { resultOf, showStage } from './result-of.ts'
import { fixed, percent, visible } from './run-table.ts'
import { refuseSharedHook } from './shared-hook.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = {
  command: 'logit-lens',
  flags: [...modelOptions.flags, 'no-soft-cap', 'json'],
  values: [...modelOptions.values, 'top-k', 'positions', 'save'],
  lists: modelOptions.lists,
  operand: null,
  operands: 'none'
}

/** Most positions in the table for people, the last ones; the JSON has them all. */
const columnsShown = 6

/** Runs the command; gives the exit code. Throws what the engine and the arguments throw, with nothing printed. */
export async function logitLens(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const json = args.flags.has('json')
  const request = readLensRequest(args)
  const result = await withEngine({ db: readDb(args), infers: true, explains: false }, async client => {
    await refuseSharedHook(client, request.run)
    const events = await client.runs.logitLens(request, { signal: terminal.signal })
    return (await resultOf(events, 'lens', event => showStage(terminal, event))).result
  })
  for (const warning of json ? [] : result.warnings) terminal.note(`splice: ${warning}`)
  await terminal.print(json ? `${JSON.stringify(result)}\n` : lensTables(result))
  return exitCode.done
}

function readLensRequest(args: Arguments): LensRequest {
  const file = args.values.get('save')
  if (file === '') throw mistake('--save', '--save is empty.', 'Give the file to write: --save FILE.safetensors.')
  return lensRequest.parse({
    run: {
      ...readModelArguments(args, 'logit-lens'),
      topK: readCount('--top-k', args.values.get('top-k') ?? '5', 1, 1000),
      keep: false,
      ...(file === undefined ? {} : { save: { file: resolve(file) } })
    },
    positions: readPositions(args.values.get('positions')),
    softCap: !args.flags.has('no-soft-cap')
  })
}

function readPositions(text: string | undefined): [number, number] | null {
  if (text === undefined) return null
  const [, start, end] = /^(\d{1,9}):(\d{1,9})$/.exec(text) ?? []
  if (start !== undefined && end !== undefined && Number(start) < Number(end)) return [Number(start), Number(end)]
  throw mistake('--positions', `--positions ${quoted(text)} is no range.`, 'Write --positions A:B, half-open from zero, e.g. 0:12.')
}

/** A table for each variant, the final prediction first, as heat maps of the lens stand. */
function lensTables(result: LensResult): string {
  const { model, tokens, bosAdded, positions, processing, processingReason, softCap } = result
  const flags = processing.length === 0 ? 'no processing' : processing.join(', ')
  const heading = [
    `${model.name}  ${tokens.length} tokens${bosAdded ? ', BOS added' : ''}  ${flags} (${processingReason})`,
    `positions ${positions[0]}:${positions[1]}${softCap === null ? '' : `, logits soft-capped at ${softCap}`}; KL to the final prediction in nats`
  ]
  return `${[heading.join('\n'), ...result.variants.map(variant => lensTable(result, variant))].join('\n\n')}\n`
}

function lensTable({ tokens, positions: [start, end] }: LensResult, { name, layers }: LensVariant): string {
  const first = Math.max(start, end - columnsShown)
  const shown = Array.from({ length: end - first }, (_, at) => first + at)
  const header = [name, 'mean KL', ...shown.map(position => `${position} ${visible(tokens[position]?.text ?? '')}`)]
  const rows = layers.toReversed().map(({ label, klToFinal, topK }) => [
    label,
    fixed(meanOf(klToFinal)),
    ...shown.map(position => {
      const best = topK[position - start]?.[0]
      return best === undefined ? '-' : `${visible(best.text)} ${percent(best.logProb)}`
    })
  ])
  return aligned([header, ...rows], new Set([0, ...shown.map((_, at) => at + 2)]))
}

function meanOf(values: readonly MaybeNumber[]): MaybeNumber {
  const numbers = values.map(fromMaybeNumber).filter(value => value !== null)
  return numbers.length === 0 ? null : numbers.reduce((sum, value) => sum + value, 0) / numbers.length
}
