/** What a person types or pastes for a repository: its name, with a revision after @, or an address of one of the hub's pages. */

/** `owner/name@revision`, or `https://huggingface.co/owner/name/tree/main/folder`, in parts; the parts are not checked. */
export function readHubAddress(text: string): { repo: string; revision: string; path: string | null } {
  const bare = text.trim()
  const page = /^https?:\/\/[^/]+\/([^/]+\/[^/]+)(?:\/(?:tree|blob|resolve)\/([^/?#]+)(?:\/([^?#]+))?)?/.exec(bare)
  if (page !== null) {
    const [, repo = '', revision = 'main', path = null] = page
    return { repo, revision, path: path === null ? null : decodeURIComponent(path).replace(/\/+$/, '') }
  }
  const at = bare.indexOf('@')
  return { repo: at === -1 ? bare : bare.slice(0, at), revision: at === -1 ? 'main' : bare.slice(at + 1), path: null }
}
