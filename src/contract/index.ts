/**
 * The contract: everything a client (window, browser tab, command line, test) can ask of the engine.
 * Streams are event iterators; ending one early cancels the work behind it.
 */
import { eventIterator, oc } from '@orpc/contract'
import { z } from 'zod'
import { engineEvent, engineStatus, settings } from './engine.ts'
import { errorData } from './errors.ts'
import {
  countRequest,
  countResult,
  featureKey,
  featurePage,
  importEvent,
  searchRequest,
  searchResult,
  sourceSummary
} from './explanations.ts'
import { folderListing, modelSummary, pathKind, recentItem, saeSummary, workspace } from './library.ts'
import { runEvent, runRequest, token } from './run.ts'

/** Every procedure fails with this one error: code `SPLICE` and the error's data. */
const procedure = oc.errors({ SPLICE: { status: 422, data: errorData } })

const path = z.object({ path: z.string() })

export const contract = {
  engine: {
    status: procedure.output(engineStatus),
    /** The status at once, then every change of it and every notice. */
    watch: procedure.output(eventIterator(engineEvent)),
    settings: procedure.output(settings),
    changeSettings: procedure.input(settings.partial()).output(settings)
  },
  library: {
    workspace: procedure.output(workspace),
    saveWorkspace: procedure.input(workspace.omit({ isDemo: true })).output(workspace),
    openModel: procedure.input(path).output(modelSummary),
    /** With `model`, also checks that the SAE fits a hook point of it. */
    openSae: procedure.input(path.extend({ hook: z.string().optional(), model: z.string().optional() })).output(saeSummary),
    /** SAEs found below or near a path, e.g. all of the demo's. */
    findSaes: procedure.input(path).output(z.array(saeSummary)),
    recent: procedure.output(z.array(recentItem)),
    browse: procedure.input(z.object({ path: z.string().optional() })).output(folderListing),
    identify: procedure.input(path).output(z.object({ path: z.string(), kind: pathKind }))
  },
  runs: {
    run: procedure.input(runRequest).output(eventIterator(runEvent)),
    tokenize: procedure
      .input(z.object({ model: z.string(), text: z.string(), prependBos: z.boolean().default(true) }))
      .output(z.object({ tokens: z.array(token), bosAdded: z.boolean() }))
  },
  explanations: {
    search: procedure.input(searchRequest).output(searchResult),
    /** The same question's number of hits, by model, source and explainer. */
    count: procedure.input(countRequest).output(countResult),
    feature: procedure.input(featureKey).output(featurePage),
    sources: procedure.output(z.array(sourceSummary)),
    importFiles: procedure.input(z.object({ paths: z.array(z.string()).min(1) })).output(eventIterator(importEvent))
  }
}

export type Contract = typeof contract
