/**
 * Which published SAE a path holds: the repository's name on the path and the path within it, looked up in the catalogue.
 * A source belongs to the SAE that has it and to no other L0 of its layer and width.
 */
import path from 'node:path'
import { type Catalogue, type ReleasedSae, readCatalogue } from './catalogue.ts'

/** What is known of a published SAE. */
export interface KnownSae {
  readonly release: string
  readonly repo: string
  /** Path within the repository. */
  readonly path: string
  /** Its id in SAELens's release. */
  readonly saeId: string
  /** Neuronpedia source `modelId/layer`. */
  readonly source: string | null
  readonly averageL0: number | null
  readonly varianceExplained: number | null
  /** By what SAELens scales the activations before encoding, where the SAE was trained on scaled ones and no file says so. */
  readonly normScalingFactor: number | null
  /** SAELens's name of its on-disk format. */
  readonly format: string
  /** What SAELens puts into its config. */
  readonly configOverrides: Readonly<Record<string, unknown>>
  /** What SAELens passes to TransformerLens's `from_pretrained_no_processing` for it. */
  readonly modelFromPretrainedKwargs: Readonly<Record<string, unknown>>
}

/** A catalogue with what is looked up in it. */
export interface ReleaseIndex {
  readonly catalogue: Catalogue
  /** Full repository names by the name without its owner. */
  readonly repositories: ReadonlyMap<string, readonly string[]>
  /** By `repo/path`. */
  readonly saes: ReadonlyMap<string, KnownSae>
}

/** Whose catalogue is in force: that of a home, or with null the shipped one. It is read when it is first asked for. */
let homeInForce: string | null = null
let inForce: Promise<ReleaseIndex> | null = null

/** Puts the catalogue of a home (null: the shipped one) in force for this process, as it is on disk now. */
export function useCatalogue(home: string | null): void {
  homeInForce = home
  inForce = null
}

/** The catalogue in force. */
export function releaseIndex(): Promise<ReleaseIndex> {
  inForce ??= readCatalogue(homeInForce).then(indexCatalogue)
  return inForce
}

/** What a release passes to the model's loader. */
export function modelKwargsOf(configOverrides: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kwargs = configOverrides.model_from_pretrained_kwargs
  return typeof kwargs === 'object' && kwargs !== null ? { ...kwargs } : {}
}

/** Prepares a catalogue for looking up. */
export function indexCatalogue(catalogue: Catalogue): ReleaseIndex {
  const repositories = new Map<string, string[]>()
  const saes = new Map<string, KnownSae>()
  for (const { release, repo, format, configOverrides, saes: entries } of catalogue.releases) {
    const name = repo.slice(repo.lastIndexOf('/') + 1)
    const known = repositories.get(name) ?? []
    if (!known.includes(repo)) repositories.set(name, [...known, repo])
    for (const sae of entries) {
      if (sae.path === null) continue
      const key = `${repo}/${sae.path}`
      saes.set(key, combine(saes.get(key), { release, repo, format, configOverrides }, sae, sae.path))
    }
  }
  return { catalogue, repositories, saes }
}

/** A canonical release names an SAE of another release a second time; what either knows counts. */
function combine(
  before: KnownSae | undefined,
  of: Pick<KnownSae, 'release' | 'repo' | 'format' | 'configOverrides'>,
  sae: ReleasedSae,
  within: string
): KnownSae {
  return {
    release: before?.release ?? of.release,
    repo: of.repo,
    path: within,
    saeId: before?.saeId ?? sae.id,
    source: before?.source ?? sae.source,
    averageL0: before?.averageL0 ?? sae.averageL0,
    varianceExplained: before?.varianceExplained ?? sae.varianceExplained,
    normScalingFactor: before?.normScalingFactor ?? sae.normScalingFactor,
    format: before?.format ?? of.format,
    configOverrides: { ...before?.configOverrides, ...of.configOverrides },
    modelFromPretrainedKwargs: { ...before?.modelFromPretrainedKwargs, ...modelKwargsOf(of.configOverrides) }
  }
}

/** A repository and a path within it. */
export interface RepositoryPlace {
  readonly repo: string
  readonly path: string
}

/**
 * Repositories that a path may lie in, with the path within them: by the Hugging Face cache's folders, or by a folder that has
 * the name of a repository of the catalogue. The innermost one comes first.
 */
export function repositoryPlaces(file: string, repositories: ReleaseIndex['repositories']): RepositoryPlace[] {
  const parts = path.resolve(file).split(path.sep)
  return parts
    .flatMap((part, at) => {
      const cached = /^models--(.+?)--(.+)$/.exec(part)
      if (cached !== null && parts[at + 1] === 'snapshots') {
        return [{ repo: `${cached[1]}/${cached[2]}`, path: parts.slice(at + 3).join('/') }]
      }
      return (repositories.get(part) ?? []).map(repo => ({ repo, path: parts.slice(at + 1).join('/') }))
    })
    .reverse()
}

/** What is known of the SAE at a path, a folder or a weights file; null when it is none that the catalogue names. */
export async function releaseOf(saePath: string): Promise<KnownSae | null> {
  const { repositories, saes } = await releaseIndex()
  for (const { repo, path: within } of repositoryPlaces(saePath, repositories)) {
    // The path itself, or a file below it, such as params.npz or checkpoints/final.safetensors.
    const above = path.posix.dirname(within)
    const known = [within, above, path.posix.dirname(above)].map(key => saes.get(`${repo}/${key}`)).find(found => found !== undefined)
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
