/**
 * A run as one HTML file that opens from the disk: no script, nothing from the network, both themes. Every text of the run is escaped.
 */
import type { RunRequest, RunResult, SaeResult, Token } from '../../contract/run.ts'
import type { KnownConfig } from '../../export/python/model-loading.ts'
import { pythonScript } from '../../export/python/script.ts'
import type { ExportedRun } from '../../export/run-export.ts'
import { positionSeries } from '../charts/position-series.ts'
import { differenceBound, strongestLogProb } from '../charts/scales.ts'
import { isNamed, tokenPieces } from '../components/token-pieces.ts'
import { editsInWords } from '../state/edit-words.ts'
import {
  finiteOrNull,
  formatActivation,
  formatDifference,
  formatMetric,
  formatNats,
  formatProbability,
  formatShare
} from '../state/numbers.ts'
import { shortVariantName } from '../state/run-name.ts'
import { looksOf, type ShownVariant } from '../state/shown-variants.ts'
import { klInto } from '../views/compare/prediction.ts'
import { differenceRow, largestValue, type StripRow, variantRow } from '../views/compare/strips.ts'
import { reportChart } from './chart-svg.ts'
import { Html, html } from './escape.ts'
import { reportStyle, scaleSteps, stepClass } from './report-style.ts'
import type { ThemeVariables } from './theme-variables.ts'

export type ReportChoices = {
  variables: ThemeVariables
  /** Whether full colour is a surprising token or an expected one. */
  logProbScale: 'surprise' | 'certainty'
  /** What is known of the model on this disk, for the scripts. */
  config: KnownConfig
}

/** How many predictions a position has in the report. */
const mostPredictions = 5

