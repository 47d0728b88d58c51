/** The contract's procedures over the engine's services. Every error leaves as code `SPLICE` with its data. */
import { implement, ORPCError } from '@orpc/server'
import { toErrorData } from '../../contract/errors.ts'
import { contract } from '../../contract/index.ts'
import { doctorReport } from '../doctor/report.ts'
import { hubTokenState, keepHubToken } from '../hub/token.ts'
import { chatTemplateOf } from '../inference/chat-template.ts'
import { resetCatalogue, updateCatalogue } from '../library/catalogue-update.ts'
import { readModelConfig, readSaeConfig } from '../library/configs.ts'
import { findInstalledCatalogues } from '../library/installed-sae-lens.ts'
import { releaseIndex } from '../library/releases.ts'
import { sourceTrapsOf } from '../library/traps.ts'
import { aboutSplice } from './about.ts'
import { testPrompt } from './answers.ts'
import { attribution } from './attributions.ts'
import { diagnosticsText } from './diagnostics.ts'
import type { EngineServices } from './engine.ts'
import { evaluation } from './evaluations.ts'
import { FeatureReadings } from './feature-readings.ts'
import { firingsOf, readWeights } from './feature-weights.ts'
import { generate } from './generations.ts'
import { HeldFiles } from './held-files.ts'
import { exportHits } from './hit-export.ts'
import { listAllHookPoints } from './hook-points.ts'
import { activationValues, downloadHooks, listHooks, openActivation } from './hooks.ts'
import { releasesWith, scanEvents } from './library-events.ts'
import { readLicenses } from './licenses.ts'
import { checkLogits } from './logit-check.ts'
import { readLens } from './logit-lens.ts'
import { importEvents, workEvents } from './mirror-events.ts'
import { explainEntries, watchNotebook } from './notebook-events.ts'
import { patch, patching } from './patchings.ts'
import { keptRun } from './runs.ts'
import { checkSae } from './sae-check/check.ts'
import { processingOf } from './sae-loadings.ts'
import { overviewOf } from './source-overview.ts'

function asContractError(thrown: unknown): ORPCError<'SPLICE', ReturnType<typeof toErrorData>> {
  const data = toErrorData(thrown)
  return new ORPCError('SPLICE', { defined: true, status: 422, message: data.message, data, cause: thrown })
}

