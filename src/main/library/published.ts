/** What is published: releases and their SAEs, with what is on this disk and what has explanations in the mirror. */
import { SpliceError } from '../../contract/errors.ts'
import type { PublishedSae, ReleaseSummary, ReleaseTable } from '../../contract/releases.ts'
import type { Catalogue, Release, ReleasedSae } from './catalogue.ts'
import { familyOf, placeSae } from './placement.ts'
import { modelKwargsOf, releaseIndex } from './releases.ts'
import { trapsOf } from './traps.ts'

/** What the rest of Splice knows of published SAEs. */
export interface LocalKnowledge {
  /** Path on this disk of an SAE, by `repo/path`. */
  readonly diskPaths: ReadonlyMap<string, string>
  /** Explanations in the mirror, by source. */
  readonly explanations: ReadonlyMap<string, number>
}

function trapsOfSae(release: Release, sae: ReleasedSae, { traps }: Catalogue) {
  const place = `${release.repo}/${sae.path ?? sae.id}`
  return trapsOf({ place, source: sae.source, modelFromPretrainedKwargs: modelKwargsOf(release.configOverrides) }, traps)
}

const keyOf = (release: Release, sae: ReleasedSae) => `${release.repo}/${sae.path ?? `#${sae.id}`}`

/** Every release with its counts. */
export async function listReleases(local: LocalKnowledge): Promise<ReleaseTable> {
  const { catalogue } = await releaseIndex()
  const releases = catalogue.releases.map((release): ReleaseSummary => {
    const count = (of: (sae: ReleasedSae) => boolean) => release.saes.filter(of).length
    const traps = new Map(release.saes.flatMap(sae => trapsOfSae(release, sae, catalogue)).map(trap => [trap.id, trap]))
    return {
      release: release.release,
      family: familyOf(release.release),
      repo: release.repo,
      model: release.model,
      modelRepo: modelRepository(release.model, catalogue),
      format: release.format,
      configOverrides: release.configOverrides,
      saes: release.saes.length,
      withSource: count(sae => sae.source !== null),
      onDisk: count(sae => local.diskPaths.has(keyOf(release, sae))),
      explained: count(sae => sae.source !== null && (local.explanations.get(sae.source) ?? 0) > 0),
      traps: [...traps.values()]
    }
  })
  return { catalogue: catalogue.state, releases }
}

/** A model's repository on the hub: releases name models by Neuronpedia's or TransformerLens's id, or by the repository itself. */
function modelRepository(model: string, { models }: Catalogue): string | null {
  return models.get(model) ?? (model.includes('/') ? model : null)
}

/** Whether a release is of a model that a person names by any of its names, letter case aside. */
function isOfModel(release: Release, model: string, catalogue: Catalogue): boolean {
  const wanted = model.toLowerCase()
  const repository = modelRepository(release.model, catalogue)
  const names = [release.model, repository, repository?.split('/')[1], ...namesOfRepository(repository, catalogue)]
  return names.some(name => name?.toLowerCase() === wanted)
}

function namesOfRepository(repository: string | null, { models }: Catalogue): string[] {
  return repository === null ? [] : [...models].filter(([, repo]) => repo === repository).map(([name]) => name)
}

/**
 * The SAEs of a model, one for each path of a repository, whatever releases name it; those that have no model named are all.
 * Throws `catalogue/unknown-model` naming the models there are.
 */
export async function listPublished(model: string | undefined, local: LocalKnowledge): Promise<PublishedSae[]> {
  const { catalogue } = await releaseIndex()
  const releases = catalogue.releases.filter(release => model === undefined || isOfModel(release, model, catalogue))
  if (releases.length === 0) {
    const models = [...new Set(catalogue.releases.map(release => release.model))].sort()
    throw new SpliceError('catalogue/unknown-model', `no release is of the model ${model}`, {
      field: 'model',
      hint: `Models: ${models.join(', ')}.`
    })
  }
  const published = new Map<string, PublishedSae>()
  for (const release of releases) {
    for (const sae of release.saes) {
      const key = keyOf(release, sae)
      published.set(key, combine(published.get(key), release, sae, catalogue, local))
    }
  }
  return [...published.values()]
}

function combine(
  before: PublishedSae | undefined,
  release: Release,
  sae: ReleasedSae,
  catalogue: Catalogue,
  local: LocalKnowledge
): PublishedSae {
  const source = before?.source ?? sae.source
  const traps = new Map([...(before?.traps ?? []), ...trapsOfSae(release, sae, catalogue)].map(trap => [trap.id, trap]))
  const placed = placeSae({ release: release.release, repo: release.repo, ...sae, source })
  return {
    names: [...(before?.names ?? []), { release: release.release, saeId: sae.id }],
    repo: release.repo,
    path: sae.path,
    family: before?.family ?? familyOf(release.release),
    format: before?.format ?? release.format,
    site: placed.site,
    layer: placed.layer,
    width: before?.width ?? placed.width,
    variant: before?.variant ?? placed.variant,
    averageL0: before?.averageL0 ?? sae.averageL0,
    varianceExplained: before?.varianceExplained ?? sae.varianceExplained,
    normScalingFactor: before?.normScalingFactor ?? sae.normScalingFactor,
    source,
    diskPath: local.diskPaths.get(keyOf(release, sae)) ?? null,
    explanations: source === null ? 0 : (local.explanations.get(source) ?? 0),
    traps: [...traps.values()]
  }
}

/** Where a published SAE lies, by its names in SAELens. Throws `download/unknown-sae` naming what there is. */
export async function findPublished(releaseName: string, saeId: string): Promise<{ repo: string; path: string }> {
  const { catalogue } = await releaseIndex()
  const release = catalogue.releases.find(candidate => candidate.release === releaseName)
  const unknown = (message: string, field: string, hint: string) => new SpliceError('download/unknown-sae', message, { field, hint })
  if (release === undefined) {
    throw unknown(`there is no release ${releaseName} in the table of ${catalogue.state.asOf}`, 'release', 'splice releases lists them.')
  }
  const sae = release.saes.find(candidate => candidate.id === saeId)
  if (sae === undefined) {
    const some = release.saes.slice(0, 3).map(candidate => candidate.id)
    const hint = `It has ${some.join(', ')}${release.saes.length > some.length ? ` and ${release.saes.length - some.length} more` : ''}.`
    throw unknown(`${releaseName} has no SAE ${saeId}`, 'saeId', hint)
  }
  if (sae.path === null) {
    throw unknown(
      `${saeId} of ${releaseName} is a layer of files that hold many, which Splice does not read`,
      'saeId',
      'Choose another release.'
    )
  }
  return { repo: release.repo, path: sae.path }
}
