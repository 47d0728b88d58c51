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
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; frame-src https://www.neuronpedia.org; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'Cache-Control': 'no-store'
}

/** The page's files by the path they are asked for. Held in memory: a build meanwhile does not pull the page from under its tabs. */
export type Page = ReadonlyMap<string, { readonly type: string; readonly body: Buffer }>

/** The built page's folder: beside the bundle's, or below the project's when run from the sources. Throws `serve/not-built`. */
export function pageFolder(): string {
  // The bundle is in out/main or in its folder of chunks.
  const steps = import.meta.url.endsWith('.ts') ? ['../../../out/renderer'] : ['../renderer', '../../renderer']
  const folders = steps.map(step => fileURLToPath(new URL(step, import.meta.url)))
  const found = folders.find(folder => fs.existsSync(path.join(folder, 'index.html')))
  if (found !== undefined) return found
  throw new SpliceError('serve/not-built', 'the page is not built: out/renderer is missing', { hint: 'Run npm run build first.' })
}

/** Reads the files of a folder. */
export function readPage(folder: string): Page {
  const names = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return new Map(
    names.map(entry => {
      const file = path.join(entry.parentPath, entry.name)
      const type = contentTypes[path.extname(file)] ?? 'application/octet-stream'
      return [`/${path.relative(folder, file).split(path.sep).join('/')}`, { type, body: fs.readFileSync(file) }]
    })
  )
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' }).end(`${message}\n`)
}

/** Answers one request. */
export function servePage(request: IncomingMessage, response: ServerResponse, page: Page, access: Access): void {
  if (!access.isLoopback(request)) {
    refuse(response, 421, 'Splice answers to localhost alone.')
    return
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    refuse(response, 405, 'Splice serves pages.')
    return
  }
  // A path and nothing before it: an address there would go before the Host that was looked at.
  const url = request.url?.startsWith('/') === true ? URL.parse(`http://localhost${request.url}`) : null
  if (url === null) {
    refuse(response, 400, 'That is no address.')
    return
  }
  if (access.isForeignUse(request)) {
    refuse(response, 403, 'Another site may not use this.')
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
  const file = page.get(url.pathname === '/' ? '/index.html' : url.pathname)
  if (file === undefined) {
    refuse(response, 404, 'There is nothing here.')
    return
  }
  // Names under assets carry a hash of their content.
  const caching = url.pathname.startsWith('/assets/') ? { 'Cache-Control': 'private, max-age=31536000, immutable' } : {}
  response.writeHead(200, { ...headers, ...caching, 'Content-Type': file.type, 'Content-Length': file.body.length })
  response.end(request.method === 'HEAD' ? undefined : file.body)
}
