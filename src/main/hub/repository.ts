/** What a repository of the hub holds at a revision. Listing is @huggingface/hub's; its answers are checked, its requests are ours. */
import { listFiles, modelInfo } from '@huggingface/hub'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { isSafePath } from './cache.ts'
import { hubEndpoint } from './environment.ts'
import { cancelled, request } from './request.ts'
import type { HubFile } from './selection.ts'

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`))

const info = z.object({ sha: hex(40) })
const listedFile = z.object({
  type: z.literal('file'),
  path: z.string(),
  size: z.int().nonnegative(),
  oid: hex(40),
  lfs: z.object({ oid: hex(64), size: z.int().nonnegative() }).nullish()
})
const listed = z.looseObject({ type: z.string(), path: z.string() })

/** A repository at a commit. */
export interface HubRepository {
  readonly repo: string
  readonly commit: string
  readonly files: readonly HubFile[]
}

/** Most files that a repository may list. */
const maximumFiles = 100_000

/** The address of a file's content. */
export function contentUrl(repo: string, commit: string, within: string): string {
  return `${hubEndpoint()}/${repo}/resolve/${commit}/${within.split('/').map(encodeURIComponent).join('/')}`
}

/**
 * Asks the hub what a repository holds. Throws what `request` throws, and `hub/answer` where the hub says what makes no sense.
 */
export async function readRepository(
  repo: string,
  revision: string,
  options: { token: string | null; signal: AbortSignal | undefined }
): Promise<HubRepository> {
  const ask: typeof fetch = (url, init) =>
    request(String(url instanceof Request ? url.url : url), {
      what: revision === 'main' ? repo : `${repo}@${revision}`,
      token: options.token,
      signal: options.signal,
      headers: Object.fromEntries(new Headers(init?.headers))
    })
  const from = { hubUrl: hubEndpoint(), fetch: ask }
  const answer = await parsed(repo, info, modelInfo({ ...from, name: repo, revision, additionalFields: ['sha'] }))
  const files: HubFile[] = []
  for await (const entry of listFiles({ ...from, repo, revision: answer.sha, recursive: true })) {
    if ((await parsed(repo, listed, Promise.resolve(entry))).type !== 'file') continue
    const item = await parsed(repo, listedFile, Promise.resolve(entry))
    if (!isSafePath(item.path)) refuse(repo, `it lists ${JSON.stringify(item.path)}, which leads out of its folder`)
    if (files.length >= maximumFiles) refuse(repo, `it lists more than ${maximumFiles} files`)
    files.push({
      path: item.path,
      sizeBytes: item.lfs?.size ?? item.size,
      hash: item.lfs == null ? { kind: 'git', hex: item.oid } : { kind: 'sha256', hex: item.lfs.oid }
    })
  }
  if (options.signal?.aborted) throw cancelled()
  return { repo, commit: answer.sha, files }
}

function refuse(repo: string, why: string): never {
  throw new SpliceError('hub/answer', `${new URL(hubEndpoint()).host} answers for ${repo} what cannot be: ${why}`, {
    hint: 'Nothing was downloaded. Check HF_ENDPOINT where you have set it.',
    mistake: false
  })
}

/** An answer of the hub by a schema. What is no JSON at all comes from something else than a hub. */
async function parsed<Schema extends z.ZodType>(repo: string, schema: Schema, answer: Promise<unknown>): Promise<z.infer<Schema>> {
  let value: unknown
  try {
    value = await answer
  } catch (thrown) {
    if (thrown instanceof SpliceError) throw thrown
    return refuse(repo, thrown instanceof Error ? thrown.message : String(thrown))
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  return refuse(repo, `${issue?.path.join('.') || 'the answer'}: ${issue?.message ?? 'not valid'}`)
}
