/** Serves the built page, and nothing else: the files of out/renderer by their exact names. */
import fs from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { SpliceError } from '../../contract/errors.ts'
import type { Access } from './access.ts'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2'
}

/** Nothing but the page's own files runs, and nobody frames it. */
const headers: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'Cache-Control': 'no-store'
}

/** The built page: beside the bundle, or below the project's folder when run from the sources. */
function pageFolder(): string {
  const from = path.dirname(fileURLToPath(import.meta.url))
  const candidates = ['../renderer', '../../renderer', '../../../out/renderer'].map(step => path.resolve(from, step))
  return candidates.find(folder => fs.existsSync(path.join(folder, 'assets'))) ?? path.resolve(from, '../renderer')
}

let files: ReadonlyMap<string, string> | null = null

/** The page's files by the path they are asked for. Throws `serve/not-built` where there are none. */
export function pageFiles(): ReadonlyMap<string, string> {
  if (files !== null) return files
  const folder = pageFolder()
  if (!fs.existsSync(folder)) {
    throw new SpliceError('serve/not-built', `${folder} is not there`, { file: folder, hint: 'Run npm run build first.' })
  }
  const names = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  files = new Map(
    names.map(entry => {
      const file = path.join(entry.parentPath, entry.name)
      return [`/${path.relative(folder, file).split(path.sep).join('/')}`, file]
    })
  )
  return files
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end(`${message}\n`)
}

/** Answers one request. */
export function servePage(request: IncomingMessage, response: ServerResponse, access: Access): void {
  if (!access.isLoopback(request)) {
    refuse(response, 421, 'Splice answers to localhost alone.')
    return
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    refuse(response, 405, 'Splice serves pages.')
    return
  }
  const url = URL.parse(request.url ?? '/', 'http://localhost')
  if (url === null) {
    refuse(response, 400, 'That is no address.')
    return
  }
  if (access.hasToken(url.searchParams.get('token'))) {
    response.writeHead(303, { ...headers, 'Set-Cookie': access.setCookie, Location: '/' }).end()
    return
  }
  if (!access.hasCookie(request)) {
    refuse(response, 401, 'Open the address that splice serve printed; it carries the key.')
    return
  }
  const file = pageFiles().get(url.pathname === '/' ? '/index.html' : url.pathname)
  if (file === undefined) {
    refuse(response, 404, 'There is nothing here.')
    return
  }
  const type = contentTypes[path.extname(file)] ?? 'application/octet-stream'
  // Names under assets carry a hash of their content.
  const caching = url.pathname.startsWith('/assets/') ? { 'Cache-Control': 'private, max-age=31536000, immutable' } : {}
  response.writeHead(200, { ...headers, ...caching, 'Content-Type': type })
  if (request.method === 'HEAD') response.end()
  else fs.createReadStream(file).pipe(response)
}
