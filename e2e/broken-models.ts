/** Model folders as they arrive on people's disks: half copied, cut off, of another kind. */
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { demo } from './command-line.ts'
import { golden } from './golden.ts'

const secondShard = 'model-00002-of-00002.safetensors'

/** Makes the folders below `folder`; each entry is a folder's name and what its error has to name. */
export function makeBrokenModels(folder: string): Record<'missing-shard' | 'unknown-family' | 'truncated' | 'no-config', RegExp> {
  cpSync(join(golden, 'models/gemma2-tiny'), join(folder, 'missing-shard'), { recursive: true })
  rmSync(join(folder, 'missing-shard', secondShard))

  cpSync(demo.model, join(folder, 'truncated'), { recursive: true })
  truncateSync(join(folder, 'truncated/model.safetensors'), 1_000_000)

  cpSync(demo.model, join(folder, 'unknown-family'), { recursive: true })
  const config = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(join(demo.model, 'config.json'), 'utf8')))
  const unknown = { ...config, model_type: 'zebra', architectures: ['ZebraForCausalLM'] }
  writeFileSync(join(folder, 'unknown-family/config.json'), JSON.stringify(unknown))

  mkdirSync(join(folder, 'no-config'))
  return { 'missing-shard': /00002-of-00002/, 'unknown-family': /zebra/i, truncated: /model\.safetensors/, 'no-config': /config\.json/ }
}
