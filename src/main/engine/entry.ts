/** The engine process: serves the contract to whatever its parent connects, until the parent is gone. */

import { z } from 'zod'
import { toErrorData } from '../../contract/errors.ts'
import { createEngine } from './engine.ts'
import { Peers } from './peers.ts'

const { SPLICE_DB, SPLICE_LAST_DEATH } = process.env
/** Folders that clients may name paths in, as its host was told. */
const only = z.array(z.string()).optional()
// Processes that this one starts are no business of it.
delete process.env.SPLICE_LAST_DEATH
if (process.env.MALLOC_ARENA_MAX === '2') delete process.env.MALLOC_ARENA_MAX

/** One may count while the other searches. */
const mirrorReaders = 2

/** Frames that come while the engine opens wait for it. */
const waiting: unknown[] = []
let peers: Peers | null = null

process.on('message', message => {
  if (peers === null) waiting.push(message)
  else peers.receive(message)
})
process.on('disconnect', () => process.exit(0))
// Ctrl-C in a terminal reaches the whole group; the host decides when this process ends.
process.on('SIGINT', () => undefined)

/** Sends to the host. Where that is gone, `disconnect` ends this process. */
function tell(message: object, then: () => void = () => undefined): void {
  process.send?.(message, undefined, undefined, then)
}

try {
  const engine = await createEngine({
    db: SPLICE_DB === '' ? undefined : SPLICE_DB,
    only: only.parse(process.argv[2] === undefined ? undefined : JSON.parse(process.argv[2])),
    importDemo: true,
    readers: mirrorReaders,
    repairs: true
  })
  if (SPLICE_LAST_DEATH !== undefined) engine.noteDeath(SPLICE_LAST_DEATH)
  peers = new Peers(engine.router, message => tell(message))
  for (const message of waiting.splice(0)) peers.receive(message)
  tell({ kind: 'ready' })
  engine.warmUp()
} catch (thrown) {
  tell({ kind: 'failed', error: toErrorData(thrown) }, () => process.exit(1))
}
