/** A run that files are made of: what it was asked, what it gave, and what the history says of it, where it is kept. */
import type { KeptRun } from '../contract/history.ts'
import type { RunRequest, RunResult } from '../contract/run.ts'

export type ExportedRun = {
  request: RunRequest
  result: RunResult
  /** Null for a run that is not in the history. */
  kept: KeptRun | null
}

/** The beginning of a run's file names: its name or prompt, in plain letters. */
export function fileStem({ kept, result }: Pick<ExportedRun, 'kept' | 'result'>): string {
  const text = kept?.name ?? kept?.prompt ?? result.tokens.map(token => (token.special ? '' : token.text)).join('')
  const plain = text
    .normalize('NFKD')
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '')
    .toLowerCase()
  return `splice-${plain === '' ? 'run' : plain}`
}

/** The run as a JSON file: what the history holds, with the version of this form. */
export function runJson({ request, result, kept }: ExportedRun): string {
  return `${JSON.stringify({ splice: { run: 1 }, kept, request, result }, null, 1)}\n`
}
