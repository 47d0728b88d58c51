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
