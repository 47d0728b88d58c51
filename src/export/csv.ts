/**
 * A run's numbers as CSV tables (RFC 4180), unrounded. Every line end in a cell is inside quotes, so that readers of the format
 * give tokens back as they were; pandas needs `keep_default_na=False` for tokens that read "NA" or "null".
 */
import { fromMaybeNumber, type MaybeNumber } from '../contract/numbers.ts'
import type { RunResult } from '../contract/run.ts'

type Cell = string | number | null

function cellText(cell: Cell): string {
  if (cell === null) return ''
  const text = String(cell)
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Rows as CSV. */
export function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map(row => `${row.map(cellText).join(',')}\r\n`).join('')
}

/** NaN and the infinities by the names that CSV readers know. */
function numberCell(value: MaybeNumber | undefined): Cell {
  if (value === 'Infinity') return 'inf'
  if (value === '-Infinity') return '-inf'
  return value ?? null
}

/**
 * A row per token: under each variant its log-prob (nats) and rank, and KL(clean || variant) of the prediction that it was given
 * by. The last row is what follows the prompt, of which only KL is known.
 */
export function tokensCsv({ tokens, variants, comparison }: RunResult): string {
  const compared = comparison.filter(({ variant }) => variant !== 'clean')
  const header = [
    ...['position', 'token_id', 'token', 'special'],
    ...variants.flatMap(({ name }) => [`log_prob ${name}`, `rank ${name}`]),
    ...compared.map(({ variant }) => `kl ${variant}`)
  ]
  const rows = Array.from({ length: tokens.length + 1 }, (_, i): Cell[] => {
    const token = tokens[i]
    return [
      ...[i, token?.id ?? null, token?.text ?? null, token === undefined ? null : Number(token.special)],
      ...variants.flatMap(({ logProbs, ranks }): Cell[] => [numberCell(logProbs[i]), ranks[i] ?? null]),
      ...compared.map(({ klDivergence }) => numberCell(klDivergence[i - 1]))
    ]
  })
  return toCsv(header, rows)
}

/** A row per predicted token: at which position, under which variant, its place (0 is best), logit, log-prob (nats), probability. */
export function topKCsv({ tokens, variants }: RunResult): string {
  const header = ['position', 'after_token', 'variant', 'place', 'token_id', 'token', 'logit', 'log_prob', 'probability']
  const rows = variants.flatMap(({ name, topK }) =>
    topK.flatMap((predicted, position) =>
      predicted.map(({ id, text, logit, logProb }, place): Cell[] => {
        const nats = fromMaybeNumber(logProb)
        const probability = nats === null || Number.isNaN(nats) ? null : Math.exp(nats)
        return [position, tokens[position]?.text ?? null, name, place, id, text, numberCell(logit), numberCell(logProb), probability]
      })
    )
  )
  return toCsv(header, rows)
}

/** A row per feature that fired: SAE, variant that it was read in, position, activation, known maximum, explanations joined by " | ". */
export function featuresCsv({ tokens, saes }: RunResult): string {
  const header = [
    ...['sae', 'hook', 'source', 'variant', 'position', 'token_id', 'token'],
    ...['feature', 'activation', 'max_activation', 'explanations']
  ]
  const rows = saes.flatMap(sae =>
    Object.entries(sae.byVariant).flatMap(([variant, { features }]) =>
      features.flatMap((fired, position) =>
        fired.map(({ index, activation, maxActivation, explanations }): Cell[] => [
          ...[sae.name, sae.hook, sae.source, variant, position, tokens[position]?.id ?? null, tokens[position]?.text ?? null],
          ...[index, numberCell(activation), maxActivation, explanations.map(({ description }) => description).join(' | ')]
        ])
      )
    )
  )
  return toCsv(header, rows)
}

/** A row per variant, and one per SAE and variant: the numbers of the run as a whole. */
export function summaryCsv({ variants, comparison, saes }: RunResult): string {
  const header = ['variant', 'loss', 'loss_increase', 'mean_kl', 'sae', 'l0', 'mse', 'explained_variance', 'cosine_similarity', 'positions']
  const rows = variants.flatMap(({ name, loss }): Cell[][] => {
    const against = comparison.find(({ variant }) => variant === name)
    const own = [name, numberCell(loss), numberCell(against?.lossIncrease), numberCell(against?.meanKl)]
    const readings = saes.flatMap(sae => {
      const reading = sae.byVariant[name]
      if (reading === undefined) return []
      const { l0, mse, explainedVariance, cosineSimilarity, positions } = reading
      return [[...own, sae.name, ...[l0, mse, explainedVariance, cosineSimilarity].map(numberCell), positions]]
    })
    return readings.length === 0 ? [[...own, null, null, null, null, null, null]] : readings
  })
  return toCsv(header, rows)
}
