/**
 * The contract: everything a client (window, browser tab, command line, test) can ask of the engine.
 * Streams are event iterators; ending one early cancels the work behind it.
 */
import { eventIterator, oc } from '@orpc/contract'
import { z } from 'zod'
import { about, diagnostics, license } from './about.ts'
import { answersEvent, answersRequest } from './answers.ts'
import { attributionEvent, attributionRequest, keptAttribution } from './attribution.ts'
import { modelConfig, saeConfig } from './configs.ts'
import { doctorReport } from './doctor.ts'
import { download, downloadRequest, tokenState } from './downloads.ts'
import { engineEvent, engineStatus } from './engine.ts'
import { errorData } from './errors.ts'
import { evaluationEvent, evaluationRequest } from './evaluation.ts'
import {
  countRequest,
  countResult,
  featureKey,
  featurePage,
  importEvent,
  importRequest,
  overviewRequest,
  rejectedRows,
  rejectsRequest,
  searchRequest,
  searchResult,
  similarRequest,
  similarResult,
  sourceOverview,
  sourceSummary
} from './explanations.ts'
import { activeFeatures, activeFeaturesRequest, featureReadingEvent, featureReadingRequest } from './feature-readings.ts'
import { featureWeightsEvent, featureWeightsRequest, firings, firingsRequest } from './feature-weights.ts'
import { generationEvent, generationRequest } from './generation.ts'
import { harvestEvent, harvestMergeEvent, harvestMergeRequest, harvestPlan, harvestRequest, unfinishedHarvest } from './harvest.ts'
import { filePart } from './held-files.ts'
import { historyChange, historyClearing, historyPage, historyRequest, historySummary, keptRun, openedRun, runIds } from './history.ts'
import { hitExportEvent, hitExportRequest } from './hit-export.ts'
import {
  activationEvent,
  activationRequest,
  activationValues,
  activationWindow,
  hookFileEvent,
  hookFileRequest,
  hookPoints,
  hookRequest,
  hookTableEvent
} from './hooks.ts'
import { inspection } from './inspection.ts'
import {
  diskContents,
  folderListing,
  libraryFolder,
  modelSummary,
  pathKind,
  recentItem,
  saeSummary,
  scanEvent,
  workspace
} from './library.ts'
import { effectsCheckEvent, effectsCheckRequest } from './logit-effects.ts'
import { lensEvent, lensRequest } from './logit-lens.ts'
import { backupEvent, backupRequest, checkEvent, compactEvent, mirrorState, removeEvent, removeRequest } from './mirror.ts'
import {
  entriesRequest,
  featureList,
  featureMarks,
  keptQuestion,
  keptSearches,
  listChange,
  listName,
  marksRequest,
  notebookEntry,
  notebookFile,
  notebookImport,
  noteChange
} from './notebook.ts'
import { keptPatching, patchEvent, patchingEvent, patchingRequest, patchRequest } from './patching.ts'
import { chatTemplate, promptChange, savedPrompt } from './prompts.ts'
import { processingChoice } from './readings.ts'
import { catalogueSource, catalogueState, installedCatalogue, publishedSae, releaseTable, sourceTrap } from './releases.ts'
import { explainedFeature, prompt, promptTokens, runEvent, runRequest, runSae } from './run.ts'
import { saeCheckEvent, saeCheckRequest } from './sae-check.ts'
import { cacheSize, settings, settingsChange, settingsReport } from './settings.ts'
import { bucketListRequest, syncPlanEvent, syncRequest, syncState } from './sync.ts'

/** Every procedure fails with this one error: code `SPLICE` and the error's data. */
const procedure = oc.errors({ SPLICE: { status: 422, data: errorData } })

const path = z.object({ path: z.string() })
/** Bytes of a file that the engine holds. */
const partOfFile = procedure.input(filePart).output(z.object({ bytes: z.instanceof(Blob) }))

