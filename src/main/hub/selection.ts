/** Which files of a repository a download means: patterns as Python's fnmatch has them, an SAE with its config, a model's own files. */

/** A file of a repository as the hub lists it. `hash` is its sha256 where it is an LFS file, else its git blob id. */
export interface HubFile {
  readonly path: string
  readonly sizeBytes: number
  readonly hash: { readonly kind: 'sha256' | 'git'; readonly hex: string }
}

/** A pattern as a regular expression: `*` and `?` match slashes too, `[...]` is a set, as in Python's fnmatch. */
export function patternExpression(pattern: string): RegExp {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at] ?? ''
    const end = letter === '[' ? pattern.indexOf(']', at + 2) : -1
    if (letter === '*') source += '.*'
    else if (letter === '?') source += '.'
    else if (end !== -1) {
      const set = pattern
        .slice(at + 1, end)
        .replaceAll('\\', '\\\\')
        .replaceAll(']', '\\]')
        .replace(/^\^/, '\\^')
        .replace(/^!/, '^')
      source += `[${set}]`
      at = end
    } else source += letter.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
  }
  return new RegExp(`^${source}$`, 's')
}

/** Whether a pattern means a file: by fnmatch, or as the path of the file or of a folder above it. */
export function means(pattern: string, file: string): boolean {
  const bare = pattern.replace(/^\.?\/+/, '').replace(/\/+$/, '')
  return file === bare || file.startsWith(`${bare}/`) || patternExpression(pattern).test(file)
}

const folderOf = (file: string) => file.slice(0, file.lastIndexOf('/') + 1)
const nameOf = (file: string) => file.slice(file.lastIndexOf('/') + 1)
const stemOf = (file: string) => nameOf(file).replace(/\.[^.]+$/, '')
const isConfig = (file: HubFile) => /\.(json|ya?ml)$/.test(file.path) && file.sizeBytes <= 1024 * 1024

/** An SAE's files: all below its folder; or its one file, with the configs beside it that are not another file's. */
export function selectSae(files: readonly HubFile[], within: string): HubFile[] {
  const below = files.filter(file => file.path.startsWith(`${within}/`))
  if (below.length > 0) return below
  const own = files.filter(file => file.path === within)
  if (own.length === 0) return []
  const beside = files.filter(file => folderOf(file.path) === folderOf(within) && file.path !== within)
  const otherStems = beside.filter(file => !isConfig(file)).map(file => stemOf(file.path))
  const configs = beside.filter(
    file => isConfig(file) && (stemOf(file.path).startsWith(stemOf(within)) || !otherStems.some(stem => stemOf(file.path).startsWith(stem)))
  )
  return [...own, ...configs]
}

const isModelWeights = (file: HubFile) => /^model(-\d+-of-\d+)?\.safetensors$/.test(file.path)

/** A model's own files at the top of its repository: config, tokenizer, safetensors. Empty where the repository holds no such model. */
export function selectModel(files: readonly HubFile[]): HubFile[] {
  const isModel = files.some(file => file.path === 'config.json') && files.some(isModelWeights)
  if (!isModel) return []
  return files.filter(
    file => isModelWeights(file) || (!file.path.includes('/') && /\.(json|txt|model|jinja)$/.test(file.path)) || file.path === 'LICENSE'
  )
}

/** Weights before what describes them: a folder is not to look whole before it is. */
export function inOrder(files: readonly HubFile[]): HubFile[] {
  const rank = (file: HubFile) => (isConfig(file) ? (/(^|\/)config\.json$/.test(file.path) ? 2 : 1) : 0)
  return [...files].sort((a, b) => rank(a) - rank(b) || a.path.localeCompare(b.path, 'en', { numeric: true }))
}
