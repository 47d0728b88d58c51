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

/** The file of a folder that a URL of ours names, or null: neither another folder's, nor one of another place or method. */
function fileOf({ method, url }: Request, folder: string): string | null {
  const { host, pathname } = new URL(url)
  if (method !== 'GET' || host !== 'app' || /%(?![0-9a-f]{2})|%00/i.test(pathname)) return null
  const file = path.join(folder, pathname === '/' ? 'index.html' : decodeURIComponent(pathname))
  return file.startsWith(folder + path.sep) ? file : null
}

/** Answers splice://app/... with the files of a folder; anything else is not found. */
export function servePages(folder: string): void {
  protocol.handle('splice', async request => {
    const file = fileOf(request, folder)
    const body = file === null ? null : await fs.readFile(file).catch(() => null)
    if (file === null || body === null) return new Response(null, { status: 404 })
    return new Response(new Uint8Array(body), {
      headers: {
        'Content-Type': contentTypes[path.extname(file)] ?? 'application/octet-stream',
        'Content-Security-Policy': policy,
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Referrer-Policy': 'no-referrer',
        'X-Content-Type-Options': 'nosniff'
      }
    })
  })
}
