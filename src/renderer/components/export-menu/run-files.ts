/** The files that a run is made into: each with a name, and made when it is asked for. */
import { featuresCsv, summaryCsv, tokensCsv, topKCsv } from '../../../export/csv.ts'
import type { KnownConfig } from '../../../export/python/model-loading.ts'
import { pythonScript, type TransformerLens } from '../../../export/python/script.ts'
import { type ExportedRun, fileStem, runJson } from '../../../export/run-export.ts'
import { chartColors } from '../../charts/chart-colors.ts'
import { positionPicture } from '../../charts/position-picture.ts'
import { positionSeries } from '../../charts/position-series.ts'
import { stripsPicture } from '../../charts/strips/strips-picture.ts'
import { client } from '../../state/connection.svelte.ts'
import { settings } from '../../state/settings.svelte.ts'
import { looksOf } from '../../state/shown-variants.ts'

export const runFiles = [
  'html',
  'json',
  'tokens.csv',
  'top-k.csv',
  'features.csv',
  'summary.csv',
  'strips.png',
  'strips.svg',
  'log-prob.png',
  'log-prob.svg'
] as const
export type RunFile = (typeof runFiles)[number]

const text = (content: string, type: string) => new Blob([content], { type: `${type};charset=utf-8` })

/** The config of a run's model; null where it is not on this disk any more. */
async function configOf({ result }: ExportedRun): Promise<KnownConfig> {
  try {
    return await client.library.modelConfig({ path: result.model.path })
  } catch {
    // A script and a report are made without it, too.
    return null
  }
}

/** The script that does a run again. */
export async function scriptOf(run: ExportedRun, library: TransformerLens): Promise<string> {
  return pythonScript(run, library, await configOf(run))
}

/** Makes a file of a run, pictures under the theme in force. */
export async function runFile(run: ExportedRun, kind: RunFile): Promise<{ name: string; content: Blob }> {
  const { result } = run
  const looks = looksOf(run.request)
  const name = `${fileStem(run)}${kind.includes('.') ? '-' : '.'}${kind}`
  const named = (content: Blob) => ({ name, content })
  switch (kind) {
    case 'json':
      return named(text(runJson(run), 'application/json'))
    case 'html': {
      const { reportHtml } = await import('../../report/report.ts')
      const { themeVariables } = await import('../../report/theme-variables.ts')
      const choices = { variables: themeVariables(), logProbScale: settings.values.logProbScale, config: await configOf(run) }
      return named(text(await reportHtml(run, choices), 'text/html'))
    }
    case 'tokens.csv':
      return named(text(tokensCsv(result), 'text/csv'))
    case 'top-k.csv':
      return named(text(topKCsv(result), 'text/csv'))
    case 'features.csv':
      return named(text(featuresCsv(result), 'text/csv'))
    case 'summary.csv':
      return named(text(summaryCsv(result), 'text/csv'))
    case 'strips.png':
      return named(await stripsPicture('png', result, looks))
    case 'strips.svg':
      return named(await stripsPicture('svg', result, looks))
    case 'log-prob.png':
    case 'log-prob.svg': {
      const { chartExport } = await import('../../charts/chart-picture.ts')
      const picture = chartExport(() => positionPicture(positionSeries(result, looks), chartColors()))
      return named(await (kind === 'log-prob.png' ? picture.png() : picture.svg()))
    }
  }
}
