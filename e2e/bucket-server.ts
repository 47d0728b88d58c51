/**
 * A server on loopback that serves a bucket as S3 does: listings (ListObjectsV2) page by page, objects with ranges, ETags and
 * If-Match. It can refuse, be slow, cut connections, lie, and change an object between two ranges of it.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** What goes wrong with one answer. */
export interface Misbehaviour {
  /** Answers with this status, and `retryAfter` as the header says it. */
  status?: number
  retryAfter?: string
  /** Stops after so many bytes of the answer and breaks the connection. */
  cutAfter?: number
  /** Pauses so long after each piece of 16 kB, in ms. */
  pause?: number
  /** Sends the whole object for every range. */
  ignoresRanges?: boolean
  /** Sends the range from its start on, and says so. */
  otherRange?: boolean
  /** Says and sends so many bytes more. */
  tooLong?: number
  /** Sends other bytes of the same number. */
  otherBytes?: boolean
  /** Sends no ETag. */
  noEtag?: boolean
  /** The object becomes this one once the answer has been sent (or cut). */
  becomes?: Buffer
}

export interface BucketRequest {
  /** The key of an object, or `?` with the query of a listing. */
  path: string
  range: string | undefined
}

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex')
const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** What is wrong, each for one request after the other; `*` in place of a key for listings. */
type Misbehaviours = Record<string, Misbehaviour[]>

export interface BucketServer {
  /** For --endpoint. */
  readonly url: string
  /** May be changed while it runs. */
  readonly objects: Record<string, Buffer>
  /** Named by `etagOf`; an object of its own parts has another ETag than its MD5. */
  readonly etags: Record<string, string>
  readonly misbehaviours: Misbehaviours
  readonly requests: BucketRequest[]
  /** Requests of objects alone. */
  fetched(): string[]
  close(): Promise<void>
}

export const pageSize = 1000

/** Starts it with these objects. */
export async function startBucketServer(objects: Record<string, Buffer>): Promise<BucketServer> {
  const requests: BucketRequest[] = []
  const misbehaviours: Misbehaviours = {}
  const etags: Record<string, string> = {}
  const etagOf = (key: string) => etags[key] ?? md5(objects[key] ?? Buffer.alloc(0))
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://bucket')
    const key = decodeURIComponent(url.pathname.slice(1))
    requests.push({ path: key === '' ? `?${url.searchParams}` : key, range: request.headers.range })
    const wrong = misbehaviours[key === '' ? '*' : key]?.shift() ?? {}
    if (wrong.status !== undefined) {
      const header: Record<string, string> = wrong.retryAfter === undefined ? {} : { 'retry-after': wrong.retryAfter }
      return end(response, wrong.status, header, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${wrong.status}</Code></Error>`)
    }
    if (key === '') return end(response, 200, { 'content-type': 'application/xml' }, listing(url.searchParams))
    void sendObject(request, response, key, wrong)
  })

  /** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
  function listing(query: URLSearchParams): string {
    const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter')]
    const token = query.get('continuation-token')
    const after = token === null ? '' : Buffer.from(token, 'base64url').toString()
    const encode = (text: string) =>
      escapeXml(query.get('encoding-type') === 'url' ? encodeURIComponent(text).replaceAll('%2F', '/') : text)
    const rows: { name: string; xml: string }[] = []
    for (const key of Object.keys(objects).sort()) {
      if (!key.startsWith(prefix)) continue
      const cut = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length)
      const name = cut === -1 ? key : key.slice(0, cut + 1)
      if (rows.at(-1)?.name === name || name <= after) continue
      const xml =
        cut === -1
          ? `<Contents><Key>${encode(key)}</Key><LastModified>2025-10-01T00:00:00.000Z</LastModified><ETag>&quot;${etagOf(key)}&quot;</ETag><Size>${objects[key]?.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`
          : `<CommonPrefixes><Prefix>${encode(name)}</Prefix></CommonPrefixes>`
      rows.push({ name, xml })
    }
    const page = rows.slice(0, pageSize)
    const isTruncated = rows.length > page.length
    const next = isTruncated
      ? `<NextContinuationToken>${Buffer.from(page.at(-1)?.name ?? '').toString('base64url')}</NextContinuationToken>`
      : ''
    return `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>neuronpedia-datasets</Name><Prefix>${encode(prefix)}</Prefix>${next}<KeyCount>${page.length}</KeyCount><MaxKeys>${pageSize}</MaxKeys>${delimiter === null ? '' : `<Delimiter>${delimiter}</Delimiter>`}<EncodingType>url</EncodingType><IsTruncated>${isTruncated}</IsTruncated>${page.map(({ xml }) => xml).join('')}</ListBucketResult>`
  }

  async function sendObject(request: IncomingMessage, response: ServerResponse, key: string, wrong: Misbehaviour): Promise<void> {
    const object = objects[key]
    if (object === undefined) return end(response, 404, {}, '<Error><Code>NoSuchKey</Code></Error>')
    const { cutAfter, pause, tooLong = 0, becomes } = wrong
    const etag = `"${etagOf(key)}"`
    const match = request.headers['if-match']
    if (match !== undefined && match !== etag) return end(response, 412, {}, '<Error><Code>PreconditionFailed</Code></Error>')
    const bytes = wrong.otherBytes ? Buffer.from(object.map(byte => byte ^ 1)) : Buffer.concat([object, Buffer.alloc(tooLong, 7)])
    const range = wrong.ignoresRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
    const start = wrong.otherRange || range === null ? 0 : Number(range[1])
    if (range !== null && start >= bytes.length) return end(response, 416, { 'content-range': `bytes */${bytes.length}` }, '')
    const stop = range?.[2] ? Math.min(Number(range[2]) + 1, bytes.length) : bytes.length
    const part = bytes.subarray(start, stop)
    const headers: Record<string, string | number> = { 'accept-ranges': 'bytes', 'content-length': part.length }
    if (!wrong.noEtag) headers.etag = etag
    if (range !== null) headers['content-range'] = `bytes ${start}-${stop - 1}/${bytes.length}`
    response.writeHead(range === null ? 200 : 206, headers)
    const shown = cutAfter === undefined ? part : part.subarray(0, cutAfter)
    const piece = 16 * 1024
    for (let at = 0; at < shown.length && !response.destroyed; at += piece) {
      if (!response.write(shown.subarray(at, at + piece))) {
        await new Promise<void>(resolve => {
          response.once('drain', resolve)
          response.once('close', resolve)
        })
      }
      if (pause !== undefined) await wait(pause)
    }
    if (becomes !== undefined) objects[key] = becomes
    if (cutAfter === undefined || cutAfter >= part.length) response.end()
    // What was written arrives; then the connection ends before the answer does.
    else response.socket?.end()
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    etags,
    misbehaviours,
    requests,
    fetched: () => requests.filter(({ path }) => !path.startsWith('?')).map(({ path }) => path),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

function end(response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  response.writeHead(status, headers)
  response.end(body)
}
