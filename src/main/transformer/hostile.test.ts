/** The checkpoints of fixtures/golden/hostile whose files are whole and whose config or weights no family may accept in silence. */
import fs from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { processingFlag } from '../../contract/run.ts'
import { golden, runAndSave } from '../inference/golden/golden-data.ts'
import { openModel } from './model.ts'

const listed = z
  .array(z.object({ path: z.string(), expect: z.string() }))
  .parse(JSON.parse(await fs.readFile(golden('hostile/hostile.json'), 'utf8')))
/** One opens, and is a test of its own. */
const checkpoints = listed.map(({ path }) => path).filter(path => path.startsWith('checkpoints/') && !path.includes('nan_weights'))

const refusals: Record<string, RegExp> = {
  config_dim_mismatch: /wte\.weight has shape \[120, 32\], but config\.json asks for \[120, 64\]/,
  config_absurd_dims: /has no tensor/,
  config_head_indivisible: /n_embd is 32, which is not a multiple of n_head \(7\)/,
  tensor_missing: /has no tensor h\.0\./,
  auto_map_remote_code: /model_type "evil"/,
  index_path_traversal: /not a file of its folder/,
  index_absolute_path: /not a file of its folder/,
  index_missing_shard: /lacks the shard/
}

describe('hostile checkpoints', () => {
  test.each(checkpoints)('%s', async path => {
    const refusal = refusals[path.split('/')[1] ?? '']
    expect(refusal).toBeDefined()
    await expect(openModel(golden('hostile', path))).rejects.toThrow(refusal)
  })

  test.each([[[]], [[...processingFlag.options]]])('weights that are not numbers open, and a run says so (%j)', async processing => {
    const clean = { name: 'clean', splices: [] }
    const model = golden('hostile/checkpoints/nan_weights')
    const { result } = await runAndSave({ model, prompt: { ids: [7, 3, 9] }, variants: [clean], processing, layerOrder: 'checkpoint' })
    expect(result.warnings.join()).toMatch(/logits are not numbers at 3 positions.*hold NaN or infinities/)
    expect(result.variants[0]?.topK).toEqual([[], [], []])
  })
})
