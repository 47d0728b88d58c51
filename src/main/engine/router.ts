/** The contract's procedures over the engine's services. Every error leaves as code `SPLICE` with its data. */
import { implement, ORPCError } from '@orpc/server'
import { toErrorData } from '../../contract/errors.ts'
import type { ImportEvent } from '../../contract/explanations.ts'
import { contract } from '../../contract/index.ts'
import { hubTokenState, keepHubToken } from '../hub/token.ts'
import { resetCatalogue, updateCatalogue } from '../library/catalogue-update.ts'
import { readModelConfig, readSaeConfig } from '../library/configs.ts'
import { findInstalledCatalogues } from '../library/installed-sae-lens.ts'
import { testPrompt } from './answers.ts'
import type { EngineServices } from './engine.ts'
import { evaluation } from './evaluations.ts'
import { EventQueue } from './event-queue.ts'
import { generate } from './generations.ts'
import { listAllHookPoints } from './hook-points.ts'
import { activationValues, HookFiles, listHooks, openActivation } from './hooks.ts'
import { releasesWith, scanEvents } from './library-events.ts'
import { keptRun } from './runs.ts'
import { checkSae } from './sae-check/check.ts'
import { processingOf } from './sae-loadings.ts'

function asContractError(thrown: unknown): ORPCError<'SPLICE', ReturnType<typeof toErrorData>> {
  const data = toErrorData(thrown)
  return new ORPCError('SPLICE', { defined: true, status: 422, message: data.message, data, cause: thrown })
}

async function* withContractErrors<Event>(events: AsyncGenerator<Event, void>): AsyncGenerator<Event, void> {
  try {
    yield* events
  } catch (thrown) {
    throw asContractError(thrown)
  }
}

async function* importEvents(
  services: EngineServices,
  paths: readonly string[],
  signal: AbortSignal | undefined
): AsyncGenerator<ImportEvent, void> {
  const events = new EventQueue<ImportEvent>()
  const abort = new AbortController()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  const work = services.mirror
    .importFiles(paths, { signal: abort.signal, onProgress: progress => events.push({ type: 'progress', ...progress }) })
    .finally(() => events.close())
  // The queue ends first; the error is thrown where the result is awaited.
  work.catch(() => undefined)
  services.announceStatus()
  try {
    yield* events
    yield { type: 'result', ...(await work) }
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
    services.announceStatus()
  }
}

