/**
 * `npm run parity`: runs every case of fixtures/golden and writes docs/parity.md. Exit code 1 where a difference is over its tolerance.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findProjectNode } from './project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const node = findProjectNode(root)

// Sources are run as they are, which the machine's own Node may be too old for.
if (process.execPath !== node) {
  const { status } = spawnSync(node, [fileURLToPath(import.meta.url)], { cwd: root, stdio: 'inherit' })
  process.exit(status ?? 1)
}
const { measureParity } = await import('../src/main/inference/golden/parity.ts')
const { parityPage } = await import('../src/main/inference/golden/parity-page.ts')
const rows = await measureParity(fraction => {
  if (process.stderr.isTTY) process.stderr.write(`\r${Math.floor(100 * fraction)}%`)
})
writeFileSync(new URL('../docs/parity.md', import.meta.url), await parityPage(rows))
const over = rows.filter(({ logits, hooks }) => [...logits, ...hooks].some(({ isWithin }) => !isWithin))
console.log(`\rdocs/parity.md: ${rows.length} rows, ${over.length} over tolerance`)
process.exit(over.length === 0 ? 0 : 1)
