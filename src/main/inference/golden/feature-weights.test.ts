/** What weights say of features, against the same worked out of the files' numbers in double precision. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readTensor } from '../../checkpoint/values.ts'
import { CompiledPlans } from '../compiled.ts'
import { readFeatureWeights } from '../feature-weights.ts'
import { OpenModels } from '../models.ts'
import { defaultBudget } from '../plan.ts'
import { golden } from './golden-data.ts'
import { membersOf, saeCase, saeIndex } from './sae-cases.ts'

let cacheFolder = ''
beforeAll(async () => {
  cacheFolder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-weights-'))
})
afterAll(() => fs.rm(cacheFolder, { recursive: true, force: true }))

const state = { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }

function jobSaeOf(id: string) {
  const [member] = membersOf(saeCase(id))
  if (member === undefined) throw new Error(`${id} is no single SAE`)
  return member
}

const weightsOf = (sae: string, feature: number, others: string[] = []) =>
  readFeatureWeights(
    {
      model: golden('models', saeCase(sae).model),
      sae: jobSaeOf(sae),
      feature,
      others: others.map(jobSaeOf),
      count: 5,
      cacheFolder
    },
    state,
    async () => undefined
  )

/** An SAE's W_dec rows and W_enc columns as plain numbers. */
async function matricesOf(id: string): Promise<{ decoder: number[][]; encoder: number[][] }> {
  const { name: _, path: saePath, ...options } = jobSaeOf(id)
  const { sae } = await state.models.sae(saePath, options, cacheFolder)
  const read = async (tensor: (typeof sae.weights)['decoder'], byColumn: boolean) => {
    const [rows = 0, columns = 0] = tensor.shape
    const data = await readTensor({ ...tensor, columnMajor: false })
    const at = (row: number, column: number) =>
      data[tensor.columnMajor === true ? column * rows + row : row * columns + column] ?? Number.NaN
    return byColumn
      ? Array.from({ length: columns }, (_, column) => Array.from({ length: rows }, (_, row) => at(row, column)))
      : Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => at(row, column)))
  }
  return { decoder: await read(sae.weights.decoder, false), encoder: await read(sae.weights.encoder, true) }
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * (b[at] ?? Number.NaN), 0)
const cosine = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))

function expectedNearest(rows: number[][], direction: number[], except: number | null) {
  return rows
    .map((row, feature) => ({ feature, cosine: cosine(row, direction) }))
    .filter(({ feature, cosine: its }) => feature !== except && Number.isFinite(its))
    .sort((a, b) => b.cosine - a.cosine)
    .slice(0, 5)
}

const single = saeIndex.saes.filter(({ members, path: file }) => members === undefined && file !== undefined).map(({ id }) => id)

describe('lengths, angles and neighbours of every golden SAE', () => {
  test.each(single)('%s', async id => {
    const feature = 3
    const { decoder, encoder } = await matricesOf(id)
    const direction = decoder[feature] ?? []
    const found = await weightsOf(id, feature)
    expect(found).toMatchObject({ feature, dSae: decoder.length, incomparable: [] })
    expect(found.decoderNorm).toBeCloseTo(Math.sqrt(dot(direction, direction)), 4)
    const read = encoder[feature] ?? []
    expect(found.encoderNorm).toBeCloseTo(Math.sqrt(dot(read, read)), 4)
    if (saeCase(id).format.includes('transcoder')) expect(found.encoderDecoderCosine).toBeNull()
    else expect(found.encoderDecoderCosine).toBeCloseTo(cosine(read, direction), 4)
    const expected = expectedNearest(decoder, direction, feature)
    const [own] = found.neighbours
    expect(own?.nearest.map(each => each.feature)).toEqual(expected.map(each => each.feature))
    for (const [at, { cosine: its }] of expected.entries()) expect(own?.nearest[at]?.cosine).toBeCloseTo(its, 4)
  })
})

test('other SAEs of the same width have neighbours too, those of another are named', async () => {
  const [id, other, narrow] = [
    'gemma2-tiny.gemma_scope_res_l1',
    'gemma2-tiny.gemma_scope_mlp_l2',
    'gemma2-tiny.gemma_scope_att_l0'
  ] as const
  const found = await weightsOf(id, 7, [other, narrow])
  const direction = (await matricesOf(id)).decoder[7] ?? []
  const expected = expectedNearest((await matricesOf(other)).decoder, direction, null)
  expect(found.neighbours.map(({ sae }) => sae)).toEqual([id, other].map(name => name.replaceAll('.', '-')))
  expect(found.neighbours[1]?.nearest.map(({ feature }) => feature)).toEqual(expected.map(({ feature }) => feature))
  expect(found.incomparable).toEqual([narrow.replaceAll('.', '-')])
})

test('the logits are those of the golden data', async () => {
  const { logit_effects: cases } = z
    .object({
      logit_effects: z.array(
        z.object({ sae: z.string(), features: z.array(z.object({ feature: z.int(), top: z.object({ tokens: z.array(z.int()) }) })) })
      )
    })
    .parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))
  const [entry] = cases
  const [expected] = entry?.features ?? []
  const found = await weightsOf(entry?.sae ?? '', expected?.feature ?? 0)
  expect(found.effects?.top.map(({ id }) => id)).toEqual(expected?.top.tokens.slice(0, 5))
})

test('an SAE that does not write to the residual stream has no logits, and one that is too narrow no such feature', async () => {
  expect((await weightsOf('gemma2-tiny.gemma_scope_att_l0', 1)).effects).toBeNull()
  await expect(weightsOf('gemma2-tiny.gemma_scope_res_l1', 128)).rejects.toMatchObject({ kind: 'sae/no-such-feature', field: 'feature' })
})
