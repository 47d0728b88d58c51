/**
 * Reads SAELens's `pretrained_saes.yaml`, its table of releases: release -> repo_id, model, conversion_func (null for its own format),
 * config_overrides, and a list of SAEs with id, path, and where known l0, variance_explained, norm_scaling_factor, neuronpedia.
 * Before 3.12 the releases stood below one key, SAE_LOOKUP. Fields that are not known are passed over.
 */
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { parseYaml, type YamlBounds } from '../checkpoint/yaml.ts'
import type { CatalogueRow, ReleaseRow } from './catalogue.ts'

/** The largest table known has 1.5 MB and 50,000 lines. */
export const maximumYamlBytes = 8 * 1024 * 1024
const tableBounds: YamlBounds = { characters: maximumYamlBytes, parts: 150_000, mayRepeatKeys: true, aliases: 100 }

const numberOrNull = z.number().nullish().catch(null)
const text = z.union([z.string(), z.number().transform(String)])

const saeEntry = z.looseObject({
  id: text,
  // A number is a layer inside a file of many layers.
  path: z.union([z.string(), z.number()]).nullish(),
  l0: numberOrNull,
  variance_explained: numberOrNull,
  norm_scaling_factor: numberOrNull,
  neuronpedia: z.string().nullish().catch(null)
})

const releaseEntry = z.looseObject({
  repo_id: z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'is no repository'),
  model: z.string().min(1),
  conversion_func: z.string().nullish(),
  config_overrides: z.record(z.string(), z.unknown()).nullish(),
  saes: z.array(saeEntry).min(1)
})

function rowOf(sae: z.infer<typeof saeEntry>): CatalogueRow {
  const within: string | false | null = typeof sae.path === 'number' ? false : sae.path === sae.id ? null : (sae.path ?? null)
  const rest = [within, sae.neuronpedia ?? null, sae.l0 ?? null, sae.variance_explained ?? null, sae.norm_scaling_factor ?? null]
  while (rest.length > 0 && rest.at(-1) === null) rest.pop()
  return [sae.id, ...rest]
}

export interface PretrainedSaes {
  readonly releases: readonly ReleaseRow[]
  /** Releases that do not parse, with the field and what is wrong with it. */
  readonly skipped: readonly { readonly release: string; readonly why: string }[]
}

/** The releases of a `pretrained_saes.yaml`. Throws `catalogue/unreadable` naming `from` when it holds none. */
export function readPretrainedSaes(yaml: string, from: string): PretrainedSaes {
  const refuse = (why: string): never => {
    throw new SpliceError('catalogue/unreadable', `${from} ${why}`, {
      file: from,
      hint: "Name a pretrained_saes.yaml of SAELens, as it lies in an installed sae_lens's folder."
    })
  }
  let value: unknown
  try {
    value = parseYaml(yaml, tableBounds)
  } catch (thrown) {
    return refuse(`is not YAML: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
  const root = z.record(z.string(), z.unknown()).safeParse(value)
  if (!root.success) return refuse('holds no releases')
  const nested = z.record(z.string(), z.unknown()).safeParse(root.data.SAE_LOOKUP)
  const releases: ReleaseRow[] = []
  const skipped: { release: string; why: string }[] = []
  for (const [release, entry] of Object.entries(nested.success ? nested.data : root.data)) {
    const parsed = releaseEntry.safeParse(entry)
    if (!parsed.success) {
      const issue = parsed.error.issues[0]
      skipped.push({ release, why: `${issue?.path.join('.') || 'the release'}: ${issue?.message ?? 'not valid'}` })
      continue
    }
    const { repo_id, model, conversion_func, config_overrides, saes } = parsed.data
    releases.push({
      release,
      repo: repo_id,
      model,
      format: conversion_func ?? 'sae_lens',
      ...(config_overrides == null ? {} : { configOverrides: config_overrides }),
      saes: saes.map(rowOf)
    })
  }
  if (releases.length === 0) {
    const [first] = skipped
    return refuse(first === undefined ? 'holds no releases' : `holds no release that can be read (${first.release}: ${first.why})`)
  }
  return { releases, skipped }
}
