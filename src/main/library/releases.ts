/**
 * Which published SAE a path holds: the repository's name on the path and the path within it, looked up in
 * resources/sae-releases.json. A source belongs to the SAE that has it and to no other L0 of its layer and width.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { resourcesFolder } from './resources.ts'

const entry = z.union([
  z.tuple([z.string(), z.string().nullable(), z.number().nullable()]),
  z.tuple([z.string(), z.string().nullable(), z.number().nullable(), z.string()])
])
const table = z.object({
  asOf: z.string(),
  releases: z.array(
    z.object({
      release: z.string(),
      repo: z.string(),
      model: z.string(),
      format: z.string(),
      kwargs: z.record(z.string(), z.unknown()).optional(),
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
  /** What SAELens passes to TransformerLens's `from_pretrained_no_processing` for it. */
  readonly modelFromPretrainedKwargs: Readonly<Record<string, unknown>>
}

interface Releases {
  /** By the repository's name without its owner, then by `repo` and path within it. */
  readonly repositories: ReadonlyMap<string, readonly string[]>
  readonly saes: ReadonlyMap<string, KnownSae>
}

let loading: Promise<Releases> | null = null

async function load(): Promise<Releases> {
  const text = await fs.readFile(path.join(resourcesFolder(), 'sae-releases.json'), 'utf8')
  const { releases } = table.parse(JSON.parse(text))
  const repositories = new Map<string, string[]>()
  const saes = new Map<string, KnownSae>()
  for (const { release, repo, kwargs, saes: entries } of releases) {
    const name = repo.slice(repo.lastIndexOf('/') + 1)
    const known = repositories.get(name) ?? []
    if (!known.includes(repo)) repositories.set(name, [...known, repo])
    for (const [within, source, averageL0, id] of entries) {
      const key = `${repo}/${within}`
      const before = saes.get(key)
      // A canonical release names an SAE of another release a second time; what either knows counts.
      saes.set(key, {
        release: before?.release ?? release,
        repo,
        saeId: before?.saeId ?? id ?? within,
        source: before?.source ?? source,
        averageL0: before?.averageL0 ?? averageL0,
        modelFromPretrainedKwargs: { ...before?.modelFromPretrainedKwargs, ...kwargs }
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
    const known = saes.get(key) ?? saes.get(path.posix.dirname(key))
    if (known !== undefined) return known
  }
  return null
}
