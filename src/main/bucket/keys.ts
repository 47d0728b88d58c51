/** Keys of the bucket: `v1/<model>/<source>/{explanations,features,activations}/batch-N.jsonl.gz`. */

export const kinds = ['explanations', 'features', 'activations'] as const
export type Kind = (typeof kinds)[number]

export interface BatchKey {
  readonly model: string
  readonly source: string
  readonly kind: Kind
  readonly batch: number
}

/** A name as it may stand in a key: one that would lead out of a folder is none. */
export function isName(text: string): boolean {
  return /^[\w][\w.@+ -]*$/.test(text) && !text.includes('..')
}

/** What a key is of; null where it is no batch. */
export function readKey(key: string): BatchKey | null {
  const [, model = '', source = '', kind, batch] = /^v1\/([^/]+)\/([^/]+)\/([^/]+)\/batch-(\d{1,9})\.jsonl\.gz$/.exec(key) ?? []
  const known = kinds.find(one => one === kind)
  return known !== undefined && isName(model) && isName(source) ? { model, source, kind: known, batch: Number(batch) } : null
}

/** What the keys of a source's batches begin with. */
export function prefixOf(model: string, source: string, kind: Kind): string {
  return `v1/${model}/${source}/${kind}/`
}

/** What a mirror remembers a key by, whatever address it came from. */
export function addressOf(key: string): string {
  return `neuronpedia-datasets/${key}`
}