/** Implements the contract. */
export function makeRouter(services: EngineServices) {
  /** The error as clients get it, written down for diagnostics. */
  function told(thrown: unknown): ORPCError<'SPLICE', ReturnType<typeof toErrorData>> {
    const error = asContractError(thrown)
    services.troubles.note(error.data)
    return error
  }
  async function* withContractErrors<Event>(events: AsyncGenerator<Event, void>): AsyncGenerator<Event, void> {
    try {
      yield* events
    } catch (thrown) {
      throw told(thrown)
    }
  }
  const { library, prompts, mirror, downloads, harvests, history, notebook, settings, syncs } = services
  const held = new HeldFiles(services.home)
  const readings = new FeatureReadings(services)
  const releases = releasesWith(library, mirror)
  const os = implement(contract).use(async ({ next }, input: unknown) => {
    try {
      services.paths?.requireAll(input)
      return await next()
    } catch (thrown) {
      if (thrown instanceof ORPCError) throw thrown
      throw told(thrown)
    }
  })
  return os.router({
    engine: {
      status: os.engine.status.handler(() => services.status()),
      about: os.engine.about.handler(async () => {
        await services.inference.ready()
        return aboutSplice(services.home, services.inference.providers)
      }),
      licenses: os.engine.licenses.handler(() => readLicenses()),
      diagnostics: os.engine.diagnostics.handler(async () => ({ text: await diagnosticsText(services) })),
      watch: os.engine.watch.handler(({ signal }) => withContractErrors(services.watch(signal))),
      unload: os.engine.unload.handler(async () => {
        await services.inference.restart()
        return services.status()
      }),
      settings: os.engine.settings.handler(() => library.settings()),
      changeSettings: os.engine.changeSettings.handler(({ input }) => settings.change(input)),
      settingsReport: os.engine.settingsReport.handler(() => settings.report()),
      doctor: os.engine.doctor.handler(() => doctorReport(services.home)),
      cache: os.engine.cache.handler(() => settings.cache()),
      clearCache: os.engine.clearCache.handler(() => settings.clearCache())
    },
    library: {
      workspace: os.library.workspace.handler(() => library.workspace()),
      saveWorkspace: os.library.saveWorkspace.handler(({ input }) => library.saveWorkspace(input)),
      openModel: os.library.openModel.handler(({ input }) => library.openModel(input.path)),
      openSae: os.library.openSae.handler(({ input: { path, ...choices } }) => library.openSae(path, choices)),
      inspect: os.library.inspect.handler(({ input }) => library.inspect(input.path)),
      findSaes: os.library.findSaes.handler(({ input, signal }) => library.findSaes(input.path, signal)),
      recent: os.library.recent.handler(() => library.recent()),
      browse: os.library.browse.handler(({ input }) => library.browse(input.path ?? services.paths?.start)),
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
      sourceTraps: os.releases.sourceTraps.handler(async () => sourceTrapsOf((await releaseIndex()).catalogue.traps)),
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
      logitLens: os.runs.logitLens.handler(({ input, signal }) => withContractErrors(readLens(input, services, signal))),
      readFeatures: os.runs.readFeatures.handler(({ input, signal }) => withContractErrors(readings.read(input, signal))),
      activeFeatures: os.runs.activeFeatures.handler(({ input }) => readings.of(input)),
      evaluate: os.runs.evaluate.handler(({ input, signal }) => withContractErrors(evaluation(input, services, signal))),
      attribute: os.runs.attribute.handler(({ input, signal }) => withContractErrors(attribution(input, services, signal))),
      patch: os.runs.patch.handler(({ input, signal }) => withContractErrors(patching(input, services, signal))),
      patchOne: os.runs.patchOne.handler(({ input, signal }) => withContractErrors(patch(input, services, signal))),
      tokenize: os.runs.tokenize.handler(({ input, signal }) => services.inference.tokenize(input.model, input.prompt, signal)),
      chatTemplate: os.runs.chatTemplate.handler(({ input }) => chatTemplateOf(input.model))
    },
    harvests: {
      plan: os.harvests.plan.handler(({ input }) => harvests.plan(input)),
      run: os.harvests.run.handler(({ input, signal }) => withContractErrors(harvests.run(input, signal))),
      merge: os.harvests.merge.handler(({ input, signal }) => withContractErrors(harvests.merge(input, signal))),
      unfinished: os.harvests.unfinished.handler(() => harvests.unfinished()),
      discard: os.harvests.discard.handler(({ input }) => harvests.discard(input.file))
    },
    features: {
      weights: os.features.weights.handler(({ input, signal }) => withContractErrors(readWeights(input, services, signal))),
      firings: os.features.firings.handler(({ input }) => firingsOf(input, history))
    },
    prompts: {
      list: os.prompts.list.handler(() => prompts.list()),
      save: os.prompts.save.handler(({ input }) => prompts.save(input)),
      remove: os.prompts.remove.handler(({ input }) => prompts.remove(input.id))
    },
    history: {
      list: os.history.list.handler(({ input }) => history.list(input)),
      summary: os.history.summary.handler(() => history.summary()),
      open: os.history.open.handler(({ input }) => history.open(input.id)),
      change: os.history.change.handler(({ input }) => history.change(input)),
      remove: os.history.remove.handler(async ({ input }) => ({ removed: await history.remove(input.ids) })),
      restore: os.history.restore.handler(async ({ input }) => ({ restored: await history.restore(input.ids) })),
      clear: os.history.clear.handler(async ({ input }) => ({ removed: await history.clear(input) })),
      attributions: os.history.attributions.handler(({ input }) => history.attributions(input.id)),
      removeAttribution: os.history.removeAttribution.handler(async ({ input }) => ({
        removed: await history.markAttribution(input.number, true)
      })),
      restoreAttribution: os.history.restoreAttribution.handler(async ({ input }) => ({
        restored: await history.markAttribution(input.number, false)
      })),
      patchings: os.history.patchings.handler(({ input }) => history.patchings(input.id)),
      removePatching: os.history.removePatching.handler(async ({ input }) => ({ removed: await history.markPatching(input.number, true) })),
      restorePatching: os.history.restorePatching.handler(async ({ input }) => ({
        restored: await history.markPatching(input.number, false)
      }))
    },
    hooks: {
      points: os.hooks.points.handler(({ input }) => listAllHookPoints(input.model, input.saes)),
      list: os.hooks.list.handler(({ input, signal }) => withContractErrors(listHooks(input, services, signal))),
      open: os.hooks.open.handler(({ input, signal }) => withContractErrors(openActivation(input, services, signal))),
      values: os.hooks.values.handler(({ input, signal }) => activationValues(input, input.window, services, signal)),
      download: os.hooks.download.handler(({ input, signal }) => withContractErrors(downloadHooks(input, services, held, signal))),
      downloadPart: os.hooks.downloadPart.handler(async ({ input }) => ({ bytes: await held.part(input) }))
    },
    notebook: {
      watch: os.notebook.watch.handler(({ signal }) => withContractErrors(watchNotebook(notebook, signal))),
      lists: os.notebook.lists.handler(() => notebook.lists()),
      createList: os.notebook.createList.handler(({ input }) => notebook.createList(input.name)),
      renameList: os.notebook.renameList.handler(({ input }) => notebook.renameList(input.id, input.name)),
      removeList: os.notebook.removeList.handler(({ input }) => notebook.removeList(input.id)),
      addToList: os.notebook.addToList.handler(({ input }) => notebook.addToList(input.list, input.features)),
      removeFromList: os.notebook.removeFromList.handler(({ input }) => notebook.removeFromList(input.list, input.features)),
      writeNote: os.notebook.writeNote.handler(({ input: { text, ...feature } }) => notebook.writeNote(feature, text)),
      marks: os.notebook.marks.handler(({ input }) => notebook.marks(input.features)),
      entries: os.notebook.entries.handler(({ input }) => explainEntries(notebook.entries(input), mirror)),
      exportFile: os.notebook.exportFile.handler(() => notebook.exportFile()),
      importFile: os.notebook.importFile.handler(({ input }) => notebook.importFile(input)),
      searches: os.notebook.searches.handler(() => notebook.searches()),
      rememberSearch: os.notebook.rememberSearch.handler(({ input }) => notebook.rememberSearch(input)),
      saveSearch: os.notebook.saveSearch.handler(({ input }) => notebook.saveSearch(input.name, input.question)),
      removeSearch: os.notebook.removeSearch.handler(({ input }) => notebook.removeSearch(input.name)),
      forgetSearches: os.notebook.forgetSearches.handler(() => notebook.forgetSearches())
    },
    explanations: {
      search: os.explanations.search.handler(({ input, signal }) => mirror.search(input, signal)),
      count: os.explanations.count.handler(({ input, signal }) => mirror.count(input, signal)),
      feature: os.explanations.feature.handler(({ input }) => mirror.feature(input.source, input.index)),
      sources: os.explanations.sources.handler(() => mirror.sources()),
      explain: os.explanations.explain.handler(async ({ input }) =>
        [...(await mirror.explanationsOf(input.source, input.indices))].map(([index, known]) => ({ index, ...known }))
      ),
      export: os.explanations.export.handler(({ input, signal }) => withContractErrors(exportHits(mirror, input, held, signal))),
      exportPart: os.explanations.exportPart.handler(async ({ input }) => ({ bytes: await held.part(input) })),
      checkLogits: os.explanations.checkLogits.handler(({ input, signal }) => withContractErrors(checkLogits(input, services, signal))),
      overview: os.explanations.overview.handler(({ input }) => overviewOf(services, input)),
      similar: os.explanations.similar.handler(({ input, signal }) => mirror.similar(input, signal)),
      importFiles: os.explanations.importFiles.handler(({ input, signal }) => withContractErrors(importEvents(services, input, signal))),
      rejects: os.explanations.rejects.handler(({ input }) => mirror.rejects(input.file, input.limit))
    },
    mirror: {
      state: os.mirror.state.handler(() => mirror.state()),
      check: os.mirror.check.handler(({ signal }) => withContractErrors(workEvents(services, signal, options => mirror.check(options)))),
      backup: os.mirror.backup.handler(({ input, signal }) =>
        withContractErrors(workEvents(services, signal, options => mirror.backup(input.file, options)))
      ),
      remove: os.mirror.remove.handler(({ input, signal }) =>
        withContractErrors(workEvents(services, signal, options => mirror.remove(input, options)))
      ),
      compact: os.mirror.compact.handler(({ signal }) =>
        withContractErrors(workEvents(services, signal, options => mirror.compact(options)))
      )
    },
    sync: {
      list: os.sync.list.handler(({ input, signal }) => syncs.list(input, signal)),
      plan: os.sync.plan.handler(({ input, signal }) => withContractErrors(syncs.plan(input, signal))),
      start: os.sync.start.handler(({ input }) => syncs.start(input)),
      watch: os.sync.watch.handler(({ signal }) => withContractErrors(syncs.watch(signal))),
      pause: os.sync.pause.handler(() => syncs.pause()),
      resume: os.sync.resume.handler(() => syncs.resume()),
      cancel: os.sync.cancel.handler(() => syncs.cancel())
    }
  })
}
