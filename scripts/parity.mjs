/**
 * `npm run parity`: runs every case of fixtures/golden and writes docs/parity.md. Exit code 1 where a difference is over its tolerance.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runOnProjectNode } from './project-node.mjs'

runOnProjectNode(fileURLToPath(new URL('..', import.meta.url)), import.meta.url)
const { measureParity } = await import('../src/main/inference/golden/parity.ts')
const { parityPage } = await import('../src/main/inference/golden/parity-page.ts')
const rows = await measureParity(fraction => {
  if (process.stderr.isTTY) process.stderr.write(`\r${Math.floor(100 * fraction)}%`)
})
writeFileSync(new URL('../docs/parity.md', import.meta.url), await parityPage(rows))
const over = rows.filter(({ logits, hooks }) => [...logits, ...hooks].some(({ isWithin }) => !isWithin))
console.log(`\rdocs/parity.md: ${rows.length} rows, ${over.length} over tolerance`)
process.exit(over.length === 0 ? 0 : 1)