/** The report's text. */
export async function reportHtml(run: ExportedRun, choices: ReportChoices): Promise<string> {
  const { request, result, kept } = run
  const looks = looksOf(request)
  const title = kept?.name ?? (kept === null ? '' : kept.prompt.replaceAll(/\s+/g, ' ').slice(0, 120))
  const chart = new Html(await reportChart(positionSeries(result, looks)))
  const body = html`<header><h1>${title === '' ? 'A run of Splice' : title}</h1>${facts(run)}</header>
<h2>Summary</h2>${summary(result, looks)}
<h2>Tokens</h2>${strips(result, looks, choices)}
<h2>Log-prob and KL by position</h2><figure>${chart}<figcaption class="muted">nats; each as predicted at the position before</figcaption></figure>
<h2>Numbers</h2>${tokenTable(result)}${predictions(result)}${features(result)}
<h2>Done again in Python</h2>
<details><summary>TransformerLens 2 and SAELens 6</summary><pre>${pythonScript(run, 2, choices.config)}</pre></details>
<details><summary>TransformerLens 3 and SAELens 6</summary><pre>${pythonScript(run, 3, choices.config)}</pre></details>
<footer>${kept === null ? 'A run' : `Run ${kept.id}, ${new Date(kept.createdAt).toISOString().replace('T', ' ').slice(0, 16)} UTC,`} by Splice${kept === null ? '' : ` ${kept.version}`}. This file needs no network and runs no script.</footer>`
  // Nothing may be fetched or run, whatever the file comes to hold.
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
${html`<title>${title === '' ? 'A run of Splice' : title}</title>`.text}
<style>${reportStyle(choices.variables)}</style>
</head>
<body>
${body.text}
</body>
</html>
`
}

function facts({ request, result, kept }: ExportedRun): Html {
  const splices = request.variants.flatMap(variant => variant.splices)
  const positions = [
    ...new Set(splices.map(splice => (typeof splice.positions === 'string' ? splice.positions : JSON.stringify(splice.positions))))
  ]
  const rows: [name: string, value: string | Html][] = [
    ['model', html`${result.model.name} <span class="muted">${result.model.path}</span>`],
    ...result.saes.map((sae): [string, Html] => ['SAE', saeFact(sae)]),
    ['prompt', html`<span style="white-space:pre-wrap">${kept?.prompt ?? result.tokens.map(token => token.text).join('')}</span>`],
    ['tokens', `${result.tokens.length}${result.bosAdded ? ', BOS added' : ''}`],
    ['processing', `${result.processing.join(', ') || 'none'} (${result.processingReason})`],
    ['layer order', result.layerOrder],
    ...(positions.length > 0 ? [['splice positions', positions.join('; ')] as [string, string]] : []),
    ...request.variants.flatMap((variant): [string, Html][] => {
      const words = editsInWords(variant)
      return words === null ? [] : [['edits', html`${variant.name}: ${words}${inWhat(variant)}`]]
    }),
    ['metrics over', request.metricPositions === 'all' ? 'all tokens' : 'all but special tokens'],
    [
      'computed by',
      `ONNX Runtime, ${result.provider}, ${result.precision === 'fp16' ? 'matrices in float16, the rest in float32' : 'float32'}`
    ],
    ...(kept !== null && kept.tags.length > 0 ? [['tags', kept.tags.join(', ')] as [string, string]] : []),
    ...(kept !== null && kept.notes !== ''
      ? [['notes', html`<span class="text" style="white-space:pre-wrap">${kept.notes}</span>`] as [string, Html]]
      : [])
  ]
  return html`<dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`
}

/** In what the edits of a variant stand. */
function inWhat({ splices }: RunRequest['variants'][number]): string {
  if (splices.length === 0) return '; no SAE spliced in'
  return `; ${splices.map(({ sae, errorTerm }) => `${sae}${errorTerm ? ' + error' : ''}`).join(', ')} spliced in`
}

function saeFact({ name, hook, hookOut, path, source, release, normFactor }: SaeResult): Html {
  const known = release === null ? '' : `${release.name}, ${release.saeId}; `
  const factor = normFactor === null ? '' : `; input scaled by ${normFactor.value}`
  return html`${name} at ${hook}${hookOut === null ? '' : ` to ${hookOut}`} <span class="muted">${known}${source === null ? '' : `Neuronpedia ${source}; `}${path}${factor}</span>`
}

function swatch(look: ShownVariant | undefined): Html {
  const style = `border-top:3px ${look?.dashed ? 'dashed' : 'solid'} var(${look?.color ?? '--variant-clean'})`
  return html`<i style="${style};display:inline-block;width:12px;margin-right:6px;vertical-align:middle"></i>`
}

function summary(result: RunResult, looks: readonly ShownVariant[]): Html {
  const rows = result.variants.map(({ name, loss }) => {
    const against = result.comparison.find(({ variant }) => variant === name)
    const isClean = name === 'clean'
    return html`<tr><td>${swatch(looks.find(look => look.name === name))}${name}</td><td class="n">${formatNats(loss)}</td><td class="n">${isClean ? '' : formatDifference(against?.lossIncrease)}</td><td class="n">${isClean ? '' : formatNats(against?.meanKl)}</td></tr>`
  })
  const readings = result.saes.flatMap(sae =>
    Object.entries(sae.byVariant).map(
      ([variant, reading]) =>
        html`<tr><td>${sae.name}</td><td>${variant}</td><td class="n">${formatMetric(reading.l0)}</td><td class="n">${formatMetric(reading.mse)}</td><td class="n">${formatShare(reading.explainedVariance)}</td><td class="n">${formatNats(reading.cosineSimilarity)}</td><td class="n">${reading.positions}</td></tr>`
    )
  )
  const saes =
    readings.length === 0
      ? null
      : html`<h3>SAEs</h3><table><thead><tr><th>SAE</th><th>read in</th><th class="n">L0</th><th class="n">MSE</th><th class="n">explained variance</th><th class="n">cosine</th><th class="n">positions</th></tr></thead><tbody>${readings}</tbody></table>`
  return html`<table><thead><tr><th>variant</th><th class="n">loss, nats</th><th class="n">increase</th><th class="n">mean KL, nats</th></tr></thead><tbody>${rows}</tbody></table>${saes}`
}

function tokenHtml(text: string, special: boolean): Html {
  if (isNamed({ text, special })) return html`<small>${text}</small>`
  return html`${tokenPieces(text).map(piece => (piece.mark ? html`<span class="sign">${piece.text}</span>` : html`${piece.text}`))}`
}

function strips(result: RunResult, looks: readonly ShownVariant[], { logProbScale }: ReportChoices): Html {
  const compared = result.comparison.map(({ variant }) => variant).filter(name => name !== 'clean')
  const differences = compared.map(name => differenceRow(result, name, 'log-prob'))
  const bound = differenceBound(Math.max(0, ...differences.map(largestValue)))
  const surprise = (nats: number) => (logProbScale === 'surprise' ? nats / strongestLogProb : 1 - nats / strongestLogProb)
  const boxes = (row: StripRow, classOf: (value: number) => string, what: string) =>
    row.values.map((raw, position) => {
      const value = finiteOrNull(raw)
      const token = result.tokens[position]
      const hover = `${token === undefined ? 'next' : `position ${position}, id ${token.id}`}${value === null ? '' : `, ${what} ${formatNats(value)}`}`
      const text =
        token === undefined ? (row.kind === 'variant' ? tokenHtml(row.nextText, false) : html`next`) : tokenHtml(token.text, token.special)
      return html`<span${value === null ? null : html` class="${classOf(value)}"`} title="${hover}">${text}</span>`
    })
  const strip = (label: Html, content: readonly Html[], end: string) =>
    html`<div class="strip"><b>${label}</b><div class="boxes">${content}</div><span class="mono muted">${end}</span></div>`
  const own = result.variants.map(({ name, loss }) =>
    strip(
      html`${swatch(looks.find(look => look.name === name))}${shortVariantName(name)}`,
      boxes(variantRow(result, name), value => stepClass('p', surprise(value)), 'log-prob'),
      `loss ${formatNats(loss)}`
    )
  )
  const against = differences.map(row =>
    strip(
      html`<span class="muted">${shortVariantName(row.name)} − clean</span>`,
      boxes(row, value => stepClass('d', 0.5 + value / (2 * bound)), 'difference'),
      `mean KL ${formatNats(result.comparison.find(({ variant }) => variant === row.name)?.meanKl)}`
    )
  )
  const ramp = (scale: 'p' | 'd', reversed: boolean) =>
    html`<span class="ramp">${Array.from({ length: scaleSteps + 1 }, (_, step) => html`<i class="${scale}${reversed ? scaleSteps - step : step}"></i>`)}</span>`
  const legend = html`<p class="legend muted"><span>log-prob, nats <span class="mono">0</span>${ramp('p', logProbScale === 'certainty')}<span class="mono">≤ ${strongestLogProb}</span></span>${
    differences.length === 0
      ? null
      : html`<span>log-prob minus clean's, nats <span class="mono">${formatDifference(-bound)}</span>${ramp('d', false)}<span class="mono">${formatDifference(bound)}</span></span>`
  }</p>`
  return html`${own}${against}${legend}`
}

function tokenCell({ text, special }: Pick<Token, 'text' | 'special'>): Html {
  return html`<td class="token">${tokenHtml(text, special)}</td>`
}

function tokenTable(result: RunResult): Html {
  const compared = result.comparison.map(({ variant }) => variant).filter(name => name !== 'clean')
  const head = html`${result.variants.map(({ name }) => html`<th class="n">log-prob ${shortVariantName(name)}</th><th class="n">rank</th>`)}${compared.map(name => html`<th class="n">KL ${shortVariantName(name)}</th>`)}`
  const rows = result.tokens.map((token, i) => {
    const own = result.variants.map(
      ({ logProbs, ranks }) => html`<td class="n">${formatNats(logProbs[i])}</td><td class="n">${ranks[i] ?? '–'}</td>`
    )
    const kl = compared.map(name => html`<td class="n">${formatNats(klInto(result, name, i))}</td>`)
    return html`<tr><td class="n">${i}</td><td class="n">${token.id}</td>${tokenCell(token)}${own}${kl}</tr>`
  })
  return html`<details open><summary>Every token: log-probs, ranks and KL of the prediction that it was given by, nats</summary><div class="wide"><table><thead><tr><th class="n">pos</th><th class="n">id</th><th>token</th>${head}</tr></thead><tbody>${rows}</tbody></table></div></details>`
}

function predictions(result: RunResult): Html {
  const rows = result.tokens.map((token, i) => {
    const cells = result.variants.map(({ topK }) => {
      const guesses = (topK[i] ?? []).slice(0, mostPredictions)
      return html`<td>${guesses.map(({ text, logProb }, at) => html`${at === 0 ? '' : ', '}${tokenHtml(text, false)} <span class="muted">${formatProbability(logProb)}</span>`)}</td>`
    })
    return html`<tr><td class="n">${i}</td>${tokenCell(token)}${cells}</tr>`
  })
  const head = result.variants.map(({ name }) => html`<th>${shortVariantName(name)}</th>`)
  return html`<details><summary>What each position predicts: the first ${mostPredictions} guesses</summary><div class="wide"><table><thead><tr><th class="n">pos</th><th>after</th>${head}</tr></thead><tbody>${rows}</tbody></table></div></details>`
}

function features(result: RunResult): Html {
  const tables = result.saes.map(sae => {
    const [variant, reading] = Object.entries(sae.byVariant)[0] ?? []
    const rows = (reading?.features ?? []).flatMap((fired, i) =>
      fired.map(({ index, activation, explanations }, at) => {
        const token = result.tokens[i]
        const place = at > 0 || token === undefined ? html`<td></td><td></td>` : html`<td class="n">${i}</td>${tokenCell(token)}`
        return html`<tr>${place}<td class="n">${index}</td><td class="n">${formatActivation(activation)}</td><td class="text">${explanations.map(({ description }) => description).join(' · ')}</td></tr>`
      })
    )
    return html`<details><summary>Features of ${sae.name}${variant === undefined ? '' : ` as read in ${variant}`}, strongest first</summary><div class="wide"><table><thead><tr><th class="n">pos</th><th>token</th><th class="n">feature</th><th class="n">activation</th><th>explanations</th></tr></thead><tbody>${rows}</tbody></table></div></details>`
  })
  return html`${tables}`
}
