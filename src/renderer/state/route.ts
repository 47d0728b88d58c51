/**
 * Addresses of views: `#/<view>/<part>/...?<query>`.
 * `#/compare?token=11`, `#/explanations?q=decept`, `#/feature/<model>/<layer>/<index>`.
 */

/** `parts` are the decoded path segments after the view. */
export type Route = { view: string; parts: string[]; query: Record<string, string> }

const home = 'compare'

/** The route that a hash names. */
export function parseHash(hash: string): Route {
  const text = hash.replace(/^#?\/?/, '')
  const at = text.indexOf('?')
  const segments = (at < 0 ? text : text.slice(0, at))
    .split('/')
    .filter(segment => segment !== '')
    .map(decodeSegment)
  const query = Object.fromEntries(new URLSearchParams(at < 0 ? '' : text.slice(at + 1)))
  const [view = home, ...parts] = segments
  return { view, parts, query }
}

/** A segment with a broken percent escape is taken as written. */
function decodeSegment(segment: string): string {
  return /%(?![0-9A-Fa-f]{2})/.test(segment) ? segment : decodeURIComponent(segment)
}

/** The hash of a route; empty and undefined query values are left out. */
export function hashOf(
  view: string,
  parts: readonly (string | number)[] = [],
  query: Record<string, string | number | undefined> = {}
): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(name, String(value))
  const path = [view, ...parts].map(part => encodeURIComponent(part)).join('/')
  const text = search.toString()
  return `#/${path}${text === '' ? '' : `?${text}`}`
}

/** The address of a feature's page; `source` is `modelId/layer`. */
export function featureHref(source: string, index: number): string {
  return hashOf('feature', [...source.split('/'), index])
}

/**
 * What a feature's page goes by: the SAE's source, or `sae/<name>` where none is known, for an SAE that is open under that name.
 */
export function pageSourceOf({ name, source }: { readonly name: string; readonly source: string | null }): string {
  return source ?? `sae/${name}`
}

/** The name of an open SAE without a source that a page goes by; null where it goes by a source. */
export function openSaeNameOf(pageSource: string): string | null {
  const [kind, name, ...more] = pageSource.split('/')
  return kind === 'sae' && name !== undefined && name !== '' && more.length === 0 ? name : null
}
