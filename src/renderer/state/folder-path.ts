/** Folders by their paths, as the engine's system writes them. */

/** The folder that holds a path; a root holds itself. */
export function parentOf(path: string): string {
  return path.replace(/(?<=[^\\/])[\\/][^\\/]+[\\/]?$/, '')
}

/** The folder below which an SAE's neighbours lie: its path without its name, e.g. without `layer_2/width_1k/average_l0_15`. */
export function releaseFolder(path: string, name: string): string {
  const slashed = path.replaceAll('\\', '/')
  return slashed.endsWith(`/${name}`) ? path.slice(0, path.length - name.length - 1) : parentOf(path)
}
