/** Search hits as tab-separated values. */
import type { SearchHit } from '../../../../contract/explanations.ts'
import { toTsv } from '../../../components/tsv.ts'

/** One row per hit, in the order found: model, source, feature index, explanation in full, explainer, type, id. */
export function hitsTsv(hits: readonly SearchHit[]): string {
  return toTsv(
    ['model', 'source', 'feature', 'explanation', 'explainer', 'type', 'id'],
    hits.map(hit => [hit.model, hit.layer, String(hit.index), hit.description, hit.explainer ?? '', hit.type ?? '', hit.id])
  )
}
