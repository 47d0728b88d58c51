/**
 * Which published SAE a path holds: the repository's name on the path and the path within it, looked up in
 * resources/sae-releases.json. A source belongs to the SAE that has it and to no other L0 of its layer and width.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { resourcesFolder } from './resources.ts'

/** Path in the repository, Neuronpedia source, mean L0; then the id where it is not the path, and the normalisation factor. */
const entry = z.tuple([z.string(), z.string().nullable(), z.number().nullable()]).rest(z.union([z.string(), z.number(), z.null()]))
const table = z.object({
  asOf: z.string(),
  releases: z.array(
    z.object({
      release: z.string(),
      repo: z.string(),
      model: z.string(),
      format: z.string(),
      configOverrides: z.record(z.string(), z.unknown()).optional(),
      saes: z.array(entry)
    })
  )
})

/** What is known of a published SAE. */
export interface KnownSae {
  readonly release: string
  readonly repo: string
  /** Its id in SAELens's release. */
  readonly saeId: string
  /** Neuronpedia source `modelId/layer`. */
  readonly source: string | null
  readonly averageL0: number | null
  /** By what SAELens scales the activations before encoding, where the SAE was trained on scaled ones and no file says so. */
  readonly normScalingFactor: number | null
  /** What SAELens puts into its config. */
  readonly configOverrides: Readonly<Record<string, unknown>>
  /** What SAELens passes to TransformerLens's `from_pretrained_no_processing` for it. */
  readonly modelFromPretrainedKwargs: Readonly<Record<string, unknown>>
}

interface Releases {
  /** By the repository's name without its owner, then by `repo` and path within it. */
  readonly repositories: ReadonlyMap<string, readonly string[]>
  readonly saes: ReadonlyMap<string, KnownSae>
}

/** What a release passes to the model's loader. */
function kwargsOf(configOverrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const kwargs = configOverrides.model_from_pretrained_kwargs
  return typeof kwargs === 'object' && kwargs !== null ? { ...kwargs } : {}
}

let loading: Promise<Releases> | null = null

async function load(): Promise<Releases> {
  const text = await fs.readFile(path.join(resourcesFolder(), 'sae-releases.json'), 'utf8')
  const { releases } = table.parse(JSON.parse(text))
  const repositories = new Map<string, string[]>()
  const saes = new Map<string, KnownSae>()
  for (const { release, repo, configOverrides, saes: entries } of releases) {
    const name = repo.slice(repo.lastIndexOf('/') + 1)
    const known = repositories.get(name) ?? []
    if (!known.includes(repo)) repositories.set(name, [...known, repo])
    for (const [within, source, averageL0, id, normScalingFactor] of entries) {
      const key = `${repo}/${within}`
      const before = saes.get(key)
      // A canonical release names an SAE of another release a second time; what either knows counts.
      saes.set(key, {
        release: before?.release ?? release,
        repo,
        saeId: before?.saeId ?? (typeof id === 'string' ? id : within),
        source: before?.source ?? source,
        averageL0: before?.averageL0 ?? averageL0,
        normScalingFactor: before?.normScalingFactor ?? (typeof normScalingFactor === 'number' ? normScalingFactor : null),
        configOverrides: { ...before?.configOverrides, ...configOverrides },
        modelFromPretrainedKwargs: { ...before?.modelFromPretrainedKwargs, ...kwargsOf(configOverrides) }
      })
    }
  }
  return { repositories, saes }
}

/** Repositories that a path may lie in, with the path within them: by the Hugging Face cache's folders, or by a folder of that name. */
function candidates(file: string, repositories: Releases['repositories']): string[] {
  const parts = path.resolve(file).split(path.sep)
  return parts.flatMap((part, at) => {
    const cached = /^models--(.+?)--(.+)$/.exec(part)
    if (cached !== null && parts[at + 1] === 'snapshots') return [`${cached[1]}/${cached[2]}/${parts.slice(at + 3).join('/')}`]
    return (repositories.get(part) ?? []).map(repo => `${repo}/${parts.slice(at + 1).join('/')}`)
  })
}

/** What is known of the SAE at a path, a folder or a weights file; null when it is none that the table names. */
export async function releaseOf(saePath: string): Promise<KnownSae | null> {
  loading ??= load()
  const { repositories, saes } = await loading
  for (const key of candidates(saePath, repositories)) {
    // The path itself, or a file below it, such as params.npz or checkpoints/final.safetensors.
    const above = path.posix.dirname(key)
    const known = saes.get(key) ?? saes.get(above) ?? saes.get(path.posix.dirname(above))
    if (known !== undefined) return known
  }
  return null
}

/** What a release says of an SAE that changes how it is read. */
export function readingFacts(
  known: KnownSae | null
): { normFactor: number | null; normalisation: 'constant_norm_rescale' | null } | undefined {
  if (known === null) return undefined
  const normalisation = known.configOverrides.normalize_activations === 'constant_norm_rescale' ? 'constant_norm_rescale' : null
  return { normFactor: known.normScalingFactor, normalisation }
}
