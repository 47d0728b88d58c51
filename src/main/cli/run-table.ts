/** A run's result as text for people: a row per token, then the summary numbers. */

import { fromMaybeNumber, type MaybeNumber } from '../../contract/numbers.ts'
import type { RunResult, SaeReading, SaeResult, VariantResult } from '../../contract/run.ts'
import { aligned } from './aligned.ts'

/** Most features written in a cell; the JSON has them all. */
const featuresPerCell = 2
/** Most features in the list of meanings. */
const meaningsShown = 20

/** The whole text, ending in a line feed. Log-probs and KL are in nats. */
export function runTable(result: RunResult): string {
  const parts = [heading(result), tokenTable(result), variantTable(result), saeTable(result), meanings(result)]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

function heading(result: RunResult): string {
  const { load, compile, run } = result.milliseconds
  const milliseconds = `load ${load.toFixed(0)} ms, compile ${compile.toFixed(0)} ms, run ${run.toFixed(0)} ms`
  const processing = result.processing.length === 0 ? 'no processing' : result.processing.join(', ')
  const bos = result.bosAdded ? ', BOS added' : ''
  return [
    `${result.model.name}  ${result.tokens.length} tokens${bos}  ${processing} (${result.processingReason})`,
    `${result.provider}${result.precision === 'fp16' ? ' in float16' : ''}  ${milliseconds}`,
    ...result.saes.map(saeLine)
  ].join('\n')
}

/** Which factors are in force, by where they are from. */
const factorOrigins = { file: 'from its config', release: 'from its release', chosen: 'chosen' }

/** An SAE, where it is spliced in, and what is in force with it. */
export function saeLine({
  name,
  path,
  hook,
  hookOut,
  source,
  normFactor
}: Pick<SaeResult, 'name' | 'path' | 'hook' | 'hookOut' | 'source' | 'normFactor'>): string {
  const out = hookOut === null ? '' : ` to ${hookOut}`
  const factor = normFactor === null ? '' : `, input times ${Number(normFactor.value.toPrecision(6))} (${factorOrigins[normFactor.from]})`
  return `${name} = ${path} at ${hook}${out}${source === null ? '' : `, source ${source}`}${factor}`
}

function tokenTable(result: RunResult): string {
  const header = [
    'pos',
    'token',
    ...result.variants.map(variant => `log-p ${variant.name}`),
    ...result.comparison.map(other => `KL ${other.variant}`),
    ...result.saes.map(sae => `features ${sae.name}`)
  ]
  const rows = result.tokens.map((token, at) => [
    String(at),
    visible(token.text),
    ...result.variants.map(variant => fixed(variant.logProbs[at] ?? null)),
    ...result.comparison.map(other => fixed(other.klDivergence[at] ?? null)),
    ...result.saes.map(sae => featureCell(sae, result.variants, at))
  ])
  return aligned([header, ...rows], new Set([1, ...result.saes.map((_, at) => header.length - 1 - at)]))
}

function featureCell(sae: SaeResult, variants: readonly VariantResult[], position: number): string {
  const features = firstReading(sae, variants)?.features[position] ?? []
  return features
    .slice(0, featuresPerCell)
    .map(feature => `${feature.index}:${fixed(feature.activation, 2)}`)
    .join(' ')
}

function variantTable(result: RunResult): string {
  const rows = result.variants.map(variant => {
    const comparison = result.comparison.find(other => other.variant === variant.name)
    const last = variant.topK.at(-1)?.[0]
    const next = last === undefined ? '' : `${visible(last.text)} ${percent(last.logProb)}`
    return [variant.name, fixed(variant.loss), signed(comparison?.lossIncrease ?? null), fixed(comparison?.meanKl ?? null), next]
  })
  return aligned([['variant', 'loss', 'increase', 'mean KL', 'next token'], ...rows], new Set([0, 4]))
}

function saeTable(result: RunResult): string {
  if (result.saes.length === 0) return ''
  const rows = result.saes.flatMap(sae =>
    Object.entries(sae.byVariant).map(([variant, reading]) => [
      sae.name,
      variant,
      fixed(reading.l0, 1),
      fixed(reading.mse),
      fixed(reading.explainedVariance),
      fixed(reading.cosineSimilarity),
      String(reading.positions)
    ])
  )
  return aligned([['SAE', 'variant', 'L0', 'MSE', 'explained variance', 'cosine', 'positions'], ...rows], new Set([0, 1]))
}

function meanings(result: RunResult): string {
  const lines = new Map<string, string>()
  for (const sae of result.saes) {
    for (const feature of (firstReading(sae, result.variants)?.features ?? []).flatMap(features => features.slice(0, featuresPerCell))) {
      const said = feature.explanations.map(explanation => explanation.description.trim()).join(' | ')
      if (said !== '') lines.set(`${sae.name} ${feature.index}`, said)
    }
  }
  const shown = [...lines].slice(0, meaningsShown).map(([feature, said]) => [feature, said])
  if (shown.length === 0) return ''
  const more = lines.size > shown.length ? `\nand ${lines.size - shown.length} more; --json has all` : ''
  return `${aligned(shown, new Set([0, 1]))}${more}`
}

/** The reading of the variant that comes first: `clean`, unless the person left it out. */
function firstReading(sae: SaeResult, variants: readonly VariantResult[]): SaeReading | undefined {
  const first = variants[0]
  return first === undefined ? undefined : sae.byVariant[first.name]
}

/** A token's text on one line: quotes show its spaces, line feeds are escaped. */
export function visible(text: string): string {
  return JSON.stringify(text)
}

/** A number with so many decimals; a dash where there is none, a name where it is not finite. */
export function fixed(value: MaybeNumber, digits = 3): string {
  if (value === null) return '-'
  if (typeof value !== 'number') return value
  const text = value.toFixed(digits)
  // No "-0.000": a sign would say that there is something.
  return Number(text) === 0 ? text.replace('-', '') : text
}

/** The same with its sign. */
export function signed(value: MaybeNumber, digits = 3): string {
  const text = fixed(value, digits)
  return Number(text) > 0 ? `+${text}` : text
}

/** A probability in per cent. */
export function percent(logProb: MaybeNumber): string {
  const value = fromMaybeNumber(logProb)
  return value === null ? '-' : `${(100 * Math.exp(value)).toFixed(1)}%`
}
