/** Where the window is: the address is the state, so back, forward and links work; views read the route and nothing else. */
import { hashOf, parseHash, type Route } from './route.ts'

export { featureHref, hashOf, type Route } from './route.ts'

class Navigation {
  /** The address that `route` is read from; the browser's own may be ahead of it for a moment. */
  #seen = typeof location === 'undefined' ? '' : location.hash
  route = $state.raw<Route>(parseHash(typeof location === 'undefined' ? '' : location.hash))

  /** Whether there is a page of ours to go back or forward to; true where the browser does not say. */
  canGoBack = $state(true)
  canGoForward = $state(true)

  constructor() {
    if (typeof window === 'undefined') return
    window.addEventListener('hashchange', () => this.#read())
    this.#readEntries()
    window.navigation?.addEventListener('currententrychange', () => this.#readEntries())
  }

  #readEntries(): void {
    this.canGoBack = window.navigation?.canGoBack ?? true
    this.canGoForward = window.navigation?.canGoForward ?? true
  }

  back(): void {
    history.back()
  }

  forward(): void {
    history.forward()
  }

  #read(): void {
    this.#seen = location.hash
    this.route = parseHash(location.hash)
  }

  /**
   * Goes to a hash; `replace` leaves no entry to go back to, as for a moving selection or a growing query. Where the browser has gone
   * elsewhere meanwhile (Back, a link) and says so only in a moment, a replacement is dropped: it was meant for the address before.
   */
  go(hash: string, how: { replace?: boolean } = {}): void {
    if (location.hash !== this.#seen) {
      this.#read()
      if (how.replace) return
    }
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
