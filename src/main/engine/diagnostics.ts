/**
 * Diagnostics: a text about this Splice that a person reads, and may then share. It has versions, providers, settings, the sizes of Splice's own
 * files and what went wrong lately; no prompt, run, explanation, note or token, and of paths their last name alone.
 */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Settings } from '../../contract/settings.ts'
import { aboutSplice } from './about.ts'
import type { EngineServices } from './engine.ts'
import { withoutOwner } from './owner.ts'
import { type Trouble, TroubleLog } from './trouble-log.ts'

/** How many troubles are told. */
const toldTroubles = 50
/** How long the inference process may take to say what it has, in ms. */
const inferencePatience = 10_000

const opening = `Splice diagnostics

Nothing of this was sent anywhere: read it, and share what you like. It has versions, providers,
settings, the sizes of Splice's own files, and the errors of late, whose words may quote a name that
you typed. It has no prompt, run, explanation, note or access token, and of a path only its last name.`

function section(title: string, rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length))
  return [title, ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)].join('\n')
}

function bytesInWords(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}

/** Versions and system; `home` is left out. */
function versions(providers: Parameters<typeof aboutSplice>[1]): string {
  const { home: _, license: __, providers: known, ...about } = aboutSplice('', providers)
  return section('Versions and system', [
    ['Splice', about.version],
    ['Node', about.node],
    ['onnxruntime-node', about.onnxRuntime],
    ['SQLite', `${about.sqlite} (better-sqlite3 ${about.betterSqlite3})`],
    ['system', `${about.platform} ${about.architecture}, ${os.release()}`],
    ['processors', String(os.availableParallelism())],
    ['memory', `${bytesInWords(os.totalmem())}, ${bytesInWords(os.freemem())} free`],
    ['providers', known.length === 0 ? 'not known: the inference process has not answered' : known.join(', ')]
  ])
}

/** Settings as they are in force; folders are counted. */
export function settingRows({ library, ...others }: Settings): [name: string, value: string][] {
  const rows = Object.entries(others).map(([name, value]): [string, string] => [name, withoutOwner(JSON.stringify(value))])
  const { folders, ...places } = library
  return [...rows, ['library', `${folders.length} ${folders.length === 1 ? 'folder' : 'folders'} of one's own, ${JSON.stringify(places)}`]]
}

/** Splice's own files, by their names in the home. */
async function homeFiles(home: string): Promise<[name: string, value: string][]> {
  const names = (await fs.readdir(home).catch((): string[] => [])).sort()
  const rows = await Promise.all(
    names.map(async (name): Promise<[string, string] | null> => {
      const stat = await fs.stat(path.join(home, name)).catch(() => null)
      return stat?.isFile() ? [withoutOwner(name), bytesInWords(stat.size)] : null
    })
  )
  const disk = await fs.statfs(home).catch(() => null)
  const free: [string, string][] = disk === null ? [] : [['free on its disk', bytesInWords(disk.bavail * disk.bsize)]]
  return [...rows.filter(row => row !== null), ...free]
}

function troubleSection(troubles: readonly Trouble[]): string {
  const lines = troubles.map(({ at, kind, message }) => `  ${at}  ${kind}  ${message.replaceAll('\n', ' ')}`)
  return [`Errors of late${troubles.length === 0 ? ': none' : ''}`, ...lines].join('\n')
}

/** The text, of an engine that is open. */
export async function diagnosticsText(services: EngineServices): Promise<string> {
  const { home, inference, library, troubles } = services
  await Promise.race([inference.ready(), wait(inferencePatience, undefined, { ref: false })])
  const [status, settings, problems] = await Promise.all([services.status(), library.settings(), library.settingsProblems()])
  const state = section('State', [
    ['inference', `${status.inference}, ${status.provider}, ${status.threads} threads`],
    ['why', status.providerReason],
    ['mapped', bytesInWords(status.mappedBytes)],
    ['resident', status.residentBytes === null ? 'not known' : bytesInWords(status.residentBytes)],
    [
      'mirror',
      `${status.mirror.explanations} explanations of ${status.mirror.sources} sources${status.mirror.importing ? ', importing' : ''}`
    ]
  ])
  const rows = [
    ...settingRows(settings),
    ...problems.problems.map(({ message }): [string, string] => ['problem', withoutOwner(message, [home])])
  ]
  return `${[
    opening,
    versions(inference.providers),
    state,
    section('Settings', rows),
    section('Files of the home', await homeFiles(home)),
    troubleSection(troubles.recent(toldTroubles))
  ].join('\n\n')}\n`
}

/** The text, where the engine cannot be opened: `why` says what keeps it. */
export async function closedDiagnostics(home: string, why: string): Promise<string> {
  return `${[
    opening,
    versions([]),
    section('State', [['engine', `cannot be opened: ${withoutOwner(why, [home])}`]]),
    section('Files of the home', await homeFiles(home)),
    troubleSection(new TroubleLog(home).recent(toldTroubles))
  ].join('\n\n')}\n`
}
