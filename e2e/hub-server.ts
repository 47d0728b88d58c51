/**
 * A server on loopback that speaks the Hugging Face hub's API as huggingface_hub and @huggingface/hub use it: model info, the tree in
 * pages, contents with ranges, behind a redirect to another host for LFS files. It can be slow, cut connections and lie.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** How the content of a file is served; each only for the first `times` requests of it, for ever without. */
export interface Misbehaviour {
  /** Stops after so many bytes of an answer and breaks the connection. */
  cutAfter?: number
  /** Pauses so long after each piece of 64 kB, in ms. */
  pause?: number
  /** Sends the whole file for every range. */
  ignoresRanges?: boolean
  /** Says and sends so many bytes more. */
  tooLong?: number
  /** Sends other bytes of the same number. */
  otherBytes?: boolean
  /** Answers with this status. */
  status?: number
  times?: number
}

export interface ServedFile {
  bytes: Buffer
  /** Large files are LFS files: named by sha256, served from the other host. */
  lfs?: boolean
  misbehaves?: Misbehaviour
}

export interface ServedRepository {
  commit: string
  branches?: string[]
  files: Record<string, ServedFile>
  /** Only for requests with this token. */
  token?: string
  /** What those without it hear: gated, or that there is no such repository. */
  gated?: boolean
}

/** What a request asked for. */
export interface HubRequest {
  host: 'hub' | 'content'
  path: string
  range: string | undefined
  authorization: string | undefined
}

export interface HubServer {
  /** For HF_ENDPOINT. */
  readonly url: string
  readonly repositories: Record<string, ServedRepository>
  readonly requests: HubRequest[]
  /** Requests of contents, by path. */
  contentsOf(path: string): HubRequest[]
  close(): Promise<void>
}

const pageSize = 3

/** The name of a file's content: sha256 of an LFS file, else git's blob id. */
export function etagOf({ bytes, lfs }: ServedFile): string {
  return lfs
    ? createHash('sha256').update(bytes).digest('hex')
    : createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Starts it with these repositories, which may be changed while it runs. */
export async function startHubServer(repositories: Record<string, ServedRepository>): Promise<HubServer> {
  const requests: HubRequest[] = []
  const log = (host: HubRequest['host'], request: IncomingMessage) => {
    requests.push({ host, path: request.url ?? '', range: request.headers.range, authorization: request.headers.authorization })
  }
  const contentServer = createServer((request, response) => {
    log('content', request)
    const [, repo = '', within = ''] = /^\/(.+?)\/-\/(.+)$/.exec(decodeURIComponent(request.url ?? '')) ?? []
    const file = repositories[repo]?.files[within]
    if (file === undefined) end(response, 404, {}, '')
    else void sendContent(request, response, file)
  })
  const contentUrl = await listen(contentServer)

  const hub = createServer((request, response) => {
    log('hub', request)
    const url = new URL(request.url ?? '/', 'http://hub')
    const path = decodeURIComponent(url.pathname)
    const api = /^\/api\/models\/([^/]+(?:\/[^/]+)?)\/(revision|tree)\/([^/]+)(?:\/(.*))?$/.exec(path)
    const content = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path)
    const name = api?.[1] ?? content?.[1] ?? ''
    const repository = repositories[name]
    const hasToken = repository?.token === undefined || request.headers.authorization === `Bearer ${repository.token}`
    // Gated repositories are open to look at, and closed to their contents.
    if (repository === undefined || (!hasToken && repository.gated !== true)) {
      return end(response, 401, { 'x-error-code': 'RepoNotFound' }, '{"error":"Repository not found"}')
    }
    const revision = api?.[3] ?? content?.[2] ?? ''
    if (![repository.commit, 'main', ...(repository.branches ?? [])].includes(revision)) {
      return end(response, 404, { 'x-error-code': 'RevisionNotFound' }, '{"error":"Invalid rev id"}')
    }
    if (api?.[2] === 'revision') {
      const info = { _id: '1', id: name, sha: repository.commit, private: false, gated: repository.gated ?? false, likes: 0, downloads: 0 }
      return end(response, 200, {}, JSON.stringify({ ...info, lastModified: '2025-10-01T00:00:00.000Z' }))
    }
    if (api !== null) return sendTree(response, url, repository, request.headers.host ?? '')
    const within = content?.[3] ?? ''
    const file = repository.files[within]
    if (file === undefined) return end(response, 404, { 'x-error-code': 'EntryNotFound' }, 'Entry not found')
    if (!hasToken) {
      return end(response, request.headers.authorization === undefined ? 401 : 403, { 'x-error-code': 'GatedRepo' }, 'Access is restricted')
    }
    if (!file.lfs) return void sendContent(request, response, file)
    const headers = {
      location: `${contentUrl}/${name}/-/${within}`,
      'x-linked-etag': `"${etagOf(file)}"`,
      'x-linked-size': file.bytes.length
    }
    return end(response, 302, headers, '')
  })
  const url = await listen(hub)
  return {
    url,
    repositories,
    requests,
    contentsOf: within => requests.filter(request => /\/(resolve|-)\//.test(request.path) && request.path.endsWith(`/${within}`)),
    close: async () => {
      for (const server of [hub, contentServer]) {
        server.closeAllConnections()
        await new Promise(resolve => server.close(resolve))
      }
    }
  }
}

function end(response: ServerResponse, status: number, headers: Record<string, string | number>, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body)
}

