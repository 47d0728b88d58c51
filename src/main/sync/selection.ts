/** Which sources of the bucket a sync means. */
import { SpliceError } from '../../contract/errors.ts'
import type { SyncSelection } from '../../contract/sync.ts'
import { isName } from '../bucket/keys.ts'
import { type ListingOptions, listPages } from '../bucket/listing.ts'
import { partsOfLayer } from '../explanations/layer-name.ts'

/** Names below a prefix, a level deep. */
async function namesBelow(prefix: string, options: ListingOptions): Promise<string[]> {
  const names: string[] = []
  for await (const page of listPages(prefix, '/', options)) {
    for (const below of page.prefixes) {
      const name = below.slice(prefix.length).replace(/\/$/, '')
      if (below.startsWith(prefix) && isName(name)) names.push(name)
    }
  }
  return names
}

/** The models that the bucket has files of. Throws `sync/...`. */
export function listModels(options: ListingOptions): Promise<string[]> {
  return namesBelow('v1/', options)
}

/** The sources of a model, by their names within it. Throws `sync/...`. */
export function listSources(model: string, options: ListingOptions): Promise<string[]> {
  return isName(model) ? namesBelow(`v1/${model}/`, options) : Promise.resolve([])
}

function nothing(message: string, field: string): SpliceError {
  return new SpliceError('sync/nothing', message, { field, hint: "Names are Neuronpedia's, e.g. gemma-2-2b and 20-gemmascope-res-16k." })
}

/**
 * The sources that a selection means, `modelId/layer`. Whether those that were named are there is seen when their files are listed.
 * Throws `sync/nothing` where there are none.
 */
export async function chooseSources(selection: SyncSelection, options: ListingOptions): Promise<string[]> {
  if (selection.kind === 'sources') {
    const wrong = selection.sources.find(source => !source.split('/').every(isName))
    if (wrong !== undefined) throw nothing(`${wrong} is no source`, 'sources')
    return [...new Set(selection.sources)]
  }
  if (selection.kind === 'all') {
    const models = await listModels(options)
    const sources: string[] = []
    for (const model of models) sources.push(...(await listSources(model, options)).map(source => `${model}/${source}`))
    if (sources.length === 0) throw nothing('the bucket has no sources', 'endpoint')
    return sources
  }
  const { model, release } = selection
  const all = await listSources(model, options)
  if (all.length === 0) throw nothing(`the bucket has no model ${model}`, 'model')
  const chosen = release === undefined ? all : all.filter(source => partsOfLayer(source).release === release)
  if (chosen.length > 0) return chosen.map(source => `${model}/${source}`)
  const releases = [...new Set(all.map(source => partsOfLayer(source).release))]
  throw nothing(
    `${model} has no release ${release}; it has ${releases.slice(0, 5).join(', ')}${releases.length > 5 ? ', …' : ''}`,
    'release'
  )
}
