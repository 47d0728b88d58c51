/** What the bucket holds, page by page. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { boundedText } from '../transfer/bounded-text.ts'
import { type Element, longestXml, readXml, XmlError } from './listing-xml.ts'
import { type Patience, withRetries } from './retry.ts'
import { ask, broken, PassingError } from './service.ts'

/** An object as a listing tells it; `etag` without its quotation marks. */
export interface BucketObject {
  readonly key: string
  readonly bytes: number
  readonly etag: string
}

export interface ListingPage {
  readonly objects: readonly BucketObject[]
  /** Where a delimiter was given: what begins with the prefix and goes to the next delimiter. */
  readonly prefixes: readonly string[]
  /** Where the next page begins; null after the last one. */
  readonly next: string | null
}

export interface ListingOptions {
  /** The address that serves the bucket, without a slash at the end. */
  readonly endpoint: string
  readonly signal: AbortSignal | undefined
  readonly patience: Patience
  /** Whether the server answered anything: one that never did is not there, and is not asked again. */
  readonly hasAnswered: { yet: boolean }
}

const listedObject = z.object({
  key: z.string().min(1),
  bytes: z.int().nonnegative(),
  etag: z.string().regex(/^"?[^"\s]+"?$/)
})

const textOf = (element: Element, name: string): string | undefined => element.children.find(child => child.name === name)?.text

/** Keys come percent-encoded (encoding-type=url), so that none can break the XML. */
function decodeKey(text: string | undefined): string {
  return decodeURIComponent((text ?? '').replaceAll('+', ' '))
}

/** Reads a page. Throws `XmlError`, and zod's and URI errors for what no listing says. */
export function readListing(xml: string): ListingPage {
  const root = readXml(xml)
  if (root.name !== 'ListBucketResult') throw new XmlError(`<${root.name}> where a listing was asked for`, 0)
  const objects = root.children
    .filter(({ name }) => name === 'Contents')
    .map(element =>
      listedObject.parse({
        key: decodeKey(textOf(element, 'Key')),
        bytes: Number(textOf(element, 'Size')),
        etag: textOf(element, 'ETag') ?? ''
      })
    )
    .map(({ etag, ...rest }) => ({ ...rest, etag: etag.replaceAll('"', '') }))
  const prefixes = root.children.filter(({ name }) => name === 'CommonPrefixes').map(element => decodeKey(textOf(element, 'Prefix')))
  const token = textOf(root, 'NextContinuationToken')
  const isTruncated = z.enum(['true', 'false']).parse(textOf(root, 'IsTruncated') ?? 'false') === 'true'
  if (isTruncated && (token === undefined || token === '')) throw new XmlError('a page that is not the last and names no next one', 0)
  return { objects, prefixes, next: isTruncated ? (token ?? null) : null }
}

/** All pages of what begins with a prefix. Throws `sync/...`. */
export async function* listPages(prefix: string, delimiter: '/' | null, options: ListingOptions): AsyncGenerator<ListingPage, void> {
  const seen = new Set<string>()
  for (let token: string | null = null; ; ) {
    const page: ListingPage = await withRetries(() => fetchPage(prefix, delimiter, token, options), options)
    yield page
    if (page.next === null) return
    // A server that gives the same page for ever must not be asked for ever.
    if (seen.has(page.next)) throw noListing(options.endpoint, 'its pages lead in a circle')
    seen.add(page.next)
    token = page.next
  }
}

function noListing(endpoint: string, why: string): SpliceError {
  return new SpliceError('sync/listing', `${new URL(endpoint).host} gives no listing of a bucket: ${why}`, {
    hint: 'Check the endpoint: it has to speak S3 (ListObjectsV2) for the bucket itself.',
    mistake: false
  })
}

async function fetchPage(prefix: string, delimiter: '/' | null, token: string | null, options: ListingOptions): Promise<ListingPage> {
  const { endpoint, signal, hasAnswered } = options
  const url = new URL(`${endpoint}/`)
  url.searchParams.set('list-type', '2')
  url.searchParams.set('encoding-type', 'url')
  url.searchParams.set('prefix', prefix)
  if (delimiter !== null) url.searchParams.set('delimiter', delimiter)
  if (token !== null) url.searchParams.set('continuation-token', token)
  const response = await ask(url.href, `the listing of ${prefix}`, { signal }).catch(thrown => {
    throw thrown instanceof PassingError && thrown.error.kind === 'sync/offline' && !hasAnswered.yet ? thrown.error : thrown
  })
  hasAnswered.yet = true
  let xml: string
  try {
    xml = await boundedText(response, longestXml)
  } catch (thrown) {
    throw broken(url.href, thrown)
  }
  try {
    return readListing(xml)
  } catch (thrown) {
    throw noListing(
      endpoint,
      thrown instanceof z.ZodError
        ? (z.prettifyError(thrown).split('\n')[0] ?? '')
        : thrown instanceof Error
          ? thrown.message
          : String(thrown)
    )
  }
}
