/** Looks after the packaged app: Electron's own app goes, and the engine must be what was staged, since a packager leaves out what it takes for rubbish. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkEngineFiles } from '../src/main/electron/engine-files.ts'

const list = fileURLToPath(new URL('../.cache/dist/app/out/engine-files.json', import.meta.url))

export default async function afterPack({ packager, appOutDir }) {
  const resources = packager.getResourcesDir(appOutDir)
  await rm(join(resources, 'default_app.asar'), { force: true })
  await checkEngineFiles(join(resources, 'engine'), list)
}
