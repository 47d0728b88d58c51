/** Readers of what Splice itself has written: settings, small state files, an evaluation's state, kept runs and attributions. */
import fs from 'node:fs'
import path from 'node:path'
import v8 from 'node:v8'
import { crc32, zstdCompressSync } from 'node:zlib'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { notebookFile } from '../../contract/notebook.ts'
import { savedPrompt } from '../../contract/prompts.ts'
import { StateFile as EvaluationFile } from '../../main/evaluation/state-file.ts'
import { emptyTallies, HarvestFile, type PassRecord, resumeHarvest } from '../../main/harvest/harvest-file.ts'
import { beginningState, type HarvestFacts } from '../../main/harvest/harvest-head.ts'
import { mergeHarvests, planMerge } from '../../main/harvest/merge.ts'
import { PassTally, TextPlaces } from '../../main/harvest/pass-tally.ts'
import type { SaeTally } from '../../main/harvest/sae-tally.ts'
import { keptTableFile } from '../../main/library/catalogue.ts'
import { openPromptLibrary } from '../../main/library/prompt-library.ts'
import { SettingsFile } from '../../main/library/settings-file.ts'
import { StateFile } from '../../main/library/state-file.ts'
import { someRun } from '../../main/runs/history-fixture.ts'
import { attributions, unpackFinding } from '../../main/runs/stored-finding.ts'
import { unpackRun } from '../../main/runs/stored-run.ts'
import type { Draws } from '../draws.ts'
import { mutateBytes, mutateJson } from '../mutations.ts'
import type { Reader } from '../reader.ts'

const settingsText = JSON.stringify({
  theme: 'dark',
  zoom: 1.25,
  threads: 2,
  provider: 'cpu',
  library: { folders: ['/data'], demo: true, hubCache: false },
  panes: { compare: { size: 300, collapsed: true } },
  unknown: { kept: [1, 2] }
})

/** Writes a broken text, or, once in a while, puts what is no file in its place. */
function writeOrReplace(draws: Draws, file: string, text: string): void {
  const made = draws.fraction()
  if (made < 0.03) fs.mkdirSync(file)
  else if (made < 0.06) fs.symlinkSync(draws.pick([path.basename(file), '/dev/zero']), file)
  else fs.writeFileSync(file, mutateJson(draws, text))
}

export const settings: Reader = {
  name: 'settings.json',
  mayWrite: true,
  async prepare(draws, folder) {
    const file = path.join(folder, 'settings.json')
    writeOrReplace(draws, file, settingsText)
    return async () => {
      const settingsFile = new SettingsFile(folder)
      await settingsFile.read()
      const changed = await settingsFile.change({ panes: { other: { size: 100, collapsed: false } } })
      const again = await new SettingsFile(folder).read()
      if (JSON.stringify(again.settings) !== JSON.stringify(changed)) throw new Error('a change of the settings is not what is read again')
    }
  }
}

const prompts = [{ id: 'a', name: 'One', prompt: { text: 'Once', prependBos: true }, savedAt: 1 }]
const table = {
  asOf: '2026-01-01',
  origin: { kind: 'file', from: '/x', version: null },
  readAt: 1,
  skipped: [],
  releases: [{ release: 'r', repo: 'a/b', model: 'm', format: 'sae_lens', saes: [['id', null, 'm/s', 1, 2]] }]
}

export const stateFiles: Reader = {
  name: 'state files of the home',
  mayWrite: true,
  async prepare(draws, folder) {
    const which = draws.pick(['prompts.json', 'sae-releases.json', 'any.json'] as const)
    const file = path.join(folder, which)
    writeOrReplace(draws, file, JSON.stringify(which === 'sae-releases.json' ? table : prompts))
    return async () => {
      if (which === 'prompts.json') {
        const library = openPromptLibrary(folder)
        await library.list()
        await library.save({ name: 'Other', prompt: { text: 'upon a time', prependBos: true } })
        return
      }
      const state = which === 'any.json' ? new StateFile(file, z.array(savedPrompt), () => []) : keptTableFile(folder)
      await state.read()
    }
  }
}

/** A record as `state-file.ts` writes it, around bytes that may be none of v8's. */
function record(payload: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(payload.length, 0)
  head.writeUInt32LE(crc32(payload), 4)
  return Buffer.concat([head, payload])
}

export const evaluationStates: Reader = {
  name: 'state of an evaluation',
  mayWrite: true,
  async prepare(draws, folder) {
    const file = path.join(folder, 'state')
    const state = {
      cursor: { offset: 0, line: 1, piece: 0, token: 0 },
      sequences: 1,
      featureCounts: new Float64Array(8),
      warnings: ['x'],
      deep: [[[1n]], new Map([[1, new Date(0)]])]
    }
    const payload = v8.serialize({ fingerprint: { model: 'm' }, state })
    const records = [record(mutateBytes(draws, payload)), ...(draws.chance(0.5) ? [record(payload)] : [])]
    const bytes = Buffer.concat([Buffer.from('splice evaluation 1\n'), ...records])
    fs.writeFileSync(file, draws.chance(0.3) ? mutateBytes(draws, bytes) : bytes)
    return async () => {
      const { stateFile } = await EvaluationFile.open(file, { model: 'm' })
      await stateFile.close()
    }
  }
}

