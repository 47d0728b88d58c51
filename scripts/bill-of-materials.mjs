/**
 * What a build ships of others: the packages in its bundles, those that lie beside them with what they need, and the Node that runs
 * it. Written as a bill of materials (CycloneDX 1.6, out/sbom.cdx.json), and as the licenses that the app shows (out/licenses.json).
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { shippedFile } from './shipped-modules.mjs'

/** Packages that are not bundled, because they have binaries, and the shell. */
const beside = ['better-sqlite3', 'onnxruntime-node', 'sqlite-vec', 'electron']
/** Packages that only build or install others, and are never loaded. */
const unused = new Set(['node-addon-api', 'adm-zip', 'global-agent'])
/** The parts of a build that have bundles. */
const parts = ['main', 'preload', 'renderer']

/** Writes both files for the build in `out`, made in `root` on the Node binary `node`. Throws for a package that names no license. */
export function writeBillOfMaterials(root, out, node) {
  const { packages: locked, name, version } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const folders = new Set()
  for (const part of parts) {
    const file = join(out, part, shippedFile)
    for (const folder of JSON.parse(readFileSync(file, 'utf8'))) folders.add(relative(root, folder).replaceAll('\\', '/'))
    rmSync(file)
  }
  for (const start of beside) addWithNeeds(`node_modules/${start}`, locked, folders, root)
  const nodePackage = /node_modules[\\/](node(?:-bin)?-[\w-]+)[\\/]/.exec(node)?.[1]
  if (nodePackage !== undefined) folders.add(`node_modules/${nodePackage}`)
  const shipped = [...folders].sort().map(folder => describe(root, folder, locked[folder]))
  writeFileSync(join(out, 'sbom.cdx.json'), `${JSON.stringify(billOf({ name, version }, shipped), null, 1)}\n`)
  const licenses = shipped.map(({ name: of, version: number, license, text }) => ({ name: of, version: number, license, text }))
  writeFileSync(join(out, 'licenses.json'), JSON.stringify(licenses))
}

/** A package and, as Node would find them, those that it needs; optional ones where they are installed. */
function addWithNeeds(folder, locked, folders, root) {
  if (folders.has(folder) || unused.has(folder.split('node_modules/').at(-1)) || !existsSync(join(root, folder, 'package.json'))) return
  folders.add(folder)
  // Electron's own dependency fetches its binary, and is not shipped.
  if (folder === 'node_modules/electron') return
  const { dependencies = {}, optionalDependencies = {} } = locked[folder] ?? {}
  for (const need of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const found = [`${folder}/node_modules/${need}`, `node_modules/${need}`].find(place => locked[place] !== undefined)
    if (found !== undefined) addWithNeeds(found, locked, folders, root)
  }
}

function describe(root, folder, lock) {
  const {
    name,
    version,
    license: stated,
    licenses: several,
    homepage,
    repository
  } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  const license = typeof stated === 'string' ? stated : (stated?.type ?? several?.map(({ type }) => type).join(' OR '))
  const file = readdirSync(join(root, folder)).find(entry => /^(licen[cs]e|copying)(\.\w+)?$/i.test(entry))
  const text = file === undefined ? null : readFileSync(join(root, folder, file), 'utf8').trim()
  // Some say it in the text alone.
  const named = license ?? (/^MIT License\b/.test(text ?? '') ? 'MIT' : undefined)
  if (named === undefined) throw new Error(`${folder} names no license`)
  return {
    name,
    version,
    license: named,
    text,
    integrity: lock?.integrity ?? null,
    homepage: homepage ?? (typeof repository === 'string' ? repository : repository?.url) ?? null
  }
}

function billOf({ name, version }, shipped) {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': `${name}@${version}`, name, version, licenses: [{ license: { id: 'MIT' } }] },
      tools: { components: [{ type: 'application', name: 'scripts/bill-of-materials.mjs' }] }
    },
    components: shipped.map(({ name: of, version: number, license, integrity, homepage }) => {
      const purl = `pkg:npm/${of.replace('@', '%40')}@${number}`
      const [, algorithm, content] = /^(sha\d+)-(.+)$/.exec(integrity ?? '') ?? []
      return {
        type: 'library',
        'bom-ref': purl,
        name: of,
        version: number,
        purl,
        licenses: [/ (OR|AND|WITH) /.test(license) ? { expression: license } : { license: { name: license } }],
        ...(content === undefined
          ? {}
          : { hashes: [{ alg: `SHA-${algorithm.slice(3)}`, content: Buffer.from(content, 'base64').toString('hex') }] }),
        ...(homepage === null ? {} : { externalReferences: [{ type: 'website', url: homepage.replace(/^git\+/, '') }] })
      }
    })
  }
}
