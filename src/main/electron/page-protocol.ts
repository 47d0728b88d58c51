/** Serves the window's page as splice://app/, from the built files alone, with a strict content security policy. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { protocol } from 'electron'

export const pageOrigin = 'splice://app'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2'
}
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; frame-src https://www.neuronpedia.org; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Call before the app is ready. */
export function registerPageScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: 'splice', privileges: { standard: true, secure: true, supportFetchAPI: true } }])
}

/** Answers splice://app/... with the files of a folder; anything else is not found. */
export function servePages(folder: string): void {
  protocol.handle('splice', async request => {
    const { origin, pathname } = new URL(request.url)
    const file = path.join(folder, pathname === '/' ? 'index.html' : decodeURIComponent(pathname))
    const isInside = file.startsWith(folder + path.sep)
    // Custom schemes have the origin "null" in Node's URL; the host says whose page it is.
    if ((origin !== 'null' && origin !== pageOrigin) || new URL(request.url).host !== 'app' || !isInside)
      return new Response(null, { status: 404 })
    const body = await fs.readFile(file).catch(() => null)
    if (body === null) return new Response(null, { status: 404 })
    return new Response(new Uint8Array(body), {
      headers: {
        'Content-Type': contentTypes[path.extname(file)] ?? 'application/octet-stream',
        'Content-Security-Policy': policy,
        'X-Content-Type-Options': 'nosniff'
      }
    })
  })
}
