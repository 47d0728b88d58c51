/**
 * Which paths of this machine a client may name. The app, the command line and a host that was told nothing else act for the person
 * who started them and name any; `splice serve --only FOLDER` narrows its pages and scripts to folders that the person opened to them.
 */
import fs from 'node:fs'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'

/** Fields of requests that hold paths, whatever they look like; elsewhere only what is plainly one counts. */
const pathFields = new Set(['path', 'paths', 'file', 'files', 'folder', 'folders'])
/** Fields whose text is a person's own words. */
const wordFields = new Set(['text', 'content', 'template', 'query', 'name', 'description', 'note', 'token', 'tags', 'id'])

/** A path with the links of what exists of it resolved: a file that is to be written need not be there yet. */
function resolved(given: string): string {
  const absolute = path.resolve(given)
  try {
    return fs.realpathSync(absolute)
  } catch {
    const parent = path.dirname(absolute)
    return parent === absolute ? absolute : path.join(resolved(parent), path.basename(absolute))
  }
}

export class PathAccess {
  readonly #given: readonly string[]
  readonly #roots: readonly string[]

  /** `folders` are those that the person opened; `own` are Splice's. */
  constructor(folders: readonly string[], own: readonly string[]) {
    this.#given = folders
    this.#roots = [...folders, ...own].map(resolved)
  }

  /** Where a folder dialog starts. */
  get start(): string | undefined {
    return this.#given[0]
  }

  /** Throws `path/not-opened` where a request names a path outside. */
  requireAll(input: unknown): void {
    this.#visit(input, '')
  }

  #visit(value: unknown, field: string): void {
    if (typeof value === 'string') {
      const isPath = pathFields.has(field) || (!wordFields.has(field) && (path.isAbsolute(value) || value.split(/[\\/]/).includes('..')))
      if (isPath) this.require(value, field)
    } else if (Array.isArray(value)) for (const item of value) this.#visit(item, field)
    else if (typeof value === 'object' && value !== null) for (const [name, inner] of Object.entries(value)) this.#visit(inner, name)
  }

  /** Throws `path/not-opened` for a path outside, links in it resolved. */
  require(given: string, field: string): void {
    const place = resolved(given)
    if (this.#roots.some(root => place === root || place.startsWith(root.endsWith(path.sep) ? root : root + path.sep))) return
    throw new SpliceError('path/not-opened', `${given} lies in none of the folders that this host was opened to`, {
      file: given,
      field,
      hint: 'Start splice serve with one more --only FOLDER, or without any.'
    })
  }
}
