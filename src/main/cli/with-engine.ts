/** One command's engine: opened in this process, closed whatever happens. */
import type { Notice } from '../../contract/engine.ts'
import type { Engine } from '../engine/engine.ts'

/**
 * Gives `work` a client of an engine over the mirror `db` (the home's where it is undefined) and closes the engine after it.
 * The demo is imported into the home's mirror alone: a file that the person named holds what they put there.
 * `infers` starts the inference process at once, since the work will ask for it; `onNotice` hears of what no request answers; `explains` is false for work that needs no explanations.
 */
export async function withEngine<Result>(
  options: { db: string | undefined; infers?: boolean; explains?: boolean; onNotice?: (notice: Notice) => void },
  work: (client: Engine['client']) => Promise<Result>
): Promise<Result> {
  // Imported late: a mistake in the arguments is said before anything is loaded.
  const { createEngine } = await import('../engine/engine.ts')
  const { db, onNotice } = options
  const engine = await createEngine({
    ...(db === undefined ? {} : { db }),
    ...(onNotice === undefined ? {} : { onNotice }),
    importDemo: db === undefined && options.explains !== false
  })
  try {
    if (options.infers === true) engine.warmUp()
    await engine.demoImported
    return await work(engine.client)
  } finally {
    await engine.close()
  }
}
