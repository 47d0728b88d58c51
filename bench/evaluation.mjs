/**
 * How fast `splice eval` goes on the demo's held-out sequences of 128 tokens, by tokens of a pass; 128 is one sequence at a time.
 *   npm run build && node bench/evaluation.mjs
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'splice-bench-'))
const rounds = 5

/** Tokens a second, from the first pass to the last. */
function speedOf(batchTokens) {
  const demo = join(root, 'resources/demo')
  const sae = join(demo, 'saes/demo-scope-res/layer_2/width_1k/average_l0_15')
  const corpus = join(root, 'fixtures/demo-held-out.json')
  const args = ['eval', '--model', join(demo, 'model'), '--sae', sae, '--ids-file', corpus, '--batch-tokens', String(batchTokens), '--json']
  const { status, stdout, stderr } = spawnSync(join(root, 'bin/splice'), args, { env: { ...process.env, SPLICE_HOME: home } })
  if (status !== 0) throw new Error(String(stderr))
  const { tokens, seconds } = JSON.parse(String(stdout))
  return tokens / seconds
}

try {
  console.log(`${cpus().length} x ${cpus()[0].model.trim()}, ${rounds} rounds, caches warm\n`)
  console.log('| tokens of a pass | median tokens/s | min | max |\n|---|---|---|---|')
  for (const batchTokens of [128, 256, 512, 1024, 2048]) {
    const speeds = Array.from({ length: rounds }, () => speedOf(batchTokens)).sort((a, b) => a - b)
    const [median, least, most] = [speeds[Math.floor(rounds / 2)], speeds[0], speeds.at(-1)].map(speed => Math.round(speed))
    console.log(`| ${batchTokens} | ${median} | ${least} | ${most} |`)
  }
} finally {
  rmSync(home, { recursive: true, force: true })
}