function sendTree(response: ServerResponse, url: URL, { files }: ServedRepository, host: string): void {
  const entries = Object.entries(files).map(([path, file]) => ({
    type: 'file',
    path,
    size: file.bytes.length,
    // Of an LFS file git has the pointer, whose id is another.
    oid: file.lfs ? 'f'.repeat(40) : etagOf(file),
    ...(file.lfs ? { lfs: { oid: etagOf(file), size: file.bytes.length, pointerSize: 134 } } : {})
  }))
  const folders = [...new Set(Object.keys(files).flatMap(path => (path.includes('/') ? [path.slice(0, path.lastIndexOf('/'))] : [])))]
  const all = [...folders.map(path => ({ type: 'directory', path, size: 0, oid: 'e'.repeat(40) })), ...entries]
  const start = Number(url.searchParams.get('cursor') ?? 0)
  const next = new URL(url)
  next.host = host
  next.searchParams.set('cursor', String(start + pageSize))
  const headers: Record<string, string> = start + pageSize < all.length ? { link: `<${next.href}>; rel="next"` } : {}
  end(response, 200, headers, JSON.stringify(all.slice(start, start + pageSize)))
}

/** What misbehaves now: counts down `times`. */
function misbehaviourOf(file: ServedFile): Misbehaviour {
  const { misbehaves } = file
  if (misbehaves === undefined) return {}
  if (misbehaves.times === undefined) return misbehaves
  if (misbehaves.times === 0) return {}
  misbehaves.times -= 1
  return misbehaves
}

/** Settles when more can be written, or nothing any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

async function sendContent(request: IncomingMessage, response: ServerResponse, file: ServedFile): Promise<void> {
  const { cutAfter, pause, ignoresRanges, tooLong = 0, otherBytes, status } = misbehaviourOf(file)
  if (status !== undefined) return end(response, status, status === 429 ? { 'retry-after': '0' } : {}, '')
  const bytes = otherBytes ? Buffer.from(file.bytes.map(byte => byte ^ 1)) : Buffer.concat([file.bytes, Buffer.alloc(tooLong, 7)])
  const range = ignoresRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const start = range === null ? 0 : Number(range[1])
  const stop = range?.[2] ? Math.min(Number(range[2]) + 1, bytes.length) : bytes.length
  const headers = { 'content-type': 'application/octet-stream', etag: `"${etagOf(file)}"`, 'accept-ranges': 'bytes' }
  if (start >= bytes.length && bytes.length > 0) return end(response, 416, { 'content-range': `bytes */${bytes.length}` }, '')
  const part = bytes.subarray(start, stop)
  const ranged = range === null ? {} : { 'content-range': `bytes ${start}-${stop - 1}/${bytes.length}` }
  response.writeHead(range === null ? 200 : 206, { ...headers, ...ranged, 'content-length': part.length })
  const shown = cutAfter === undefined ? part : part.subarray(0, cutAfter)
  const piece = 64 * 1024
  for (let at = 0; at < shown.length && !response.destroyed; at += piece) {
    if (!response.write(shown.subarray(at, at + piece))) await drained(response)
    if (pause !== undefined) await wait(pause)
  }
  if (cutAfter === undefined || cutAfter >= part.length) response.end()
  // What was written arrives; then the connection ends before the answer does.
  else response.socket?.end()
}
