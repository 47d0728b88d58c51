/** `splice download`: an SAE by its release, or files of a repository, from the Hugging Face hub. */
import { relative } from 'node:path'
import { type Download, type DownloadRequest, repositoryName, revisionName } from '../../contract/downloads.ts'
import { SpliceError } from '../../contract/errors.ts'
import type { Engine } from '../engine/engine.ts'
import { type Grammar, mistake, quoted, readArguments, readDb } from './arguments.ts'
import { formatBytes } from './bytes.ts'
import { exitCode } from './exit.ts'
import type { Terminal } from './terminal.ts'
import { withEngine } from './with-engine.ts'

export const downloadGrammar: Grammar = {
  command: 'download',
  flags: ['json'],
  values: ['release', 'sae-id', 'db'],
  lists: [],
  operand: 'REPO',
  operands: 'any'
}

/** Runs the command. Throws what went wrong; then what was fetched is gone on with the next time. */
export async function download(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(argv, downloadGrammar)
  const request = readDownloadRequest(args.operands, args.values.get('release'), args.values.get('sae-id'))
  const started = performance.now()
  const done = await withEngine({ db: readDb(args), explains: false }, client => downloaded(client, request, terminal))
  const seconds = (performance.now() - started) / 1000
  await terminal.print(args.flags.has('json') ? `${JSON.stringify(jsonOf(done, seconds))}\n` : sentenceOf(done, seconds))
  return exitCode.done
}

/** What the arguments mean. Throws `cli/usage`. */
export function readDownloadRequest(
  operands: readonly string[],
  release: string | undefined,
  saeId: string | undefined
): Extract<DownloadRequest, { kind: 'sae' }> | Extract<DownloadRequest, { kind: 'repository' }> {
  const [named, ...patterns] = operands
  if (release !== undefined || saeId !== undefined) {
    if (named !== undefined)
      throw mistake(named, `--release and ${quoted(named)} are both given.`, 'Name the SAE by its release, or a repository.')
    if (release === undefined || release === '')
      throw mistake('--release', '--sae-id needs --release.', 'splice releases lists the releases.')
    if (saeId === undefined || saeId === '')
      throw mistake('--sae-id', '--release needs --sae-id.', `splice releases --json lists the ids of ${release}.`)
    return { kind: 'sae', release, saeId }
  }
  if (named === undefined) {
    throw mistake('REPO', 'splice download needs REPO, or --release and --sae-id.', 'Write e.g. splice download google/gemma-2-2b.')
  }
  const at = named.indexOf('@')
  const [repo, revision] = at === -1 ? [named, 'main'] : [named.slice(0, at), named.slice(at + 1)]
  if (!repositoryName.safeParse(repo).success) {
    throw mistake('REPO', `${quoted(repo)} is no repository of the hub.`, 'Write owner/name, e.g. google/gemma-2-2b.')
  }
  if (!revisionName.safeParse(revision).success) {
    throw mistake('REPO', `${quoted(revision)} is no branch, tag or commit.`, `Write ${repo}@main, or leave @ out.`)
  }
  if (patterns.includes('')) throw mistake('PATTERN', 'A PATTERN is empty.', "Write a path, a pattern, or '*' for everything.")
  return { kind: 'repository', repo, revision, patterns }
}

async function downloaded(client: Engine['client'], request: DownloadRequest, terminal: Terminal): Promise<Download> {
  const { id } = await client.downloads.start(request)
  const stop = () => void client.downloads.cancel({ id }).catch(() => undefined)
  terminal.signal.addEventListener('abort', stop, { once: true })
  for await (const list of await client.downloads.watch()) {
    const one = list.find(candidate => candidate.id === id)
    if (one === undefined || one.state === 'cancelled')
      throw new SpliceError('hub/cancelled', 'the download was cancelled', { mistake: false })
    if (one.state === 'failed' && one.error !== null) throw SpliceError.fromData(one.error)
    if (one.state === 'done') return one
    terminal.progress(progressOf(one))
  }
  throw new SpliceError('engine/no-result', 'The engine ended the download without a result.', { mistake: false })
}

function progressOf(one: Download): string {
  if (one.state === 'preparing') return `${one.repo}: asking the hub what it holds`
  const percent = one.totalBytes === 0 ? 0 : Math.floor((100 * one.doneBytes) / one.totalBytes)
  const speed = one.bytesPerSecond === null ? '' : `, ${formatBytes(one.bytesPerSecond)}/s`
  const file = one.files.find(candidate => candidate.state === 'running')?.path ?? ''
  return `${percent}% of ${formatBytes(one.totalBytes)}${speed}, ${one.filesDone} of ${one.fileCount} files ${file}`
}

function jsonOf(one: Download, seconds: number): object {
  const { repo, revision, commit, path, fileCount, totalBytes, fetchedBytes } = one
  return { repo, revision, commit, path, files: fileCount, totalBytes, fetchedBytes, seconds }
}

function sentenceOf(one: Download, seconds: number): string {
  const path = one.path ?? ''
  const shown = relative(process.cwd(), path).startsWith('..') ? path : relative(process.cwd(), path) || '.'
  const files = `${one.fileCount} ${one.fileCount === 1 ? 'file' : 'files'}, ${formatBytes(one.totalBytes)}`
  const how = one.fetchedBytes === 0 ? 'all there already' : `${formatBytes(one.fetchedBytes)} fetched in ${seconds.toFixed(1)} s`
  return `${shown}\n${files}, ${how}\n`
}
