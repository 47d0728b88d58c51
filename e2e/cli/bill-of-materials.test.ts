/** The bill of materials and the licenses that a build writes, held to the lockfile. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { license } from '../../src/contract/about.ts'
import { root } from '../command-line.ts'

const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'))
const bill = z
  .object({
    bomFormat: z.literal('CycloneDX'),
    specVersion: z.literal('1.6'),
    metadata: z.object({ component: z.object({ name: z.literal('splice') }) }),
    components: z.array(
      z.object({
        'bom-ref': z.string(),
        name: z.string(),
        version: z.string(),
        purl: z.string(),
        licenses: z.array(z.union([z.object({ expression: z.string() }), z.object({ license: z.object({ name: z.string() }) })])).length(1),
        hashes: z.array(z.object({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) })).length(1)
      })
    )
  })
  .parse(read('out/sbom.cdx.json'))
const licenses = z.array(license).parse(read('out/licenses.json'))
const lockfile = z
  .object({ packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })) })
  .parse(read('package-lock.json'))
const { dependencies } = z.object({ dependencies: z.record(z.string(), z.string()) }).parse(read('package.json'))

test('every package that is shipped is in the lockfile, of that version and content, and none twice', () => {
  const locked = new Set(
    Object.entries(lockfile.packages).map(([place, { version, integrity = '' }]) => {
      const hash = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')
      return `${place.split('node_modules/').at(-1)}@${version} ${hash}`
    })
  )
  for (const { name, version, hashes } of bill.components) expect(locked).toContain(`${name}@${version} ${hashes[0]!.content}`)
  expect(new Set(bill.components.map(component => component['bom-ref'])).size).toBe(bill.components.length)
})

test('it names all that runs: what package.json depends on, what the page is made of, the shell and its Node', () => {
  const shipped = bill.components.map(({ name }) => name)
  expect(shipped).toEqual(expect.arrayContaining([...Object.keys(dependencies), 'svelte', 'echarts', 'bits-ui', 'electron']))
  expect(shipped.filter(name => /^node(-bin)?-(linux|darwin|win)/.test(name))).toHaveLength(1)
  for (const tool of ['vitest', 'typescript', 'vite', 'playwright-core', '@biomejs/biome']) expect(shipped).not.toContain(tool)
})

test('the app shows the license of each, all of which allow to ship it', () => {
  expect(licenses.map(({ name, version }) => `${name}@${version}`)).toEqual(
    bill.components.map(({ name, version }) => `${name}@${version}`)
  )
  for (const { name, license: terms } of licenses) {
    expect([name, terms]).toEqual([name, expect.stringMatching(/^\(?(MIT|ISC|0BSD|Apache-2\.0|BSD-[23]-Clause)\b/)])
  }
  // These three carry no text in their packages.
  const silent = licenses.filter(({ text }) => text === null).map(({ name }) => name)
  expect(silent.filter(name => !/^(onnxruntime-(common|node)|sqlite-vec.*)$/.test(name))).toEqual([])
})
