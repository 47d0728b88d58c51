/** Every drill, in the order of the table. */
import type { Drill } from './drill.ts'
import { clockJumps } from './faults/clock-jumps.ts'
import { commandDatabaseLocked, commandDiskFull, commandInferenceKilled, commandInterrupted } from './faults/command-faults.ts'
import { databaseCorrupt } from './faults/database-corrupt.ts'
import { databaseLocked } from './faults/database-locked.ts'
import { diskFull } from './faults/disk-full.ts'
import { engineKilled } from './faults/engine-killed.ts'
import { fiftyCancels } from './faults/fifty-cancels.ts'
import { inferenceHangs } from './faults/inference-hangs.ts'
import { inferenceKilled } from './faults/inference-killed.ts'
import { inferenceOutOfMemory } from './faults/inference-out-of-memory.ts'
import { modelDamaged } from './faults/model-damaged.ts'
import { pageReload } from './faults/page-reload.ts'
import { readOnly } from './faults/read-only.ts'
import { thousandRequests } from './faults/thousand-requests.ts'
import { twoInstances } from './faults/two-instances.ts'

export const drills: readonly Drill[] = [
  inferenceKilled,
  inferenceOutOfMemory,
  inferenceHangs,
  modelDamaged,
  engineKilled,
  pageReload,
  fiftyCancels,
  thousandRequests,
  diskFull,
  readOnly,
  databaseLocked,
  databaseCorrupt,
  twoInstances,
  clockJumps,
  commandInferenceKilled,
  commandInterrupted,
  commandDiskFull,
  commandDatabaseLocked
]
