/** A run in a comparison: which of its variants stands for it. */
import type { OpenedRun } from '../../../../contract/history.ts'
import type { SaeResult } from '../../../../contract/run.ts'

export type ComparedRun = OpenedRun & { variant: string }

/** The variant that stands for a run at first: the first with a splice, else the first. */
export function firstVariant({ request, result }: Pick<OpenedRun, 'request' | 'result'>): string {
  const spliced = request.variants.find(({ splices }) => splices.length > 0)
  return spliced?.name ?? result.variants[0]?.name ?? ''
}

/** How an SAE is called across runs: by what the history calls it, and its hook point. */
export function saeKey({ kept }: Pick<OpenedRun, 'kept'>, { name, hook }: Pick<SaeResult, 'name' | 'hook'>): string {
  const label = kept.saes.find(sae => sae.name === name)?.label ?? name
  return `${label} at ${hook}`
}
