/** The licenses of what is shipped, as the build wrote them beside its bundles. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type License, license } from '../../contract/about.ts'
import { SpliceError } from '../../contract/errors.ts'
import { parseJson } from '../checkpoint/json.ts'
import { readText } from '../checkpoint/open-file.ts'

const mostBytes = 16 * 1024 * 1024

/** Those of every package in this build. Throws `about/not-built` where there is no build. */
export async function readLicenses(): Promise<License[]> {
  // The bundle is in out/main or in its folder of chunks; the sources look for the project's build.
  const steps = import.meta.url.endsWith('.ts') ? ['../../../out/licenses.json'] : ['../licenses.json', '../../licenses.json']
  const file = steps.map(step => fileURLToPath(new URL(step, import.meta.url))).find(existsSync)
  if (file === undefined) {
    throw new SpliceError('about/not-built', 'out/licenses.json is missing: nothing is built', {
      hint: 'Run npm run build first.',
      mistake: false
    })
  }
  return z.array(license).parse(parseJson(await readText(file, mostBytes)))
}
