/**
 * `npm run parity`: runs every case of fixtures/golden on the CPU, on WebGPU with SwiftShader as its GPU, and with float16 weights, and writes
 * docs/parity.md. `npm run parity -- --device webgpu` (or another provider) runs them on this machine's own device, in float32 and float16,
 * prints the differences and writes nothing. Exit code 1 where a difference is over its tolerance, 2 where SwiftShader is missing or an option is unknown.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runOnProjectNode } from './project-node.mjs'
import { findSwiftShader } from './test-swiftshader.mjs'

const devices = ['webgpu', 'cuda', 'directml', 'coreml']
runOnProjectNode(fileURLToPath(new URL('..', import.meta.url)), import.meta.url)
const { device } = options()
if (device === undefined) {
  const { SPLICE_SWIFTSHADER: driver } = findSwiftShader('parity')
  if (driver === '') process.exit(2)
  process.env.VK_DRIVER_FILES = driver
}
const { measureParity } = await import('../src/main/inference/golden/parity.ts')
const { float16Ways, kindTable, parityPage } = await import('../src/main/inference/golden/parity-page.ts')
const { standards } = await import('../src/main/inference/sessions.ts')
const tell = what => fraction => {
  if (process.stderr.isTTY) process.stderr.write(`\r${what} ${Math.floor(100 * fraction)}%  `)
}
const isOver = ({ logits, hooks }) => [...logits, ...hooks].some(({ isWithin }) => !isWithin)
process.exit((device === undefined ? await writePage() : await lookAtDevice(device)) === 0 ? 0 : 1)

function options() {
  try {
    const { values } = parseArgs({ options: { device: { type: 'string' } } })
    if (values.device !== undefined && !devices.includes(values.device))
      throw new Error(`--device ${values.device} is none of ${devices.join(', ')}`)
    return values
  } catch (thrown) {
    console.error(`parity: ${thrown.message}`)
    return process.exit(2)
  }
}

/** Gives how many rows are over tolerance. */
async function writePage() {
  const rows = await measureParity(tell('CPU'))
  const webgpu = await measureParity(tell('WebGPU'), 'webgpu')
  // Jobs that leave the provider open run with what stands here: float16 on the CPU is for this measurement alone.
  standards.auto = { provider: 'cpu', precision: 'fp16', reason: 'to be measured' }
  const float16 = await measureParity(tell('float16'), 'auto')
  writeFileSync(new URL('../docs/parity.md', import.meta.url), await parityPage(rows, { webgpu, float16 }))
  const over = [...rows, ...webgpu].filter(isOver)
  console.log(`\rdocs/parity.md: ${rows.length} rows on the CPU, ${webgpu.length} on WebGPU, ${over.length} over tolerance`)
  return over.length
}

/** Float16 has no tolerance with SAEs, and so none here. */
async function lookAtDevice(provider) {
  const rows = await measureParity(tell(provider), provider)
  standards.auto = { ...standards.auto, precision: 'fp16' }
  const float16 = await measureParity(tell('float16'), provider)
  console.log(`\r${kindTable([{ name: provider, rows }, ...float16Ways(float16, ` on ${provider}`)])}`)
  const over = rows.filter(isOver)
  for (const { family, format, reading } of over) console.log(`over tolerance: ${family}, ${format ?? 'model alone'}, ${reading}`)
  console.log(`${rows.length} rows on ${provider}, ${over.length} over tolerance`)
  return over.length
}
