/** `npm run drills`: builds nothing, needs `npm run build` before; e2e/drills/run.ts says what it takes. */
import { fileURLToPath } from 'node:url'
import { runOnProjectNode } from './project-node.mjs'

runOnProjectNode(fileURLToPath(new URL('..', import.meta.url)), import.meta.url)
await import('../e2e/drills/run.ts')
