/** Which tokens end a text: what config.json says, and generation_config.json, where chat models name the end of a turn. */
import path from 'node:path'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { parseJson } from '../checkpoint/json.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'

const maximumBytes = 1024 * 1024

const generationConfig = z.object({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() })

/** Ids that end a text of the model in `folder`, of which config.json names `eosIds`. Throws `checkpoint/config` naming the file. */
export async function stopTokens(folder: string, eosIds: readonly number[]): Promise<ReadonlySet<number>> {
  const file = path.join(folder, 'generation_config.json')
  const refuse = (problem: string) =>
    new SpliceError('checkpoint/config', `${file} ${problem}`, {
      file,
      field: 'eos_token_id',
      hint: 'Download the file again, or remove it: it only names tokens that end a text.'
    })
  let text: string
  try {
    text = await readText(file, maximumBytes)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return new Set(eosIds)
    throw refuse(whyUnreadable(thrown))
  }
  let parsed: ReturnType<typeof generationConfig.safeParse>
  try {
    parsed = generationConfig.safeParse(parseJson(text))
  } catch {
    throw refuse('is not JSON')
  }
  if (!parsed.success) throw refuse('does not give eos_token_id as ids')
  const ids = [parsed.data.eos_token_id ?? []].flat()
  return new Set([...eosIds, ...ids])
}
