import { z } from 'zod'

/** Something known to go wrong with an SAE: a warning where it is listed or opened. */
export const trap = z.object({
  id: z.string(),
  /** `note`: good to know, Splice sees to it. `warning`: what is shown may mislead. */
  level: z.enum(['note', 'warning']),
  title: z.string(),
  text: z.string()
})
export type Trap = z.infer<typeof trap>

/**
 * What is known to go wrong with sources on Neuronpedia whatever SAE they are read with. `sources` is a regular expression on
 * `modelId/layer`, `known` the month in which it was last looked at.
 */
export const sourceTrap = trap.extend({ sources: z.string(), known: z.string() })
export type SourceTrap = z.infer<typeof sourceTrap>

/**
 * Where a table of releases came from. `shipped` came with Splice; the others are a `pretrained_saes.yaml` of SAELens, with its path
 * or address in `from` and, where it lies beside an installed sae_lens, that version.
 */
export const catalogueOrigin = z.object({
  kind: z.enum(['shipped', 'installed', 'file', 'online']),
  from: z.string().nullable(),
  version: z.string().nullable()
})
export type CatalogueOrigin = z.infer<typeof catalogueOrigin>

/** A release by its name in SAELens; counts are of its SAEs. */
export const releaseSummary = z.object({
  release: z.string(),
  /** Releases that belong together, e.g. all sites of Gemma Scope for one model. */
  family: z.string(),
  repo: z.string(),
  /** The model's name as the release states it. */
  model: z.string(),
  /** The model's repository on the Hugging Face hub; null when the table does not know it. */
  modelRepo: z.string().nullable(),
  /** SAELens's name of the on-disk format. */
  format: z.string(),
  /** What SAELens changes in the SAE's config, or passes to the model's loader. */
  configOverrides: z.record(z.string(), z.unknown()),
  saes: z.int(),
  withSource: z.int(),
  onDisk: z.int(),
  explained: z.int(),
  traps: z.array(trap)
})
export type ReleaseSummary = z.infer<typeof releaseSummary>

/** Which table is in force, its date (`2025-10` or a day), and when it was read (ms since 1970; null for the shipped one). */
export const catalogueState = z.object({
  asOf: z.string(),
  origin: catalogueOrigin,
  readAt: z.number().nullable(),
  releases: z.int(),
  saes: z.int(),
  /** Releases of the file that could not be read, with the reason. */
  skipped: z.array(z.object({ release: z.string(), why: z.string() }))
})
export type CatalogueState = z.infer<typeof catalogueState>

export const releaseTable = z.object({ catalogue: catalogueState, releases: z.array(releaseSummary) })
export type ReleaseTable = z.infer<typeof releaseTable>

/** Which activation an SAE reads, in the words of its release. `clt` is a layer of a cross-layer transcoder. */
export const site = z.enum(['res', 'att', 'mlp', 'transcoder', 'clt', 'other'])
export type Site = z.infer<typeof site>

/** A published SAE: one path of one repository, under every name that releases give it. */
export const publishedSae = z.object({
  /** `SAE.from_pretrained(release=..., sae_id=...)`; the first is the most exact one. */
  names: z.array(z.object({ release: z.string(), saeId: z.string() })).min(1),
  repo: z.string(),
  /** Path within the repository; null for a layer inside a file of many layers. */
  path: z.string().nullable(),
  family: z.string(),
  format: z.string(),
  site,
  /** -1 for the embedding; null when the names do not say it. */
  layer: z.int().nullable(),
  /** Width as its names say it, e.g. `16k`; null when they do not. */
  width: z.string().nullable(),
  /** What tells it from others of its site, layer and width, e.g. `L0 71` or `trainer_3`. */
  variant: z.string(),
  averageL0: z.number().nullable(),
  varianceExplained: z.number().nullable(),
  normScalingFactor: z.number().nullable(),
  /** Neuronpedia source `modelId/layer`, or null when it has none. */
  source: z.string().nullable(),
  /** Its path on this disk, as the last scan found it. */
  diskPath: z.string().nullable(),
  /** Explanations of its source in the mirror. */
  explanations: z.int(),
  traps: z.array(trap)
})
export type PublishedSae = z.infer<typeof publishedSae>

/** A pretrained_saes.yaml found in an installed sae_lens. */
export const installedCatalogue = z.object({ path: z.string(), version: z.string().nullable(), modifiedAt: z.number() })
export type InstalledCatalogue = z.infer<typeof installedCatalogue>

/** Where to read a newer table: a file or a folder with an installed sae_lens, or SAELens's own repository (a network request). */
export const catalogueSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('path'), path: z.string() }),
  z.object({ kind: z.literal('online') })
])
export type CatalogueSource = z.infer<typeof catalogueSource>