export const contract = {
  engine: {
    status: procedure.output(engineStatus),
    /** Versions, and where the home is. */
    about: procedure.output(about),
    /** The licenses of all packages that this build ships. */
    licenses: procedure.output(z.array(license)),
    diagnostics: procedure.output(diagnostics),
    /** The status at once, then every change of it and every notice. */
    watch: procedure.output(eventIterator(engineEvent)),
    /** Closes all models and SAEs, after what is under way: their memory goes back. The next run opens what it needs again. */
    unload: procedure.output(engineStatus),
    settings: procedure.output(settings),
    /** Keeps a change. Another provider or number of threads starts the inference process anew, after what is under way. */
    changeSettings: procedure.input(settingsChange).output(settings),
    settingsReport: procedure.output(settingsReport),
    /** What this machine has to compute with; every provider is tried, which takes some seconds. */
    doctor: procedure.output(doctorReport),
    cache: procedure.output(cacheSize),
    /** Removes what can be made again, after what is under way, and gives what is left. */
    clearCache: procedure.output(cacheSize)
  },
  library: {
    workspace: procedure.output(workspace),
    saveWorkspace: procedure.input(workspace.omit({ isDemo: true })).output(workspace),
    openModel: procedure.input(path).output(modelSummary),
    /** With `model`, also checks that the SAE fits a hook point of it. */
    openSae: procedure
      .input(path.extend({ ...runSae.pick({ hook: true, hookOut: true, normFactor: true }).shape, model: z.string().optional() }))
      .output(saeSummary),
    /** A model folder, an SAE or a weights file, looked through by its headers; refuses what is broken. */
    inspect: procedure.input(path).output(inspection),
    /** SAEs found below or near a path, e.g. all of the demo's. */
    findSaes: procedure.input(path).output(z.array(saeSummary)),
    recent: procedure.output(z.array(recentItem)),
    browse: procedure.input(z.object({ path: z.string().optional() })).output(folderListing),
    identify: procedure.input(path).output(z.object({ path: z.string(), kind: pathKind })),
    /** Where a scan looks, what is included and what is there. */
    folders: procedure.output(z.array(libraryFolder)),
    /** What the last scan found, at once. */
    onDisk: procedure.output(diskContents),
    /** Looks through the library's folders, or through those given; headers only, and only of what changed since. */
    scan: procedure.input(z.object({ paths: z.array(z.string()).optional() })).output(eventIterator(scanEvent)),
    /** A model's config in HookedTransformerConfig's names, and what each processing flag does to it. */
    modelConfig: procedure.input(path).output(modelConfig),
    /** All that an SAE's files and its release say of it, without its weights. */
    saeConfig: procedure.input(path.extend({ hook: z.string().optional() })).output(saeConfig)
  },
  releases: {
    list: procedure.output(releaseTable),
    /** One for each path of a repository, whatever releases name it; all models' without `model`. */
    saes: procedure.input(z.object({ model: z.string().optional() })).output(z.array(publishedSae)),
    /** Sources on Neuronpedia that are known to be wrong. */
    sourceTraps: procedure.output(z.array(sourceTrap)),
    /** Tables of releases in installed copies of sae_lens: in the usual places, or at or below a path. */
    installed: procedure.input(z.object({ path: z.string().optional() })).output(z.array(installedCatalogue)),
    update: procedure.input(catalogueSource).output(catalogueState),
    /** Back to the table that came with Splice. */
    reset: procedure.output(catalogueState)
  },
  downloads: {
    start: procedure.input(downloadRequest).output(download),
    /** The list at once, then whenever it changed. Downloads go on when nobody watches. */
    watch: procedure.output(eventIterator(z.array(download))),
    cancel: procedure.input(z.object({ id: z.string() })),
    again: procedure.input(z.object({ id: z.string() })).output(download),
    dismiss: procedure.input(z.object({ id: z.string() })),
    token: procedure.output(tokenState),
    keepToken: procedure.input(z.object({ token: z.string().nullable() })).output(tokenState)
  },
  runs: {
    run: procedure.input(runRequest).output(eventIterator(runEvent)),
    /** The processing that a run of these SAEs would have, without running anything. */
    processing: procedure.input(runRequest.pick({ saes: true, processing: true })).output(processingChoice),
    /** Tries an SAE at neighbouring hook points and other readings, and says which has the numbers that are published of it. */
    checkSae: procedure.input(saeCheckRequest).output(eventIterator(saeCheckEvent)),
    /** Continues a prompt under several variants, token by token. Ending the stream stops it; what it said stands. */
    generate: procedure.input(generationRequest).output(eventIterator(generationEvent)),
    /** Ranks, logits and probabilities of answers to a prompt, token by token. */
    testPrompt: procedure.input(answersRequest).output(eventIterator(answersEvent)),
    /** What the unembedding makes of the residual stream in front of every block, in every variant. */
    logitLens: procedure.input(lensRequest).output(eventIterator(lensEvent)),
    /** Reads every active feature of one SAE in every variant, not only the strongest; holds the values until the stream ends. */
    readFeatures: procedure.input(featureReadingRequest).output(eventIterator(featureReadingEvent)),
    /** The values of a reading that is held. */
    activeFeatures: procedure.input(activeFeaturesRequest).output(activeFeatures),
    /** How good an SAE is on a text: its own numbers, and what its splice does to predictions. */
    evaluate: procedure.input(evaluationRequest).output(eventIterator(evaluationEvent)),
    /** What becomes of a quantity when features of an SAE are ablated: each in a row of its own, in groups and in pairs. */
    attribute: procedure.input(attributionRequest).output(eventIterator(attributionEvent)),
    /** What becomes of a quantity when activations of a source prompt stand in for the prompt's: every cell of some sites, in rows. */
    patch: procedure.input(patchingRequest).output(eventIterator(patchingEvent)),
    /** One patch, with what is predicted before and after; the source's activation may come from another position. */
    patchOne: procedure.input(patchRequest).output(eventIterator(patchEvent)),
    /** A prompt's tokens, however many. */
    tokenize: procedure.input(z.object({ model: z.string(), prompt })).output(promptTokens),
    /** The model's own chat template; one that has none is an error. */
    chatTemplate: procedure.input(z.object({ model: z.string() })).output(chatTemplate)
  },
  /** What features of SAEs do on one's own text, as sources of one's own in the mirror. */
  harvests: {
    /** What it will take, without beginning it. */
    plan: procedure.input(harvestRequest).output(harvestPlan),
    /** One at a time. Ending the stream stops it; what is done is kept, and the same request goes on with it. */
    run: procedure.input(harvestRequest).output(eventIterator(harvestEvent)),
    /** Puts shards, or harvests of several texts, together. */
    merge: procedure.input(harvestMergeRequest).output(eventIterator(harvestMergeEvent)),
    /** Those that were begun and not ended, newest first. */
    unfinished: procedure.output(z.array(unfinishedHarvest)),
    discard: procedure.input(z.object({ file: z.string() }))
  },
  /** Features of an SAE by its files and the runs that are kept, whatever the mirror knows. */
  features: {
    /** Logits, neighbours and lengths of a feature's weights. */
    weights: procedure.input(featureWeightsRequest).output(eventIterator(featureWeightsEvent)),
    /** Tokens at which it fired in kept runs. */
    firings: procedure.input(firingsRequest).output(firings)
  },
  prompts: {
    list: procedure.output(z.array(savedPrompt)),
    /** Keeps one under a name that no other has, and gives the list. */
    save: procedure.input(promptChange).output(z.array(savedPrompt)),
    remove: procedure.input(z.object({ id: z.string() })).output(z.array(savedPrompt))
  },
  history: {
    list: procedure.input(historyRequest).output(historyPage),
    summary: procedure.output(historySummary),
    /** One run, whole; `id` may be the beginning of one, where no other begins so. */
    open: procedure.input(z.object({ id: z.string() })).output(openedRun),
    change: procedure.input(historyChange).output(keptRun),
    /** Takes runs from the list; they can be restored for a week. */
    remove: procedure.input(runIds).output(z.object({ removed: z.int() })),
    restore: procedure.input(runIds).output(z.object({ restored: z.int() })),
    clear: procedure.input(historyClearing).output(z.object({ removed: z.int() })),
    /** The attributions that are kept with a run, newest first. */
    attributions: procedure.input(z.object({ id: z.string() })).output(z.array(keptAttribution)),
    /** Takes one from its run; it can be restored for a week. */
    removeAttribution: procedure.input(z.object({ number: z.int() })).output(z.object({ removed: z.boolean() })),
    restoreAttribution: procedure.input(z.object({ number: z.int() })).output(z.object({ restored: z.boolean() })),
    /** The grids of patches that are kept with a run of their base prompt, newest first. */
    patchings: procedure.input(z.object({ id: z.string() })).output(z.array(keptPatching)),
    /** Takes some from their run; they can be restored for a week. */
    removePatching: procedure.input(z.object({ number: z.int() })).output(z.object({ removed: z.boolean() })),
    restorePatching: procedure.input(z.object({ number: z.int() })).output(z.object({ restored: z.boolean() }))
  },
  hooks: {
    /** Names and shapes, without running anything. */
    points: procedure.input(z.object({ model: z.string(), saes: z.array(runSae).default([]) })).output(hookPoints),
    /** Statistics of every cached hook point of a variant. */
    list: procedure.input(hookRequest).output(eventIterator(hookTableEvent)),
    /** Computes one activation, with progress, and keeps it within a bound so that `values` is quick. */
    open: procedure.input(activationRequest).output(eventIterator(activationEvent)),
    /** What a window shows of an activation, as float32. */
    values: procedure.input(activationRequest.extend({ window: activationWindow })).output(activationValues),
    /** Saves a run's activations to a file that the engine holds until the stream ends. */
    download: procedure.input(hookFileRequest).output(eventIterator(hookFileEvent)),
    downloadPart: partOfFile
  },
  notebook: {
    /** A number at once, and another one after every change. */
    watch: procedure.output(eventIterator(z.int())),
    lists: procedure.output(z.array(featureList)),
    createList: procedure.input(z.object({ name: listName })).output(featureList),
    renameList: procedure.input(z.object({ id: z.int(), name: listName })).output(featureList),
    /** Gives what the list held, which `importFile` puts back. */
    removeList: procedure.input(z.object({ id: z.int() })).output(notebookFile),
    addToList: procedure.input(listChange).output(featureList),
    removeFromList: procedure.input(listChange).output(featureList),
    writeNote: procedure.input(noteChange).output(featureMarks),
    /** Those of the features of which something is kept. */
    marks: procedure.input(marksRequest).output(z.array(featureMarks)),
    entries: procedure.input(entriesRequest).output(z.array(notebookEntry)),
    exportFile: procedure.output(notebookFile),
    importFile: procedure.input(notebookFile).output(notebookImport),
    searches: procedure.output(keptSearches),
    rememberSearch: procedure.input(keptQuestion),
    saveSearch: procedure.input(z.object({ name: listName, question: keptQuestion })),
    removeSearch: procedure.input(z.object({ name: z.string() })),
    forgetSearches: procedure
  },
  explanations: {
    search: procedure.input(searchRequest).output(searchResult),
    /** The same question's number of hits, by model, source, explainer and type. */
    count: procedure.input(countRequest).output(countResult),
    feature: procedure.input(featureKey).output(featurePage),
    sources: procedure.output(z.array(sourceSummary)),
    /** Features as a run lists them, without their activations: what the mirror knows of them now. Unknown ones are left out. */
    explain: procedure
      .input(z.object({ source: z.string(), indices: z.array(z.int().nonnegative()).max(100_000) }))
      .output(z.array(explainedFeature)),
    /** Every hit, to a file of the engine's machine or one that it holds until the stream ends. */
    export: procedure.input(hitExportRequest).output(eventIterator(hitExportEvent)),
    exportPart: partOfFile,
    /** Holds the mirror's top logits of a source to those of its SAE. */
    checkLogits: procedure.input(effectsCheckRequest).output(eventIterator(effectsCheckEvent)),
    /** One source in numbers. */
    overview: procedure.input(overviewRequest).output(sourceOverview),
    /** Explanations like those of a feature, where their embeddings were imported. */
    similar: procedure.input(similarRequest).output(similarResult),
    importFiles: procedure.input(importRequest).output(eventIterator(importEvent)),
    /** The first rows of a rejects file of this mirror. */
    rejects: procedure.input(rejectsRequest).output(rejectedRows)
  },
  /** Work on the mirror's file, one piece after the other; imports wait for it, searches do not. */
  mirror: {
    state: procedure.output(mirrorState),
    check: procedure.output(eventIterator(checkEvent)),
    backup: procedure.input(backupRequest).output(eventIterator(backupEvent)),
    remove: procedure.input(removeRequest).output(eventIterator(removeEvent)),
    compact: procedure.output(eventIterator(compactEvent))
  },
  /** Neuronpedia's bulk bucket. Nothing is asked of it but by these procedures. */
  sync: {
    /** Its models, or a model's sources. */
    list: procedure.input(bucketListRequest).output(z.array(z.string())),
    /** What a sync would take; nothing is written. */
    plan: procedure.input(syncRequest).output(eventIterator(syncPlanEvent)),
    start: procedure.input(syncRequest).output(syncState),
    /** The sync that is under way or was last, at once, then whenever it changed. It goes on when nobody watches. */
    watch: procedure.output(eventIterator(syncState.nullable())),
    pause: procedure.output(syncState),
    resume: procedure.output(syncState),
    cancel: procedure.output(syncState)
  }
}

export type Contract = typeof contract
