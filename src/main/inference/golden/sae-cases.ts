/** The cases of fixtures/golden/index.json that have to do with SAEs, and the runs that they ask for. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { FeatureEdit, Variant } from '../../../contract/run.ts'
import type { InferenceJob } from '../messages.ts'
import { golden } from './golden-files.ts'

const saeRun = z.object({
  prompt: z.string(),
  model_variant: z.string(),
  cache_order: z.array(z.string()).optional(),
  file: z.string(),
  file_error_term: z.string().optional(),
  plain: z.object({ l0_mean: z.number(), explained_variance: z.number() }).optional()
})
export type SaeRun = z.infer<typeof saeRun>

const saeEntry = z.object({
  id: z.string(),
  model: z.string(),
  format: z.string(),
  path: z.string().optional(),
  hooks: z.array(z.string()),
  hook_out: z.string().optional(),
  members: z.array(z.string()).optional(),
  norm_scaling_factor: z.number().optional(),
  metrics_file: z.string().optional(),
  runs: z.array(saeRun).optional()
})
export type SaeEntry = z.infer<typeof saeEntry>

const names = z.union([z.string(), z.array(z.string())])
const goldenEdit = z.object({
  kind: z.enum(['ablate', 'scale', 'set', 'steer']),
  sae: z.string().optional(),
  feature: z.int(),
  factor: z.number().optional(),
  value: z.number().optional(),
  strength: z.number().optional(),
  positions: z.union([z.literal('all'), z.array(z.int())])
})
export type GoldenEdit = z.infer<typeof goldenEdit>
const indexSchema = z.object({
  saes: z.array(saeEntry),
  extra_variants: z.array(
    z.object({
      model: z.string(),
      variant: z.string(),
      sae_runs: z.array(saeRun.omit({ model_variant: true }).extend({ sae: z.string() })).optional()
    })
  ),
  spliced_transcoders: z.array(
    z.object({
      sae: z.string(),
      model: z.string(),
      model_variant: z.string(),
      prompt: z.string(),
      error_term: z.boolean(),
      file: z.string()
    })
  ),
  positions: z.array(
    z.object({
      sae: names,
      model: z.string(),
      hook: z.array(z.string()),
      model_variant: z.string(),
      prompt: z.string(),
      kept_positions: z.array(z.int()),
      error_term: z.literal(false),
      file: z.string()
    })
  ),
  edits: z.array(
    z.object({
      sae: names,
      model: z.string(),
      hook: names,
      model_variant: z.string(),
      prompt: z.string(),
      edit: z.union([goldenEdit, z.array(goldenEdit)]),
      error_term: z.boolean(),
      spliced: z.boolean(),
      file: z.string(),
      greedy_new_tokens_edit_at_every_position: z.array(z.int()).optional()
    })
  )
})

export const saeIndex = indexSchema.parse(JSON.parse(await fs.readFile(golden('index.json'), 'utf8')))

/** An SAE of the index. */
export function saeCase(id: string): SaeEntry {
  const found = saeIndex.saes.find(candidate => candidate.id === id)
  if (found === undefined) throw new Error(`the golden index has no SAE ${id}`)
  return found
}

type JobSae = InferenceJob['saes'][number]

/** Whether a case stands in at another hook point than it reads. */
export function isTranscoder({ format }: SaeEntry): boolean {
  return format.includes('transcoder')
}

/**
 * The SAEs of a case as a job names them: one, or the members of a case with several. A `..._folded` case asks for its factor; the
 * factor of Llama Scope stands in its own files.
 */
export function membersOf(entry: SaeEntry): JobSae[] {
  if (entry.members !== undefined) return entry.members.flatMap(member => membersOf(saeCase(member)))
  const factor = entry.format === 'llama_scope' ? undefined : entry.norm_scaling_factor
  return [{ name: entry.id.replaceAll('.', '-'), path: golden(entry.path ?? ''), ...(factor === undefined ? {} : { normFactor: factor }) }]
}

export const clean: Variant = { name: 'clean', splices: [] }

/** All SAEs spliced, by default everywhere. */
export function splicesOf(
  name: string,
  saes: readonly JobSae[],
  errorTerm: boolean,
  positions: 'all' | [number, number][] = 'all'
): Variant {
  return { name, splices: saes.map(sae => ({ sae: sae.name, errorTerm, positions })) }
}

/** A golden edit as a variant has it; `sae` is the SAE's name in the job. */
export function editOf({ kind, feature, factor, value, strength, positions }: GoldenEdit, sae: string): FeatureEdit {
  const covered = positions === 'all' ? positions : positions.map((position): [number, number] => [position, position + 1])
  const by = { ablate: 0, scale: factor, set: value, steer: strength }[kind]
  if (by === undefined) throw new Error(`the golden edit of feature ${feature} says not by how much`)
  return { sae, feature, kind: kind === 'ablate' ? 'set' : kind, value: by, positions: covered }
}

/** Every file that holds a golden run with an SAE: below sae_runs and positions. */
export async function recordedFiles(): Promise<string[]> {
  const found = await Promise.all(
    ['sae_runs', 'positions'].map(async folder => {
      const names = await fs.readdir(golden(folder), { recursive: true })
      return names.filter(name => name.endsWith('.safetensors')).map(name => path.posix.join(folder, ...name.split(path.sep)))
    })
  )
  return found.flat().sort()
}
