/** A plugin of the build that notes which packages went into a bundle: only what is in it is shipped. */

/** The folder of the package that a module is of; null for modules of ours. */
function packageFolder(id) {
  const [, folder] = /^\0?(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(id) ?? []
  return folder ?? null
}

/** The file, beside a bundle, that names the packages' folders; `npm run build` takes it away again. */
export const shippedFile = 'shipped-packages.json'

export function shippedModules() {
  return {
    name: 'shipped-modules',
    generateBundle(_options, bundle) {
      const folders = new Set()
      for (const output of Object.values(bundle)) {
        if (output.type !== 'chunk') continue
        for (const [id, { renderedLength }] of Object.entries(output.modules)) {
          const folder = packageFolder(id)
          if (folder !== null && renderedLength > 0) folders.add(folder)
        }
      }
      this.emitFile({ type: 'asset', fileName: shippedFile, source: JSON.stringify([...folders].sort()) })
    }
  }
}
