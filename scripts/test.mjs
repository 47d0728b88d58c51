/**
 * `npm test`: every suite in order with the project's own Node, each against its time budget, stopping at the first that fails.
 * `node scripts/test.mjs unit cli` runs those suites alone; `--all` adds the tests in `*.long.test.ts`, and the golden cases on WebGPU.
 * The last line of the output is `N passed, N failed`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProjectNode } from './project-node.mjs'
import { findChromium } from './test-chromium.mjs'
import { findScriptTools } from './test-script-tools.mjs'
import { findSwiftShader } from './test-swiftshader.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const results = join(root, 'test-results')
const node = findProjectNode(root)

/** Budgets are seconds on two cores; together they stay below 15 minutes. */
const suites = [
  { name: 'lint', budget: 10, steps: [['node_modules/@biomejs/biome/bin/biome', 'ci']] },
  {
    name: 'types',
    budget: 45,
    steps: [
      ['node_modules/typescript/bin/tsc', '-p', '.'],
      ['node_modules/svelte-check/bin/svelte-check', '--tsconfig', 'tsconfig.json', '--fail-on-warnings']
    ]
  },
  {
    name: 'layers',
    budget: 10,
    steps: [['node_modules/dependency-cruiser/bin/dependency-cruiser.mjs', '--config', '.dependency-cruiser.mjs', 'src']]
  },
  { name: 'build', budget: 30, steps: [['scripts/build.mjs']] },
  { name: 'unit', budget: 250, project: 'unit', gpu: true },
  { name: 'cli', budget: 175, project: 'cli', scripts: true, gpu: true },
  { name: 'e2e', budget: 340, project: 'e2e', browser: true },
  { name: 'webgpu', budget: 300, project: 'webgpu', gpu: true, isLong: true }
]

const flags = process.argv.slice(2).filter(argument => argument.startsWith('-'))
const names = process.argv.slice(2).filter(argument => !argument.startsWith('-'))
const unknown = [...flags.filter(flag => flag !== '--all'), ...names.filter(name => !suites.some(suite => suite.name === name))]
if (unknown.length > 0) {
  console.error(
    `test: ${unknown.join(', ')} is unknown. The suites are ${suites.map(suite => suite.name).join(', ')}; --all adds long tests.`
  )
  process.exit(2)
}
const usual = suites.filter(suite => !suite.isLong || flags.includes('--all'))
process.exit(await runSuites(names.length === 0 ? usual : suites.filter(suite => names.includes(suite.name))))

async function runSuites(chosen) {
  mkdirSync(results, { recursive: true })
  // No test may read or write the home of the person who runs it.
  const home = mkdtempSync(join(tmpdir(), 'splice-test-'))
  const environment = { ...process.env, SPLICE_HOME: home, ...(flags.includes('--all') ? { SPLICE_LONG_TESTS: '1' } : {}) }
  const lines = []
  const counts = { passed: 0, failed: 0 }
  let broken = null
  for (const suite of chosen) {
    console.log(`\n== ${suite.name}`)
    const started = performance.now()
    const outcome = await runSuite(suite, environment)
    const seconds = (performance.now() - started) / 1000
    counts.passed += outcome.passed
    counts.failed += outcome.failed
    const tests =
      suite.project === undefined
        ? ''
        : `  ${outcome.passed} passed, ${outcome.failed} failed${outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : ''}`
    lines.push(
      `${outcome.ok ? 'ok    ' : 'FAILED'}  ${suite.name.padEnd(7)} ${seconds.toFixed(1).padStart(6)} s of ${suite.budget} s${tests}`
    )
    if (seconds > suite.budget) lines.push(`warning: ${suite.name} took ${seconds.toFixed(1)} s, over its budget of ${suite.budget} s`)
    if (!outcome.ok) {
      broken = suite
      break
    }
  }
  rmSync(home, { recursive: true, force: true })
  console.log(`\n${lines.join('\n')}`)
  const skipped = chosen.slice(lines.filter(line => !line.startsWith('warning')).length).map(suite => suite.name)
  if (broken !== null) console.log(`${broken.name} failed${skipped.length > 0 ? `; not run: ${skipped.join(', ')}` : ''}`)
  console.log(`${counts.passed} passed, ${counts.failed} failed`)
  return broken === null ? 0 : 1
}

async function runSuite(suite, environment) {
  if (suite.project === undefined) {
    // A check that is no list of tests counts as one failed test, so that the last line never says 0 failed on a failure.
    const ends = await Promise.all(suite.steps.map(step => runNode(step, environment)))
    const ok = ends.every(Boolean)
    return { ok, passed: 0, failed: ok ? 0 : 1, skipped: 0 }
  }
  let own = environment
  if (suite.browser) {
    const chromium = findChromium(root)
    if (chromium.path === null) {
      console.error(chromium.message)
      return { ok: false, passed: 0, failed: 1, skipped: 0 }
    }
    own = { ...environment, SPLICE_CHROMIUM: chromium.path }
  }
  if (suite.gpu) {
    own = { ...own, ...findSwiftShader(suite.name) }
    // The others skip what needs it, and say so themselves.
    if (suite.name === 'webgpu' && own.SPLICE_SWIFTSHADER === '') return { ok: true, passed: 0, failed: 0, skipped: 1 }
  }
  if (suite.scripts) own = { ...own, ...findScriptTools() }
  const report = join(results, `${suite.name}.json`)
  rmSync(report, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const ok = await runNode(['node_modules/vitest/vitest.mjs', 'run', '--project', suite.project, ...reporters], own)
  return { ok, ...readCounts(report, ok) }
}

function readCounts(report, ok) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'))
    // A file that cannot be loaded fails without a failed test.
    return { passed: numPassedTests, failed: ok ? numFailedTests : Math.max(1, numFailedTests), skipped: numPendingTests }
  } catch (error) {
    console.error(`test: ${report} cannot be read: ${error.message}`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

/** Whether a script of Node's ended well. */
async function runNode(args, environment) {
  const child = spawn(node, args, { cwd: root, env: environment, stdio: 'inherit' })
  try {
    const [status] = await once(child, 'close')
    return status === 0
  } catch (error) {
    console.error(`test: ${args[0]} did not start: ${error.message}`)
    return false
  }
}
