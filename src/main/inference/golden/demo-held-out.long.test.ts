/**
 * The demo's SAEs on the 32,512 held-out tokens that report.json was measured on by the PyTorch program that trained them
 * (tools/demo-model/train_saes.py, `evaluate`). There BOS alone is left out of the metrics, and every prediction counts in losses.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { evaluateHere } from '../../engine/evaluation-fixture.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const demo = path.join(root, 'resources/demo')
const bos = 2

vi.setConfig({ testTimeout: 600_000 })

const { saes } = z
  .object({
    saes: z.record(
      z.string(),
      z.object({
        folder: z.string(),
        tokens: z.int(),
        l0: z.number(),
        explained_variance: z.number(),
        ce_clean: z.number(),
        ce_spliced: z.number(),
        ce_spliced_including_bos: z.number(),
        ce_zero_ablated: z.number(),
        ce_recovered: z.number(),
        dead_fraction: z.number()
      })
    )
  })
  .parse(JSON.parse(await fs.readFile(path.join(demo, 'report.json'), 'utf8')))

/** Equal as far as the report is rounded. */
function expectRounded(name: string, actual: unknown, expected: number, decimals: number): void {
  expect(Math.abs(Number(actual) - expected), `${name}: ${actual} for ${expected}`).toBeLessThanOrEqual(0.6 * 10 ** -decimals)
}

describe('report.json', () => {
  test('has five SAEs', () => expect(Object.keys(saes)).toHaveLength(5))

  test.each(Object.entries(saes))('%s', async (_name, expected) => {
    const request = {
      model: path.join(demo, 'model'),
      sae: { name: 'sae', path: path.join(demo, expected.folder) },
      corpus: { kind: 'ids', file: path.join(root, 'fixtures/demo-held-out.json') },
      specialIds: [bos],
      processing: 'none',
      positions: 'no-special'
    }
    const withoutBos = await evaluateHere(request)
    expect([withoutBos.tokens, withoutBos.positions, withoutBos.sequences]).toEqual([256 * 128, expected.tokens, 256])
    expectRounded('L0', withoutBos.l0, expected.l0, 2)
    expectRounded('explained variance', withoutBos.explainedVariance, expected.explained_variance, 4)
    expectRounded('dead', 1 - withoutBos.features.fired / withoutBos.features.total, expected.dead_fraction, 4)
    const whole = await evaluateHere({ ...request, countSpecial: true })
    expect(whole.predictions).toBe(256 * 127)
    expectRounded('clean', whole.ceClean, expected.ce_clean, 4)
    expectRounded('spliced', whole.ceSpliced, expected.ce_spliced, 4)
    expectRounded('spliced with BOS', whole.saelens.all_tokens.ce_loss_with_sae, expected.ce_spliced_including_bos, 4)
    expectRounded('zero ablated', whole.ceZeroAblated, expected.ce_zero_ablated, 4)
    expectRounded('recovered', whole.ceScore, expected.ce_recovered, 4)
  })
})
