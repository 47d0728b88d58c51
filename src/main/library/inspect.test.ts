import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { inspect } from './inspect.ts'

const golden = fileURLToPath(new URL('../../../fixtures/golden', import.meta.url))
const hostile = path.join(golden, 'hostile')
const readJson = async (file: string): Promise<unknown> => JSON.parse(await fs.readFile(file, 'utf8'))
const cases = z.array(z.object({ path: z.string(), expect: z.string() })).parse(await readJson(path.join(hostile, 'hostile.json')))
const index = z
  .object({
    models: z.array(z.object({ path: z.string(), tl_cfg: z.record(z.string(), z.record(z.string(), z.unknown())) })),
    saes: z.array(
      z.object({
        id: z.string(),
        path: z.string().optional(),
        hooks: z.array(z.string()),
        hook_out: z.string().optional(),
        architecture: z.string().optional(),
        d_in: z.number().optional(),
        d_sae: z.number().optional()
      })
    )
  })
  .parse(await readJson(path.join(golden, 'index.json')))

/** The kind of what is found, or of the refusal, which is ours and names a file. */
async function outcome(name: string): Promise<string> {
  try {
    return (await inspect(path.join(hostile, name))).kind
  } catch (thrown) {
    if (!(thrown instanceof SpliceError)) throw thrown
    expect(thrown.file ?? thrown.message).toContain(path.basename(path.resolve(hostile, name)))
    return 'refused'
  }
}

describe('hostile and odd files', () => {
  test.each(cases)('$path: $expect', async ({ path: name, expect: wanted }) => {
    const found = await outcome(name)
    if (wanted === 'accept') expect(found).not.toBe('refused')
    else if (wanted === 'reject') expect(found).toBe('refused')
    // The others are accepted or refused, and either is fine as long as it is said.
    else expect(wanted).toMatch(/^(accept|reject)\b.*(\bor\b|,|at attach)/)
  })

  test('are looked through without their bytes: memory stays where it is', async () => {
    const peak = () => process.resourceUsage().maxRSS * 1024
    const before = peak()
    for (const { path: name } of cases) await outcome(name)
    expect(peak() - before).toBeLessThan(64 * 2 ** 20)
  })

  test('write and run nothing', async () => {
    for (const folder of [hostile, path.dirname(hostile), process.cwd(), os.tmpdir()]) {
      expect((await fs.readdir(folder)).filter(name => name.includes('PWNED'))).toEqual([])
    }
  })
})

describe('the golden files', () => {
  test.each(index.saes.filter(sae => sae.path !== undefined))('$id, by its file and by its folder', async sae => {
    const named = path.join(golden, sae.path ?? '')
    const isFolder = (await fs.stat(named)).isDirectory()
    const file = isFolder ? path.join(named, 'sae_weights.safetensors') : named
    for (const at of [file, path.dirname(file), path.dirname(file).replace(/\/checkpoints$/, '')]) {
      const found = await inspect(at)
      if (found.kind !== 'sae') throw new Error(`${at} is taken for ${found.kind}`)
      expect({ in: found.sae.hook, out: found.sae.hookOut, dIn: found.sae.dIn, dSae: found.sae.dSae }).toEqual({
        in: sae.hooks[0],
        out: sae.hook_out ?? null,
        dIn: sae.d_in,
        dSae: sae.d_sae
      })
      expect(found.sae.architecture).toBe(sae.architecture)
      expect(found.tensors.length).toBeGreaterThan(3)
    }
  })

  test.each(index.models)('$path has the sizes of TransformerLens', async ({ path: folder, tl_cfg: configs }) => {
    const found = await inspect(path.join(golden, folder))
    if (found.kind !== 'model') throw new Error(`taken for ${found.kind}`)
    const theirs = Object.values(configs)[0] ?? {}
    const sizes = ['n_layers', 'd_model', 'n_ctx', 'd_head', 'n_heads', 'd_mlp', 'd_vocab']
    for (const name of sizes) expect(found.config[name], name).toEqual(theirs[name])
    expect(found.config.n_key_value_heads ?? found.config.n_heads).toEqual(theirs.n_key_value_heads ?? theirs.n_heads)
  })
})

test('a place that holds neither says what to name', async () => {
  await expect(inspect(path.join(golden, 'positions/nowhere'))).rejects.toThrow(/does not exist/)
  await expect(inspect(path.join(golden, 'saes'))).rejects.toThrow(/neither a model nor an SAE/)
})
