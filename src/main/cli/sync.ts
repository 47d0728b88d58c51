/** `splice sync`: brings sources of Neuronpedia's bulk bucket into the mirror, or says what that would take. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import { type SyncEstimate, type SyncRequest, type SyncSelection, type SyncState, syncRequest } from '../../contract/sync.ts'
import type { Engine } from '../engine/engine.ts'
import { type Arguments, type Grammar, mistake, quoted, readArguments, readDb, readSource, readText } from './arguments.ts'
import { formatBytes } from './bytes.ts'
import { exitCode } from './exit.ts'
import { resultOf } from './result-of.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

export const syncGrammar: Grammar = {
  command: 'sync',
  flags: ['all', 'features', 'activations', 'embeddings', 'dry-run', 'json'],
  values: ['model', 'release', 'keep', 'endpoint', 'db'],
  lists: [],
  operand: 'MODEL/SOURCE',
  operands: 'any'
}

/** Runs the command; the exit code is 3 where rows were rejected, 1 where files could not be had. */
export async function sync(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, syncGrammar)
  const request = readSyncRequest(args)
  const json = args.flags.has('json')
  const options = { db: readDb(args) }
  if (args.flags.has('dry-run')) {
    const estimate = await withEngine(options, client => estimated(client, request, terminal))
    await terminal.print(json ? `${JSON.stringify(estimate)}\n` : estimateText(estimate))
    return exitCode.done
  }
  const done = await withEngine(options, client => synced(client, request, terminal))
  await terminal.print(json ? `${JSON.stringify(jsonOf(done))}\n` : sentenceOf(done))
  return endOf(done, terminal)
}

/** What the arguments mean. Throws `cli/usage`. */
export function readSyncRequest(args: Arguments): SyncRequest {
  const keep = readText(args, 'keep')
  if (keep !== undefined && existsSync(keep) && !statSync(keep).isDirectory())
    throw mistake('--keep', `--keep ${quoted(keep)} is no folder.`, 'Name a folder; it is made where it is not there.')
  const endpoint = readText(args, 'endpoint')
  const request = syncRequest.safeParse({
    selection: readSelection(args),
    features: args.flags.has('features'),
    activations: args.flags.has('activations'),
    embeddings: args.flags.has('embeddings'),
    keepIn: keep === undefined ? undefined : resolve(keep),
    endpoint
  })
  if (request.success) return request.data
  throw mistake('--endpoint', `--endpoint ${quoted(endpoint ?? '')} is no address.`, 'Write e.g. --endpoint https://bucket.example.org.')
}

function readSelection(args: Arguments): SyncSelection {
  const [model, release] = [readText(args, 'model'), readText(args, 'release')]
  const sources = args.operands.map(text => readSource('MODEL/SOURCE', text))
  if (release !== undefined && model === undefined)
    throw mistake('--release', '--release needs --model.', 'Write e.g. --model gemma-2-2b --release gemmascope-res-16k.')
  const ways = [
    ...(sources.length > 0 ? ['MODEL/SOURCE'] : []),
    ...(model === undefined ? [] : ['--model']),
    ...(args.flags.has('all') ? ['--all'] : [])
  ]
  const [way, other] = ways
  if (way === undefined)
    throw mistake('MODEL/SOURCE', 'splice sync needs MODEL/SOURCE.', 'Name sources, or a model with --model M, or everything with --all.')
  if (other !== undefined) throw mistake(other, `${way} and ${other} are both given.`, 'Choose one of them.')
  if (sources.length > 0) return { kind: 'sources', sources }
  return model === undefined ? { kind: 'all' } : { kind: 'model', model, ...(release === undefined ? {} : { release }) }
}

async function estimated(client: Engine['client'], request: SyncRequest, terminal: Terminal): Promise<SyncEstimate> {
  const events = await client.sync.plan(request, { signal: terminal.signal })
  const listing = ({ files, sources }: { files: number; sources: number }) =>
    terminal.progress(`listing: ${files} files of ${sources} sources`)
  return (await resultOf(events, 'listing', listing)).estimate
}

