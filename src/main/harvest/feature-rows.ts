/** Tallies as rows of Neuronpedia's bulk files, one for each feature: what the mirror imports. */
import type { Example, FeatureTally } from './sae-tally.ts'
import { binCount } from './tally-shape.ts'

/** A row, by Neuronpedia's field names. */
export interface FeatureRow {
  readonly modelId: string
  readonly layer: string
  readonly index: string
  readonly maxActApprox: number
  readonly frac_nonzero: number
  readonly freq_hist_data_bar_heights: number[]
  /** Middles of the bins. */
  readonly freq_hist_data_bar_values: number[]
  readonly activations: { tokens: string[]; values: number[]; maxValue: number; maxValueTokenIndex: number }[]
}

/** Nine digits tell every float32 from its neighbours. */
function float32Digits(value: number): number {
  return value === 0 ? 0 : Number(value.toPrecision(9))
}

function activationOf({ ids, activations, at, value }: Example, textOf: (id: number) => string): FeatureRow['activations'][number] {
  return {
    tokens: Array.from(ids, textOf),
    values: Array.from(activations, float32Digits),
    maxValue: float32Digits(value),
    maxValueTokenIndex: at
  }
}

/** Examples of a feature, each once: the strongest ones, then those of its intervals, the upper ones first. */
function examplesOf({ top, intervals }: FeatureTally): Example[] {
  const isTop = new Set(top.map(({ place }) => place))
  const others = intervals.flat().filter(({ place }) => !isTop.has(place))
  return [...top, ...others.sort((a, b) => b.value - a.value || a.hash - b.hash || a.place - b.place)]
}

/** The row of a feature; `tally` is null where it never fired. `counted` tokens count. */
export function featureRow(
  { source, index }: { readonly source: string; readonly index: number },
  tally: FeatureTally | null,
  counted: number,
  textOf: (id: number) => string
): FeatureRow {
  const slash = source.indexOf('/')
  const width = tally === null ? 1 : 2 ** tally.exponent
  // All bins up to the maximum's.
  const bins = tally === null ? [] : [...tally.bins.subarray(0, Math.min(binCount, Math.floor(tally.maximum / width) + 1))]
  return {
    modelId: source.slice(0, slash),
    layer: source.slice(slash + 1),
    index: String(index),
    maxActApprox: float32Digits(tally?.maximum ?? 0),
    frac_nonzero: counted === 0 ? 0 : (tally?.count ?? 0) / counted,
    freq_hist_data_bar_heights: bins,
    freq_hist_data_bar_values: bins.map((_, at) => (at + 0.5) * width),
    activations: tally === null ? [] : examplesOf(tally).map(example => activationOf(example, textOf))
  }
}