/** Implements the contract. */
export function makeRouter(services: EngineServices) {
  const { library, mirror, downloads, history } = services
  const hookFiles = new HookFiles(services.home)
  const releases = releasesWith(library, mirror)
  const os = implement(contract).use(async ({ next }) => {
    try {
      return await next()
    } catch (thrown) {
      if (thrown instanceof ORPCError) throw thrown
      throw asContractError(thrown)
    }
  })
  return os.router({
    engine: {
      status: os.engine.status.handler(() => services.status()),
      watch: os.engine.watch.handler(({ signal }) => withContractErrors(services.watch(signal))),
      settings: os.engine.settings.handler(() => library.settings()),
      changeSettings: os.engine.changeSettings.handler(({ input }) => library.changeSettings(input))
    },
    library: {
      workspace: os.library.workspace.handler(() => library.workspace()),
      saveWorkspace: os.library.saveWorkspace.handler(({ input }) => library.saveWorkspace(input)),
      openModel: os.library.openModel.handler(({ input }) => library.openModel(input.path)),
      openSae: os.library.openSae.handler(({ input: { path, ...choices } }) => library.openSae(path, choices)),
      inspect: os.library.inspect.handler(({ input }) => library.inspect(input.path)),
      findSaes: os.library.findSaes.handler(({ input, signal }) => library.findSaes(input.path, signal)),
      recent: os.library.recent.handler(() => library.recent()),
      browse: os.library.browse.handler(({ input }) => library.browse(input.path)),
      identify: os.library.identify.handler(({ input }) => library.identify(input.path)),
      folders: os.library.folders.handler(() => library.folders()),
      onDisk: os.library.onDisk.handler(() => library.onDisk()),
      scan: os.library.scan.handler(({ input, signal }) => withContractErrors(scanEvents(library, input.paths, signal))),
      modelConfig: os.library.modelConfig.handler(({ input }) => readModelConfig(input.path)),
      saeConfig: os.library.saeConfig.handler(({ input }) => readSaeConfig(input.path, input.hook))
    },
    releases: {
      list: os.releases.list.handler(() => releases.list()),
      saes: os.releases.saes.handler(({ input }) => releases.saes(input.model)),
      installed: os.releases.installed.handler(({ input }) => findInstalledCatalogues(input.path)),
      update: os.releases.update.handler(({ input, signal }) => updateCatalogue(services.home, input, signal)),
      reset: os.releases.reset.handler(() => resetCatalogue(services.home))
    },
    downloads: {
      start: os.downloads.start.handler(({ input }) => downloads.start(input)),
      watch: os.downloads.watch.handler(({ signal }) => withContractErrors(downloads.watch(signal))),
      cancel: os.downloads.cancel.handler(({ input }) => downloads.cancel(input.id)),
      again: os.downloads.again.handler(({ input }) => downloads.again(input.id)),
      dismiss: os.downloads.dismiss.handler(({ input }) => downloads.dismiss(input.id)),
      token: os.downloads.token.handler(() => hubTokenState(services.home)),
      keepToken: os.downloads.keepToken.handler(({ input }) => keepHubToken(services.home, input.token))
    },
    runs: {
      run: os.runs.run.handler(({ input, signal }) => withContractErrors(keptRun(input, services, signal))),
      processing: os.runs.processing.handler(({ input }) => processingOf(input.processing, input.saes)),
      checkSae: os.runs.checkSae.handler(({ input, signal }) => withContractErrors(checkSae(input, services, signal))),
      generate: os.runs.generate.handler(({ input, signal }) => withContractErrors(generate(input, services, signal))),
      testPrompt: os.runs.testPrompt.handler(({ input, signal }) => withContractErrors(testPrompt(input, services, signal))),
      evaluate: os.runs.evaluate.handler(({ input, signal }) => withContractErrors(evaluation(input, services, signal))),
      tokenize: os.runs.tokenize.handler(({ input, signal }) => services.inference.tokenize(input.model, input.prompt, signal))
    },
    history: {
      list: os.history.list.handler(({ input }) => history.list(input)),
      summary: os.history.summary.handler(() => history.summary()),
      open: os.history.open.handler(({ input }) => history.open(input.id)),
      change: os.history.change.handler(({ input }) => history.change(input)),
      remove: os.history.remove.handler(async ({ input }) => ({ removed: await history.remove(input.ids) })),
      restore: os.history.restore.handler(async ({ input }) => ({ restored: await history.restore(input.ids) })),
      clear: os.history.clear.handler(async ({ input }) => ({ removed: await history.clear(input) }))
    },
    hooks: {
      points: os.hooks.points.handler(({ input }) => listAllHookPoints(input.model, input.saes)),
      list: os.hooks.list.handler(({ input, signal }) => withContractErrors(listHooks(input, services, signal))),
      open: os.hooks.open.handler(({ input, signal }) => withContractErrors(openActivation(input, services, signal))),
      values: os.hooks.values.handler(({ input, signal }) => activationValues(input, input.window, services, signal)),
      download: os.hooks.download.handler(({ input, signal }) =>
        withContractErrors(hookFiles.download(input.run, input.logits, services, signal))
      ),
      downloadPart: os.hooks.downloadPart.handler(async ({ input }) => ({ bytes: await hookFiles.part(input) }))
    },
    explanations: {
      search: os.explanations.search.handler(({ input, signal }) => mirror.search(input, signal)),
      count: os.explanations.count.handler(({ input, signal }) => mirror.count(input, signal)),
      feature: os.explanations.feature.handler(({ input }) => mirror.feature(input.source, input.index)),
      sources: os.explanations.sources.handler(() => mirror.sources()),
      importFiles: os.explanations.importFiles.handler(({ input, signal }) =>
        withContractErrors(importEvents(services, input.paths, signal))
      )
    }
  })
}
