/** What this Splice is made of, as lines: the engine's versions, the window's, and what runs. */
import type { About } from '../../contract/about.ts'
import type { EngineStatus } from '../../contract/engine.ts'

/** The window's own side: Electron and Chromium in the app, what the browser calls itself in a tab. */
export function windowVersions(): [name: string, value: string][] {
  const versions = window.splice?.versions
  if (versions !== undefined)
    return [
      ['Electron', versions.electron],
      ['Chromium', versions.chrome]
    ]
  return [['browser', browserName(navigator.userAgent)]]
}

/** A browser's name and version out of its user agent; all of it where it is none that is known. */
export function browserName(agent: string): string {
  for (const [name, pattern] of [
    ['Edge', /Edg\/([\d.]+)/],
    ['Firefox', /Firefox\/([\d.]+)/],
    ['Chromium', /(?:Headless)?Chrom(?:e|ium)\/([\d.]+)/],
    ['Safari', /Version\/([\d.]+).*Safari\//]
  ] as const) {
    const version = pattern.exec(agent)?.[1]
    if (version !== undefined) return `${name} ${version}`
  }
  return agent
}

/** The lines of About. */
export function aboutLines(about: About, status: EngineStatus | null, ofWindow: [string, string][]): [name: string, value: string][] {
  return [
    ['Splice', about.version],
    ...ofWindow,
    ['Node', about.node],
    ['onnxruntime-node', about.onnxRuntime],
    ['providers', about.providers.join(', ')],
    ['runs on', status === null ? 'not known yet' : `${status.provider}, ${status.threads} ${status.threads === 1 ? 'thread' : 'threads'}`],
    ['SQLite', about.sqlite],
    ['better-sqlite3', about.betterSqlite3],
    ['system', `${about.platform} ${about.architecture}`],
    ['home', about.home]
  ]
}
