/** The readers that are fuzzed. One more is one file and one line here. */
import type { Reader } from '../reader.ts'
import { imports, listings, texts } from './imports.ts'
import { framesReader, requestsReader } from './messages.ts'
import { chatTemplates, modelConfigs, shards, tokenizers } from './model-folders.ts'
import { saeFolders, yamlTexts } from './saes.ts'
import { evaluationStates, harvestFiles, keptRuns, notebookFiles, settings, stateFiles } from './states.ts'
import { npz, safetensors, torch } from './weight-files.ts'

export const readers: readonly Reader[] = [
  safetensors,
  npz,
  torch,
  shards,
  modelConfigs,
  tokenizers,
  chatTemplates,
  saeFolders,
  yamlTexts,
  imports,
  texts,
  listings,
  settings,
  stateFiles,
  evaluationStates,
  harvestFiles,
  keptRuns,
  notebookFiles,
  framesReader(),
  requestsReader()
]
