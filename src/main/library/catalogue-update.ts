/** Reads a newer table of releases from SAELens's `pretrained_saes.yaml`, keeps it in the home, and drops it again. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { CatalogueOrigin, CatalogueSource, CatalogueState } from '../../contract/releases.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'
import { request } from '../hub/request.ts'
import { boundedText } from '../transfer/bounded-text.ts'
import { type KeptTable, keptTableFile } from './catalogue.ts'
import { findInstalledCatalogues } from './installed-sae-lens.ts'
import { maximumYamlBytes, readPretrainedSaes } from './pretrained-saes.ts'
import { releaseIndex, useCatalogue } from './releases.ts'

/** SAELens's table on its main branch; SPLICE_CATALOGUE_URL names a mirror of it. */
export function catalogueAddress(): string {
  const own = process.env.SPLICE_CATALOGUE_URL
  return own !== undefined && own !== ''
    ? own
    : 'https://raw.githubusercontent.com/decoderesearch/SAELens/main/sae_lens/pretrained_saes.yaml'
}

const day = (time: number) => new Date(time).toISOString().slice(0, 10)

interface FoundTable {
  readonly yaml: string
  readonly asOf: string
  readonly origin: CatalogueOrigin & { readonly from: string }
}

async function readFile(named: string): Promise<FoundTable> {
  const [found] = await findInstalledCatalogues(named)
  const file = found?.path ?? path.resolve(named)
  const refuse = (why: string) =>
    new SpliceError('catalogue/unreadable', `${named} ${why}`, {
      file: named,
      hint: 'Name a pretrained_saes.yaml, or a folder in which sae_lens is installed: an environment or its site-packages.'
    })
  try {
    const stat = await fs.stat(file)
    if (stat.isDirectory()) throw refuse('holds no installed sae_lens')
    const kind = found?.version != null ? 'installed' : 'file'
    const origin = { kind, from: file, version: found?.version ?? null } as const
    return { yaml: await readText(file, maximumYamlBytes), asOf: day(stat.mtimeMs), origin }
  } catch (thrown) {
    throw thrown instanceof SpliceError ? thrown : refuse(whyUnreadable(thrown))
  }
}

async function readOnline(signal: AbortSignal | undefined): Promise<FoundTable> {
  const from = catalogueAddress()
  const response = await request(from, { signal, what: 'the table of releases' })
  const announced = Number(response.headers.get('content-length') ?? 0)
  if (announced > maximumYamlBytes) {
    throw new SpliceError('catalogue/unreadable', `${from} has ${announced} bytes, more than any such table`, { file: from })
  }
  const yaml = await boundedText(response, maximumYamlBytes).catch(thrown => {
    throw new SpliceError('catalogue/unreadable', `${from} cannot be read (${whyUnreadable(thrown)})`, { file: from, hint: 'Try again.' })
  })
  return { yaml, asOf: day(Date.now()), origin: { kind: 'online', from, version: null } }
}

/**
 * Reads a table, keeps it in the home with its date and origin, and puts it in force. A table that cannot be read leaves the one in
 * force as it is. Throws `catalogue/unreadable`, and for an online one what the request throws.
 */
export async function updateCatalogue(home: string, source: CatalogueSource, signal?: AbortSignal): Promise<CatalogueState> {
  const { yaml, asOf, origin } = source.kind === 'online' ? await readOnline(signal) : await readFile(source.path)
  const { releases, skipped } = readPretrainedSaes(yaml, origin.from)
  const kept: KeptTable = { asOf, origin, readAt: Date.now(), skipped: [...skipped], releases: [...releases] }
  await keptTableFile(home).write(kept)
  useCatalogue(home)
  return (await releaseIndex()).catalogue.state
}

/** Goes back to the shipped table. */
export async function resetCatalogue(home: string): Promise<CatalogueState> {
  await keptTableFile(home).write(null)
  useCatalogue(home)
  return (await releaseIndex()).catalogue.state
}
