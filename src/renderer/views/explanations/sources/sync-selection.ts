/** What a person named to be synced, as the engine is asked. */
import type { SyncSelection } from '../../../../contract/sync.ts'

/** Names in a text, each once; lines, spaces and commas part them. */
export function sourceNames(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))]
}

/** A source's name without its model and layer, as releases are called. */
export function releaseName(source: string): string {
  return source.slice(source.indexOf('/') + 1).replace(/^\d+-/, '')
}

/** The selection, or in words what is missing of it. */
export function selectionOf(
  kind: SyncSelection['kind'],
  { named, model, release }: { readonly named: string; readonly model: string; readonly release: string }
): SyncSelection | string {
  if (kind === 'all') return { kind }
  if (kind === 'model') {
    if (model.trim() === '') return 'Name a model.'
    return { kind, model: model.trim(), ...(release.trim() && { release: release.trim() }) }
  }
  const sources = sourceNames(named)
  if (sources.length === 0) return 'Choose or name a source.'
  const wrong = sources.find(name => !/^[^/]+\/[^/]+$/.test(name))
  return wrong === undefined
    ? { kind, sources }
    : `“${wrong}” names no source: write model/source, such as gemma-2-2b/20-gemmascope-res-16k.`
}
