/** The browser of the e2e tests. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { installOnDebian } from './debian-packages.mjs'

const debian = '/usr/bin/chromium'

/**
 * Chromium's path: SPLICE_CHROMIUM, else Debian's, else Debian's freshly installed where we are root there, else playwright's own.
 * Where there is none, `path` is null and `message` says what to do.
 */
export function findChromium(root) {
  const named = process.env.SPLICE_CHROMIUM
  if (named) {
    return existsSync(named) ? { path: named } : { path: null, message: `e2e: SPLICE_CHROMIUM is ${named}, but nothing is there.` }
  }
  if (existsSync(debian) || (installOnDebian('e2e', ['chromium']) && existsSync(debian))) return { path: debian }
  const own = createRequire(join(root, 'package.json'))('playwright-core').chromium.executablePath()
  if (own && existsSync(own)) return { path: own }
  const message = 'e2e: no Chromium. Install it (Debian: apt-get install chromium) or set SPLICE_CHROMIUM to its path.'
  return { path: null, message }
}