async function synced(client: Engine['client'], request: SyncRequest, terminal: Terminal): Promise<SyncState> {
  await client.sync.start(request)
  const stop = () => void client.sync.cancel().catch(() => undefined)
  terminal.signal.addEventListener('abort', stop, { once: true })
  for await (const state of await client.sync.watch()) {
    if (state === null) continue
    if (state.state === 'cancelled') throw new SpliceError('sync/cancelled', 'the sync was cancelled', { mistake: false })
    if (state.state === 'failed' && state.error !== null) throw SpliceError.fromData(state.error)
    if (state.state === 'done') return state
    terminal.progress(progressOf(state))
  }
  throw new SpliceError('engine/no-result', 'The engine ended the sync without a result.', { mistake: false })
}

function progressOf({ state, totalBytes, doneBytes, bytesPerSecond, secondsLeft, filesDone, fileCount, rows }: SyncState): string {
  if (state === 'waiting') return 'waiting for another sync to end'
  if (state === 'listing') return 'asking the bucket what it holds'
  const percent = totalBytes === 0 ? 0 : Math.floor((100 * doneBytes) / totalBytes)
  const speed = bytesPerSecond === null ? '' : `, ${formatBytes(bytesPerSecond)}/s`
  const left = secondsLeft === null ? '' : `, ${timeOf(secondsLeft)} left`
  return `${percent}% of ${formatBytes(totalBytes)}${speed}${left}, ${filesDone} of ${fileCount} files, ${rows.imported + rows.skipped} rows`
}

function timeOf(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}

function estimateText(one: SyncEstimate): string {
  const known = one.knownFiles === 0 ? '' : `, ${one.knownFiles} of them in the mirror already`
  const free = one.freeBytes === null ? '' : `; ${formatBytes(one.freeBytes)} are free`
  const speed =
    one.bytesPerSecond === null
      ? ''
      : `, at ${formatBytes(one.bytesPerSecond)}/s ${one.seconds === null ? '' : `about ${timeOf(one.seconds)}`}`
  return [
    `${one.files} ${one.files === 1 ? 'file' : 'files'} of ${one.sources} ${one.sources === 1 ? 'source' : 'sources'}${known}`,
    `${formatBytes(one.downloadBytes)} to download${speed}`,
    `the mirror grows by about ${formatBytes(one.mirrorBytes)}; ${formatBytes(one.diskBytes)} are needed on the disk at most${free}`,
    ''
  ].join('\n')
}

function jsonOf({ fileCount, filesFailed, totalBytes, fetchedBytes, rows }: SyncState): object {
  const { imported, skipped, rejected, embeddings, seconds } = rows
  return { files: fileCount, filesFailed, totalBytes, fetchedBytes, imported, skipped, rejected, embeddings, seconds }
}

function sentenceOf({ fileCount, fetchedBytes, rows, request }: SyncState): string {
  if (fileCount === 0) return 'nothing has changed\n'
  const kept = request.embeddings ? `, ${rows.embeddings} embeddings` : ''
  const brought = `${rows.imported} imported, ${rows.skipped} skipped, ${rows.rejected} rejected${kept}`
  return `${brought}; ${fileCount} ${fileCount === 1 ? 'file' : 'files'}, ${formatBytes(fetchedBytes)} fetched in ${rows.seconds.toFixed(1)} s\n`
}

/** Tells what did not come, and gives the exit code. */
function endOf({ filesFailed, files, rows, rejectsFile }: SyncState, terminal: Terminal): number {
  if (rows.rejected > 0) {
    const count = rows.rejected === 1 ? '1 row was' : `${rows.rejected} rows were`
    terminal.note(`splice: ${count} rejected${rejectsFile === null ? '.' : `; ${rejectsFile} says which and why.`}`)
  }
  if (filesFailed > 0) {
    const failed = files.find(({ state }) => state === 'failed')
    const count = filesFailed === 1 ? '1 file' : `${filesFailed} files`
    terminal.note(
      `splice: ${count} could not be had, ${failed?.key ?? ''} first: ${failed?.error?.message ?? ''}. Sync again to try again.`
    )
    return exitCode.failure
  }
  return rows.rejected > 0 ? exitCode.rejectedRows : exitCode.done
}
