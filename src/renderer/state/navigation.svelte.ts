/**
 * The address is the state: `#/<view>/<part>/...?<query>`. Back, forward and links work because views read the route and nothing else.
 * Routes: `#/compare?token=11`, `#/explanations?q=decept`, `#/feature/<model>/<layer>/<index>`.
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

class Navigation {
  route = $state.raw<Route>(parseHash(typeof location === 'undefined' ? '' : location.hash))

  constructor() {
    if (typeof window !== 'undefined') window.addEventListener('hashchange', () => this.#read())
  }

  #read(): void {
    this.route = parseHash(location.hash)
  }

  /** Goes to a hash; `replace` leaves no entry to go back to, as for a moving selection or a growing query. */
  go(hash: string, how: { replace?: boolean } = {}): void {
    if (hash === location.hash) return
    if (how.replace) {
      history.replaceState(null, '', hash)
      this.#read()
    } else {
      location.hash = hash
    }
  }

  /** Changes query values of the present view in place; undefined or empty removes one. */
  setQuery(values: Record<string, string | number | undefined>, how: { replace?: boolean } = { replace: true }): void {
    const { view, parts, query } = this.route
    this.go(hashOf(view, parts, { ...query, ...values }), how)
  }
}

export const navigation = new Navigation()
