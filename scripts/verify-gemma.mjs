/**
 * `npm run verify:gemma -- --model DIR --sae PATH`: the figures that a notebook of TransformerLens and SAELens shows for gemma-2-2b with
 * layer_20/width_16k/average_l0_71, against Splice on the same weights. docs/verify-gemma.md says where they are from.
 *   --ball-prompt TEXT   the ball story, where the notebook's words are known better
 *   --figures FILE       other figures, in the form of verify-gemma.json beside this file
 *   --json               prints {within, figures: [{what, expected, measured, within}]}
 * Exit code 0 where all are within 1%, 1 where one is not, 2 for a mistake in the arguments or files.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { runOnProjectNode } from './project-node.mjs'

runOnProjectNode(fileURLToPath(new URL('..', import.meta.url)), import.meta.url)
const { createEngine } = await import('../src/main/engine/engine.ts')
const { errorDataOf, errorLine, exitCodeOf } = await import('../src/main/cli/exit.ts')
const { SpliceError } = await import('../src/contract/errors.ts')

/** Largest share of a figure by which the measured one may differ. */
const tolerance = 0.01

const figuresSchema = z.object({
  ball: z.object({
    prompt: z.string(),
    answers: z.array(z.object({ token: z.string(), probability: z.number().optional(), logit: z.number().optional() }))
  }),
  scratchpad: z.object({
    prompt: z.string(),
    tokens: z.int(),
    features: z.array(z.object({ token: z.string(), feature: z.int(), activation: z.number() }))
  })
})

function refuse(message, hint, field) {
  throw new SpliceError('verify/usage', message, { hint, field })
}

function readOptions() {
  const names = { model: 'string', sae: 'string', 'ball-prompt': 'string', figures: 'string', json: 'boolean' }
  const options = Object.fromEntries(Object.entries(names).map(([name, type]) => [name, { type }]))
  let values
  try {
    ;({ values } = parseArgs({ options, strict: true, allowPositionals: false }))
  } catch (thrown) {
    return refuse(
      thrown.message,
      `Options: ${Object.keys(names)
        .map(name => `--${name}`)
        .join(', ')}.`
    )
  }
  if (!values.model) refuse('no model is given', 'Add --model DIR, the folder of google/gemma-2-2b.', '--model')
  if (!values.sae) refuse('no SAE is given', 'Add --sae PATH, layer_20/width_16k/average_l0_71 of google/gemma-scope-2b-pt-res.', '--sae')
  return values
}

function readFigures(file) {
  let value
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (thrown) {
    refuse(`${file} cannot be read: ${thrown.message}`, 'Name a JSON file in the form of scripts/verify-gemma.json.', '--figures')
  }
  const parsed = figuresSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  return refuse(`${file}: ${issue?.path.join('.')} ${issue?.message}`, 'Its form is that of scripts/verify-gemma.json.', '--figures')
}

/** A figure beside what was measured; numbers agree within the tolerance, anything else exactly. `measured` is null where there is none. */
function figure(what, expected, measured) {
  const near =
    typeof expected === 'number' && typeof measured === 'number' && Math.abs(measured - expected) <= tolerance * Math.abs(expected)
  return { what, expected, measured, within: near || measured === expected }
}

/** Counts and ids agree or do not. */
function exact(what, expected, measured) {
  return { what, expected, measured, within: measured === expected }
}

async function run(client, request) {
  for await (const event of await client.runs.run(request)) {
    if (event.type === 'result') return event.result
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${event.stage} ${Math.round(100 * event.fraction)}%`)
  }
  throw new Error('the run ended without a result')
}

const clean = [{ name: 'clean', splices: [] }]

async function ballFigures(client, model, { prompt, answers }) {
  // As the notebook loads it: HookedSAETransformer.from_pretrained.
  const result = await run(client, { model, prompt: { text: prompt }, variants: clean, processing: 'all', topK: 1000, topFeatures: 0 })
  const predicted = result.variants[0].topK.at(-1)
  return answers.flatMap(({ token, probability, logit }) => {
    const found = predicted.find(({ text }) => text === token)
    const share = found === undefined ? null : Math.exp(Number(found.logProb))
    return [
      ...(probability === undefined ? [] : [figure(`ball story: probability of ${JSON.stringify(token)}`, probability, share)]),
      ...(logit === undefined
        ? []
        : [figure(`ball story: logit of ${JSON.stringify(token)}`, logit, found === undefined ? null : Number(found.logit))])
    ]
  })
}

async function scratchpadFigures(client, model, sae, { prompt, tokens, features }) {
  const saes = [{ name: 'sae1', path: sae }]
  const result = await run(client, { model, saes, prompt: { text: prompt }, variants: clean, processing: 'all', topK: 1, topFeatures: 1 })
  const readings = result.saes[0].byVariant.clean.features
  return [
    exact('scratchpad: tokens', tokens, result.tokens.length),
    ...features.flatMap(({ token, feature, activation }) => {
      const position = result.tokens.findIndex(({ text }) => text.trim() === token.trim())
      const top = readings[position]?.[0]
      return [
        exact(`scratchpad: strongest feature on ${JSON.stringify(token)}`, feature, top?.index ?? null),
        figure(`scratchpad: its activation`, activation, top === undefined ? null : Number(top.activation))
      ]
    })
  ]
}

function text(figures) {
  const shown = value => (value === null ? 'not there' : Number.isInteger(value) ? String(value) : Number(value).toPrecision(5))
  const rows = figures.map(({ what, expected, measured, within }) => {
    const share = typeof measured === 'number' && !Number.isInteger(expected) ? `${(100 * (measured / expected - 1)).toFixed(2)}%` : ''
    return [within ? 'ok' : 'OFF', what, shown(expected), shown(measured), share]
  })
  const all = [['', 'figure', 'notebook', 'Splice', 'off by'], ...rows]
  const widths = all[0].map((_, column) => Math.max(...all.map(row => row[column].length)))
  return all
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

async function verify() {
  const options = readOptions()
  const figures = readFigures(options.figures ?? fileURLToPath(new URL('verify-gemma.json', import.meta.url)))
  const ball = { ...figures.ball, prompt: options['ball-prompt'] ?? figures.ball.prompt }
  const home = mkdtempSync(join(tmpdir(), 'splice-verify-'))
  try {
    const engine = await createEngine({ home })
    try {
      const [model, sae] = [resolve(options.model), resolve(options.sae)]
      const compared = [
        ...(await ballFigures(engine.client, model, ball)),
        ...(await scratchpadFigures(engine.client, model, sae, figures.scratchpad))
      ]
      const within = compared.every(one => one.within)
      if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
      console.log(options.json ? JSON.stringify({ within, figures: compared }) : text(compared))
      return within ? 0 : 1
    } finally {
      await engine.close()
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

try {
  process.exitCode = await verify()
} catch (thrown) {
  const error = errorDataOf(thrown)
  console.error(errorLine(error))
  process.exitCode = exitCodeOf(error)
}
