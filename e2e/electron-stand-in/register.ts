/**
 * Preloaded into Node with `--import`, it makes the process what Electron's main process is to an app: `electron` can be imported, argv
 * begins with the program, and `process` knows the resources. The stand-in is for tests: it is given what to be by variables.
 */
import { registerHooks } from 'node:module'
import path from 'node:path'

const [node = process.execPath, , ...args] = process.argv
const { STAND_IN_RESOURCES: resources } = process.env
/** A checkout's command line names the folder of the app, a packaged app's does not. */
process.argv = resources === undefined ? [node, process.cwd(), ...args] : [node, ...args]
Object.defineProperty(process, 'resourcesPath', { value: resources ?? path.join(path.dirname(process.execPath), 'resources') })
Object.defineProperty(process.versions, 'electron', { value: 'stand-in' })
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron' ? { url: new URL('./electron.ts', import.meta.url).href, shortCircuit: true } : next(specifier, context)
})
