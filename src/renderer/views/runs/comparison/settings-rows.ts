/** The settings of several runs side by side: what differs, and what is the same in all. */
import type { Variant } from '../../../../contract/run.ts'
import { editsInWords, positionsInWords } from '../../../state/edit-words.ts'
import { type ComparedRun, saeKey } from './compared-run.ts'

export type SettingRow = { name: string; values: (string | null)[]; differs: boolean }

const variantOf = ({ variants }: ComparedRun['request'], name: string): Partial<Variant> =>
  variants.find(variant => variant.name === name) ?? {}
const hasEdits = ({ request, variant }: ComparedRun) => editsInWords(variantOf(request, variant)) !== null

/** One row per setting, in the order in which a run is made; a value is null where a run has no such setting. */
export function settingRows(runs: readonly ComparedRun[]): SettingRow[] {
  const row = (name: string, textOf: (run: ComparedRun) => string | null): SettingRow => {
    const values = runs.map(textOf)
    return { name, values, differs: new Set(values).size > 1 }
  }
  const keys = [...new Set(runs.flatMap(run => run.result.saes.map(sae => saeKey(run, sae))))]
  const saes = keys.map(key =>
    row('SAE', run => {
      const sae = run.result.saes.find(candidate => saeKey(run, candidate) === key)
      if (sae === undefined) return null
      const factor = sae.normFactor === null ? '' : `, input scaled by ${sae.normFactor.value}`
      return `${key}${sae.hookOut === null ? '' : ` to ${sae.hookOut}`}${factor}`
    })
  )
  return [
    row('model', ({ result }) => result.model.name),
    row('model folder', ({ result }) => result.model.path),
    ...saes,
    row('prompt', ({ kept }) => kept.prompt),
    row('tokens', ({ result }) => `${result.tokens.length}${result.bosAdded ? ', BOS added' : ''}`),
    row('processing', ({ result }) => result.processing.join(', ') || 'none'),
    row('layer order', ({ result }) => result.layerOrder),
    row('variant', ({ variant }) => variant),
    row('its splices', ({ request, variant }) => {
      const splices = variantOf(request, variant).splices ?? []
      if (splices.length === 0) return 'none'
      return splices
        .map(({ sae, errorTerm, positions }) => `${sae}${errorTerm ? ' + error' : ''} at ${positionsInWords(positions)}`)
        .join('; ')
    }),
    ...(runs.some(hasEdits) ? [row('its edits', ({ request, variant }) => editsInWords(variantOf(request, variant)) ?? 'none')] : []),
    row('metrics over', ({ request }) => (request.metricPositions === 'all' ? 'all tokens' : 'all but special tokens')),
    row('provider', ({ result }) => (result.precision === 'fp16' ? `${result.provider}, matrices in float16` : result.provider)),
    row('Splice', ({ kept }) => kept.version)
  ]
}