const harvestFacts: HarvestFacts = {
  asked: { 'the model': 'm' },
  kin: { 'the model': 'm' },
  parts: [{ text: 't', tokens: 9, index: 1, of: 1 }],
  shape: { top: 2, perInterval: 1, before: 2, after: 1 },
  model: { name: 'm', path: '/m' },
  saes: [{ name: 's', path: '/s', hook: 'h', hookOut: null, features: 4, source: 'm/s' }],
  texts: [{ path: '/t', bytes: 9 }],
  documents: 'joined',
  context: 8,
  countSpecial: false,
  processing: [],
  request: null
}
const harvestedPass: PassRecord = {
  ids: Int32Array.of(2, 5, 6, 7),
  length: 4,
  lengths: [4],
  numbers: [0],
  saes: [{ places: Int32Array.of(5, 6, 9, 13), values: Float32Array.of(1, 2, 3, 4) }],
  state: { ...beginningState, tokens: 4, isWhole: true }
}

function countPass(tallies: readonly SaeTally[], pass: PassRecord): void {
  for (const [at, tally] of tallies.entries()) {
    const reading = pass.saes[at]
    if (reading !== undefined) new PassTally(tally).add(reading, new TextPlaces(pass, harvestFacts.shape, 1))
  }
}

/** A whole harvest as a file has it, made once. */
let harvestBytes: Promise<Buffer> | undefined

async function writeHarvest(file: string): Promise<Buffer> {
  const tallies = emptyTallies(harvestFacts)
  countPass(tallies, harvestedPass)
  const writing = new HarvestFile(file)
  await writing.write({ head: { facts: harvestFacts, state: harvestedPass.state }, tallies, texts: [[5, 'a']] })
  for (let pass = 0; pass < 2; pass++) await writing.append(harvestedPass)
  await writing.close()
  return fs.readFileSync(file)
}

export const harvestFiles: Reader = {
  name: 'harvest',
  mayWrite: true,
  async prepare(draws, folder) {
    const file = path.join(folder, 'one.harvest')
    harvestBytes ??= writeHarvest(file)
    const bytes = await harvestBytes
    // Contents that are broken behind a checksum that is right, too.
    const first = bytes.indexOf(0x0a) + 1
    const length = bytes.readUInt32LE(first)
    const payload = mutateBytes(draws, bytes.subarray(first + 9, first + 9 + length))
    const head = Buffer.from(bytes.subarray(first, first + 9))
    head.writeUInt32LE(payload.length, 0)
    head.writeUInt32LE(crc32(payload), 4)
    const lied = Buffer.concat([bytes.subarray(0, first), head, payload, bytes.subarray(first + 9 + length)])
    fs.writeFileSync(file, draws.chance(0.5) ? lied : mutateBytes(draws, bytes))
    return async () => {
      if (draws.chance(0.5)) {
        const { harvestFile } = await resumeHarvest(file, harvestFacts, countPass)
        await harvestFile.close()
      } else {
        const plan = await planMerge([file])
        if (plan.facts.saes.reduce((sum, { features }) => sum + features, 0) > 1e6)
          throw new SpliceError('harvest/memory', `${file} needs too much`, { file })
        await mergeHarvests(plan, () => undefined)
      }
    }
  }
}

const run = someRun('x')

export const keptRuns: Reader = {
  name: 'kept runs',
  hasNoFile: true,
  async prepare(draws) {
    const json = mutateJson(draws, JSON.stringify(run))
    const packed = zstdCompressSync(json)
    const bytes = draws.chance(0.4) ? mutateBytes(draws, packed) : packed
    const isRun = draws.chance(0.5)
    return async () => {
      if (isRun) await unpackRun(bytes, { id: 'a', format: 1, version: '1' })
      else await unpackFinding(attributions, { number: 1, created_at: 0, format: 1, contents: new Uint8Array(bytes) })
    }
  }
}

const notebook = {
  format: 'splice-notebook',
  version: 1,
  lists: [{ name: 'l', features: [{ source: 'm/s', index: 1, addedAt: 1 }] }],
  notes: [{ source: 'm/s', index: 1, text: 'n', changedAt: 1 }]
}

export const notebookFiles: Reader = {
  name: 'notebook file',
  hasNoFile: true,
  async prepare(draws) {
    const text = mutateJson(draws, JSON.stringify(notebook)).toString('utf8')
    return async () => {
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch {
        throw new SpliceError('notebook/file', 'is not JSON')
      }
      if (!notebookFile.safeParse(value).success) throw new SpliceError('notebook/file', 'is none')
    }
  }
}
