/** `splice hooks`: the hook points of a model, with those of SAEs, by TransformerLens's names and shapes; nothing is run. */
import { resolve } from 'node:path'
import type { HookPoint, HookPoints } from '../../contract/hooks.ts'
import { type Grammar, mistake, readArguments, readDb } from './arguments.ts'
import { exitCode } from './exit.ts'
import { readSaeArguments } from './sae-argument.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

const grammar: Grammar = { command: 'hooks', flags: ['json'], values: ['model', 'db'], lists: ['sae'], operand: null, operands: 'none' }

/** Runs the command; gives the exit code. */
export async function hooks(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const model = args.values.get('model')
  if (model === undefined || model === '')
    throw mistake('--model', 'splice hooks needs a model.', 'Add --model DIR, a Hugging Face model folder.')
  const saes = readSaeArguments(args.lists.get('sae') ?? [])
  const request = { model: resolve(model), saes }
  const listed = await withEngine({ db: readDb(args) }, client => client.hooks.points(request, { signal: terminal.signal }))
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(listed)}\n` : hookList(listed))
  return exitCode.done
}

/** The list for people: a line per hook point, ending in a line feed. */
export function hookList({ model, saes, points }: HookPoints): string {
  const own = points.filter(point => point.sae !== null).length
  const heading = [
    `${model.name}  ${model.layers} layers  ${points.length} hook points${own === 0 ? '' : `, ${own} of them of SAEs`}`,
    ...saes.map(({ name, path, hook, target }) => `${name} = ${path} at ${hook}${target === hook ? '' : `, writing ${target}`}`)
  ]
  const rows = points.map(point => [point.name, `[${point.shape.join(', ')}]`, noteOf(point)])
  const widths = [0, 1].map(column => Math.max(...rows.map(row => (row[column] ?? '').length)))
  const lines = rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  )
  return `${[...heading, '', ...lines].join('\n')}\n`
}

function noteOf({ sae, replacedBy, errorTermOnly }: HookPoint): string {
  if (replacedBy.length > 0) return `replaced where ${replacedBy.join(' or ')} is spliced`
  if (sae === null) return ''
  return errorTermOnly ? `${sae}, with the error term alone` : sae
}
