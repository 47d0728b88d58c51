/**
 * The table of published SAEs: resources/sae-releases.json, and over it the newer table that the person has read, kept in the
 * home. tools/catalogue/build.mjs makes the first, pretrained-saes.ts the second; both have this schema.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { type CatalogueOrigin, type CatalogueState, catalogueOrigin } from '../../contract/releases.ts'
import { resourcesFolder } from './resources.ts'
import { StateFile } from './state-file.ts'

/** id, path where it is not the id (false: no path of its own), source, mean L0, variance explained, norm scaling factor. */
export type CatalogueRow = readonly [id: string, ...rest: readonly (string | number | false | null)[]]

/** One check for a whole row: there are thousands, and every command reads them. */
const row = z.custom<CatalogueRow>(
  value =>
    Array.isArray(value) &&
    typeof value[0] === 'string' &&
    value.every(cell => typeof cell === 'string' || typeof cell === 'number' || cell === false || cell === null),
  'is no row of the table'
)

export const releaseRow = z.object({
  release: z.string(),
  repo: z.string(),
  model: z.string(),
  format: z.string(),
  configOverrides: z.record(z.string(), z.unknown()).optional(),
  saes: z.array(row)
})
export type ReleaseRow = z.infer<typeof releaseRow>

const trapRule = z.object({
  level: z.enum(['note', 'warning']),
  id: z.string(),
  title: z.string(),
  text: z.string(),
  /** The month in which it was last looked at, such as `2026-11`: Neuronpedia may make a source anew. */
  known: z
    .string()
    .regex(/^\d{4}-\d{2}$/)
    .optional(),
  /** All that are given must match: regular expressions on `repo/path` and on the source, a keyword that the model is loaded with. */
  when: z.object({ place: z.string().optional(), source: z.string().optional(), modelKwarg: z.string().optional() })
})
export type TrapRule = z.infer<typeof trapRule>

const shippedTable = z.object({
  asOf: z.string(),
  models: z.record(z.string(), z.string()),
  traps: z.array(trapRule),
  releases: z.array(releaseRow)
})

export const keptTable = z.object({
  asOf: z.string(),
  origin: catalogueOrigin,
  readAt: z.number(),
  skipped: z.array(z.object({ release: z.string(), why: z.string() })),
  releases: z.array(releaseRow)
})
export type KeptTable = z.infer<typeof keptTable>

/** A published SAE under one of its names. */
export interface ReleasedSae {
  readonly id: string
  /** Path within the repository; null for a layer inside a file of many layers. */
  readonly path: string | null
  /** Neuronpedia source `modelId/layer`. */
  readonly source: string | null
  readonly averageL0: number | null
  readonly varianceExplained: number | null
  readonly normScalingFactor: number | null
}

export interface Release {
  readonly release: string
  readonly repo: string
  readonly model: string
  readonly format: string
  readonly configOverrides: Readonly<Record<string, unknown>>
  readonly saes: readonly ReleasedSae[]
}

export interface Catalogue {
  readonly state: CatalogueState
  readonly releases: readonly Release[]
  /** Neuronpedia's and TransformerLens's model ids -> Hugging Face repository. */
  readonly models: ReadonlyMap<string, string>
  readonly traps: readonly TrapRule[]
}

const shippedOrigin: CatalogueOrigin = { kind: 'shipped', from: null, version: null }

const numberOrNull = (value: unknown): number | null => (typeof value === 'number' ? value : null)

function readRow([id, within, source, averageL0, varianceExplained, normScalingFactor]: CatalogueRow): ReleasedSae {
  return {
    id,
    path: within === false ? null : typeof within === 'string' ? within : id,
    source: typeof source === 'string' ? source : null,
    averageL0: numberOrNull(averageL0),
    varianceExplained: numberOrNull(varianceExplained),
    normScalingFactor: numberOrNull(normScalingFactor)
  }
}

function readRelease({ configOverrides = {}, saes, ...rest }: ReleaseRow): Release {
  return { ...rest, configOverrides, saes: saes.map(readRow) }
}

/** Where the table that the person has read is kept. */
export function keptTableFile(home: string): StateFile<z.ZodNullable<typeof keptTable>> {
  return new StateFile(path.join(home, 'sae-releases.json'), keptTable.nullable(), () => null)
}

/** The shipped table, and over it the one kept in the home: its releases take the place of those of the same name. */
export async function readCatalogue(home: string | null): Promise<Catalogue> {
  const shipped = shippedTable.parse(JSON.parse(await fs.readFile(path.join(resourcesFolder(), 'sae-releases.json'), 'utf8')))
  const kept = home === null ? null : await keptTableFile(home).read()
  const rows = new Map([...shipped.releases, ...(kept?.releases ?? [])].map(release => [release.release, release]))
  const releases = [...rows.values()].map(readRelease)
  return {
    releases,
    models: new Map(Object.entries(shipped.models)),
    traps: shipped.traps,
    state: {
      asOf: kept?.asOf ?? shipped.asOf,
      origin: kept?.origin ?? shippedOrigin,
      readAt: kept?.readAt ?? null,
      skipped: kept?.skipped ?? [],
      releases: releases.length,
      saes: releases.reduce((sum, release) => sum + release.saes.length, 0)
    }
  }
}
