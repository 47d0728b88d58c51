/**
 * `npm run parity`: runs every case of fixtures/golden on the CPU, on WebGPU with SwiftShader as its GPU, and with float16 weights, and writes
 * docs/parity.md. Exit code 1 where a difference is over its tolerance, 2 where SwiftShader is missing.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runOnProjectNode } from './project-node.mjs'
import { findSwiftShader } from './test-swiftshader.mjs'

runOnProjectNode(fileURLToPath(new URL('..', import.meta.url)), import.meta.url)
const { SPLICE_SWIFTSHADER: driver } = findSwiftShader('parity')
if (driver === '') process.exit(2)
process.env.VK_DRIVER_FILES = driver
const { measureParity } = await import('../src/main/inference/golden/parity.ts')
const { parityPage } = await import('../src/main/inference/golden/parity-page.ts')
const { standards } = await import('../src/main/inference/sessions.ts')
const tell = what => fraction => {
  if (process.stderr.isTTY) process.stderr.write(`\r${what} ${Math.floor(100 * fraction)}%  `)
}
const rows = await measureParity(tell('CPU'))
const webgpu = await measureParity(tell('WebGPU'), 'webgpu')
// Jobs that leave the provider open run with what stands here: float16 on the CPU is for this measurement alone.
standards.auto = { provider: 'cpu', precision: 'fp16', reason: 'to be measured' }
const float16 = await measureParity(tell('float16'), 'auto')
writeFileSync(new URL('../docs/parity.md', import.meta.url), await parityPage(rows, { webgpu, float16 }))
const over = [...rows, ...webgpu].filter(({ logits, hooks }) => [...logits, ...hooks].some(({ isWithin }) => !isWithin))
console.log(`\rdocs/parity.md: ${rows.length} rows on the CPU, ${webgpu.length} on WebGPU, ${over.length} over tolerance`)
process.exit(over.length === 0 ? 0 : 1)
