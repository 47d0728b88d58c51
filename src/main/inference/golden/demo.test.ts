/** The demo's four prompts against report.json and reference.json, which its training program wrote. Rounded there to 4 or 5 decimals. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import { runAndSave, type Values, variantOf } from './golden-data.ts'

const demo = fileURLToPath(new URL('../../../../resources/demo', import.meta.url))
const readJson = async (name: string) => JSON.parse(await fs.readFile(path.join(demo, name), 'utf8'))

const predicted = z.object({ token: z.string(), logit: z.number(), prob: z.number() })
const report = z
  .object({
    prompts: z.record(
      z.string(),
      z.object({
        prompt: z.string(),
        tokens: z.array(z.string()),
        top_10_next: z.array(predicted),
        top_10_next_spliced: z.array(predicted),
        mean_log_prob_spliced_including_bos: z.number(),
        log_probs_clean: z.array(z.number()),
        log_probs_spliced: z.array(z.number())
      })
    ),
    top_5_features_per_token: z.record(
      z.string(),
      z.array(z.object({ position: z.int(), active: z.int(), features: z.array(z.object({ feature: z.int(), activation: z.number() })) }))
    )
  })
  .parse(await readJson('report.json'))

const reference = z
  .array(
    z.object({
      prompt: z.string(),
      ids: z.array(z.int()),
      position: z.int(),
      hooks: z.record(z.string(), z.object({ first_8: z.array(z.number()), norm: z.number() })),
      logits: z.object({ first_16: z.array(z.number()), norm: z.number(), argmax: z.int(), max: z.number() }),
      sae_latents: z.record(z.string(), z.array(z.tuple([z.int(), z.number()])))
    })
  )
  .parse(await readJson('reference.json'))

const l0 = (average: number) => path.join(demo, 'saes/demo-scope-res/layer_2/width_1k', `average_l0_${average}`)
const clean = { name: 'clean', splices: [] }
const base = { model: path.join(demo, 'model'), processing: [], layerOrder: 'checkpoint' as const }
const near = (what: string, actual: number | null | undefined, expected: number, tolerance: number) =>
  expect(Math.abs((actual ?? Number.NaN) - expected), `${what}: ${actual} for ${expected}`).toBeLessThanOrEqual(tolerance)

describe('report.json', () => {
  for (const [name, expected] of Object.entries(report.prompts)) {
    test(`${name}: tokens, log-probs clean and spliced, top 10, features`, async () => {
      const { result } = await runAndSave({
        ...base,
        saes: [{ name: 'l15', path: l0(15) }],
        prompt: { text: expected.prompt, prependBos: true },
        topFeatures: 1024,
        variants: [
          clean,
          { name: 'spliced', splices: [{ sae: 'l15', errorTerm: false, positions: 'no-special' }] },
          { name: 'with-bos', splices: [{ sae: 'l15', errorTerm: false, positions: 'all' }] }
        ]
      })
      const [ours, spliced, withBos] = result.variants
      expect(result.tokens.map(({ text }) => text)).toEqual(expected.tokens)
      expect(result.bosAdded).toBe(true)
      for (const [variant, logProbs, top] of [
        [ours, expected.log_probs_clean, expected.top_10_next],
        [spliced, expected.log_probs_spliced, expected.top_10_next_spliced]
      ] as const) {
        for (const [place, value] of logProbs.entries()) {
          near(`${variant?.name} token ${place + 1}`, fromMaybeNumber(variant?.logProbs[place + 1] ?? null), value, 1e-4)
        }
        const last = variant?.topK.at(-1) ?? []
        expect(last.map(({ text }) => text)).toEqual(top.map(({ token }) => token))
        for (const [place, { logit, prob }] of top.entries()) {
          near('logit', fromMaybeNumber(last[place]?.logit ?? null), logit, 2e-4)
          near('probability', Math.exp(fromMaybeNumber(last[place]?.logProb ?? null) ?? Number.NaN), prob, 1e-4)
        }
      }
      near('loss with BOS spliced', fromMaybeNumber(withBos?.loss ?? null), -expected.mean_log_prob_spliced_including_bos, 1e-4)

      const features = result.saes[0]?.byVariant.clean?.features ?? []
      for (const { position, active, features: strongest } of report.top_5_features_per_token[name] ?? []) {
        const here = features[position] ?? []
        expect(here, `active at ${position}`).toHaveLength(active)
        expect(here.slice(0, strongest.length).map(({ index }) => index)).toEqual(strongest.map(({ feature }) => feature))
        for (const [place, { activation }] of strongest.entries())
          near('activation', fromMaybeNumber(here[place]?.activation ?? null), activation, 2e-3)
      }
    })
  }
})

/** The row of a hook at a position. */
function rowAt(values: Values | undefined, position: number): Float32Array {
  if (values === undefined) throw new Error('the hook was not saved')
  const width = values.data.length / (values.shape[1] ?? 1)
  return values.data.subarray(position * width, (position + 1) * width)
}
const norm = (row: Float32Array) => Math.sqrt(row.reduce((sum, value) => sum + value * value, 0))

describe('reference.json', () => {
  for (const expected of reference) {
    test(`${expected.prompt.slice(0, 40)}: hooks, logits and latents at the last position`, async () => {
      const scope = Object.entries(expected.sae_latents)
      expect(scope).toHaveLength(5)
      const saes = scope.map(([folder], index) => ({ name: `sae${index}`, path: path.join(demo, folder) }))
      const { result, saved } = await runAndSave({
        ...base,
        saes,
        topFeatures: 1024,
        prompt: { text: expected.prompt, prependBos: true },
        variants: [clean]
      })
      expect(result.tokens.map(({ id }) => id)).toEqual(expected.ids)
      const ours = variantOf(saved, 'clean')
      for (const [hook, { first_8: first, norm: length }] of Object.entries(expected.hooks)) {
        const row = rowAt(ours.get(hook), expected.position)
        for (const [place, value] of first.entries()) near(`${hook}[${place}]`, row[place], value, 1e-4)
        near(`norm of ${hook}`, norm(row), length, 1e-4 * length)
      }
      const logits = rowAt(ours.get('logits'), expected.position)
      for (const [place, value] of expected.logits.first_16.entries()) near(`logit ${place}`, logits[place], value, 2e-4)
      near('norm of the logits', norm(logits), expected.logits.norm, 1e-4 * expected.logits.norm)
      expect(logits.indexOf(Math.max(...logits))).toBe(expected.logits.argmax)
      for (const [index, [folder, latents]] of scope.entries()) {
        const active = result.saes[index]?.byVariant.clean?.features[expected.position] ?? []
        expect(
          active.map(feature => feature.index).sort((a, b) => a - b),
          folder
        ).toEqual(latents.map(([latent]) => latent))
        for (const [latent, activation] of latents) {
          near(
            `${folder} ${latent}`,
            fromMaybeNumber(active.find(feature => feature.index === latent)?.activation ?? null),
            activation,
            5e-4
          )
        }
      }
    })
  }
})

test('a provider that this build does not have gives way to the CPU, and the result says so', async () => {
  const missing = process.platform === 'darwin' ? 'directml' : 'coreml'
  const { result } = await runAndSave({
    ...base,
    prompt: { text: 'Once upon a time', prependBos: true },
    variants: [clean],
    provider: missing
  })
  expect(result.provider).toBe('cpu')
  expect(result.providerReason).toContain(missing)
  expect(result.warnings[0]).toContain(`no ${missing}`)
})
