/** `splice runs`: the history: its list, one run, and files made of one. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { type HistoryPage, historyRequest, type KeptRun, type OpenedRun } from '../../contract/history.ts'
import { featuresCsv, summaryCsv, tokensCsv, topKCsv } from '../../export/csv.ts'
import type { KnownConfig } from '../../export/python/model-loading.ts'
import { pythonScript } from '../../export/python/script.ts'
import { runJson } from '../../export/run-export.ts'
import type { Engine } from '../engine/engine.ts'
import { aligned } from './aligned.ts'
import { type Grammar, mistake, readArguments, readChoice, readCount } from './arguments.ts'
import { exitCode } from './exit.ts'
import { runTable } from './run-table.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

type Client = Engine['client']

const grammar: Grammar = {
  command: 'runs',
  flags: ['json', 'pinned'],
  values: ['model', 'sae', 'tag', 'limit', 'as', 'to'],
  lists: [],
  operand: '[show ID | export ID | WORD...]',
  operands: 'any'
}

const forms = ['json', 'tokens', 'top-k', 'features', 'summary', 'python', 'python-3'] as const
type Form = (typeof forms)[number]

/** Runs the command; an empty list is no failure. */
export async function runs(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, grammar)
  const [action, id, ...more] = args.operands
  if (action !== 'show' && action !== 'export') {
    refuseOptions(args.values, ['as', 'to'], 'export')
    const request = historyRequest.parse({
      text: args.operands.join(' '),
      model: args.values.get('model'),
      sae: args.values.get('sae'),
      tag: args.values.get('tag'),
      ...(args.flags.has('pinned') ? { pinned: true } : {}),
      limit: readCount('--limit', args.values.get('limit') ?? '50', 1, 500)
    })
    const page = await ask(client => client.history.list(request))
    await terminal.print(args.flags.has('json') ? `${JSON.stringify(page)}\n` : listOf(page))
    return exitCode.done
  }
  if (id === undefined) throw mistake('ID', `splice runs ${action} needs the ID of a run.`, 'splice runs lists them.')
  if (more[0] !== undefined) throw mistake(more[0], `splice runs ${action} takes one ID.`, 'Give one run at a time.')
  for (const name of ['model', 'sae', 'tag', 'limit']) refuseOptions(args.values, [name], 'list')
  if (action === 'show') {
    refuseOptions(args.values, ['as', 'to'], 'export')
    const opened = await ask(client => client.history.open({ id }))
    await terminal.print(args.flags.has('json') ? `${JSON.stringify(opened)}\n` : `${headOf(opened.kept)}\n${runTable(opened.result)}`)
    return exitCode.done
  }
  const form = readChoice('--as', args.values.get('as') ?? 'json', forms)
  const to = args.values.get('to')
  if (to === '') throw mistake('--to', '--to is empty.', 'Give the file to write: --to FILE.')
  if (to !== undefined && existsSync(to)) throw mistake('--to', `--to: ${to} is there already.`, 'Name another file, or remove it first.')
  const text = await ask(async client => {
    const opened = await client.history.open({ id })
    return textOf(opened, form, form === 'python' || form === 'python-3' ? await configOf(client, opened) : null)
  })
  if (to === undefined) await terminal.print(text)
  else await write(resolve(to), text)
  return exitCode.done
}

function ask<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
  return withEngine({ db: undefined, explains: false }, work)
}

function refuseOptions(values: ReadonlyMap<string, string>, names: readonly string[], action: 'export' | 'list'): void {
  const given = names.find(name => values.has(name))
  if (given === undefined) return
  const whose = action === 'export' ? 'splice runs export ID' : 'the list of runs'
  throw mistake(`--${given}`, `--${given} belongs to ${whose}.`, 'splice runs --help lists the options.')
}

/** The config of a run's model, where it is still there. */
async function configOf(client: Client, { result }: OpenedRun): Promise<KnownConfig> {
  return existsSync(result.model.path) ? client.library.modelConfig({ path: result.model.path }) : null
}

function textOf(run: OpenedRun, form: Form, config: KnownConfig): string {
  switch (form) {
    case 'json':
      return runJson(run)
    case 'tokens':
      return tokensCsv(run.result)
    case 'top-k':
      return topKCsv(run.result)
    case 'features':
      return featuresCsv(run.result)
    case 'summary':
      return summaryCsv(run.result)
    case 'python':
      return pythonScript(run, 2, config)
    case 'python-3':
      return pythonScript(run, 3, config)
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' })
  } catch (thrown) {
    throw new SpliceError('history/not-written', `${file} was not written: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
      file,
      hint: 'Name a file in a folder that you may write to.'
    })
  }
}

const oneLine = (text: string, most: number): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}

const dateOf = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ')

function headOf({ id, createdAt, name, tags, notes, version }: KeptRun): string {
  const facts = [id, dateOf(createdAt), `Splice ${version}`, ...(tags.length > 0 ? [tags.join(', ')] : [])].join('  ')
  return [facts, ...(name === null ? [] : [name]), ...(notes === '' ? [] : [notes]), ''].join('\n')
}

function listOf({ runs, total }: HistoryPage): string {
  if (total === 0) return 'No run.\n'
  const rows = runs.map(run => [
    run.id,
    `${run.pinned ? '*' : ' '} ${dateOf(run.createdAt)}`,
    oneLine(run.model.name, 24),
    oneLine(run.saes.map(sae => sae.name).join(', '), 24),
    String(run.tokens),
    oneLine(run.name ?? run.prompt, 60)
  ])
  const shown = runs.length < total ? `, the newest ${runs.length} shown` : ''
  const table = aligned([['id', '  kept (UTC)', 'model', 'SAEs', 'tokens', 'prompt'], ...rows], new Set([0, 1, 2, 3, 5]))
  return `${table}\n\n${total} ${total === 1 ? 'run' : 'runs'}${shown}\n`
}
