/** `npm run install:cuda`: what goes wrong is one line with what to do, and nothing is half installed. */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Outcome, root, temporaryFolder } from '../command-line.ts'

const script = join(root, 'scripts/install-cuda.mjs')
const runtime = join('node_modules', 'onnxruntime-node')
const libraries = join(runtime, 'bin/napi-v6/linux/x64')

/** Has the script believe that it runs on another platform. */
const platform = (name: string, architecture: string) => {
  const text = `for (const [name, value] of [['platform', '${name}'], ['arch', '${architecture}']]) Object.defineProperty(process, name, { value })`
  return ['--import', `data:text/javascript,${encodeURIComponent(text)}`]
}

interface Call {
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  readonly file?: string
  readonly as?: readonly string[]
}

function run({ args = ['--anyway'], env = {}, file = script, as = platform('linux', 'x64') }: Call): Promise<Outcome> {
  const child = spawn(process.execPath, [...as, file, ...args], { env: { ...process.env, ...env } })
  const outcome: Outcome = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text
  })
  return new Promise(resolve => child.on('close', code => resolve({ ...outcome, code })))
}

/** A project whose onnxruntime-node has an installer of ours. */
function projectWith(installer: string): { folder: string; file: string } {
  const folder = temporaryFolder()
  mkdirSync(join(folder, runtime, 'script'), { recursive: true })
  mkdirSync(join(folder, libraries), { recursive: true })
  mkdirSync(join(folder, 'scripts'))
  cpSync(script, join(folder, 'scripts/install-cuda.mjs'))
  writeFileSync(join(folder, runtime, 'package.json'), '{"name": "onnxruntime-node"}')
  const head = `const fs = require('fs'); const bin = require('path').join(__dirname, '..', 'bin/napi-v6/linux/x64'); fs.mkdirSync(bin, { recursive: true });`
  writeFileSync(join(folder, runtime, 'script/install.js'), `${head}\n${installer}`)
  return { folder, file: join(folder, 'scripts/install-cuda.mjs') }
}

const left = (folder: string) => [...readdirSync(join(folder, 'node_modules')), ...readdirSync(join(folder, libraries))]

describe('refuses in one line', () => {
  test('a platform for which there are none', async () => {
    const outcome = await run({ as: platform('darwin', 'arm64') })
    expect(outcome).toEqual({
      code: 2,
      stdout: '',
      stderr:
        "install:cuda: ONNX Runtime's package for Node has CUDA for linux/x64 alone, and this is darwin/arm64; try --provider webgpu.\n"
    })
  })

  test('an option that it does not know', async () => {
    expect(await run({ args: ['--everything'] })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^install:cuda: --everything is unknown.*\n$/)
    })
  })
})

test('a network that is not there is said in one line, and nothing is left', async () => {
  const before = readdirSync(join(root, libraries))
  // As npm runs it, which the installer takes for an installation of its own sources unless it is told to install.
  const file = join(root, 'package.json')
  const npm = { npm_config_local_prefix: dirname(file), npm_package_json: file }
  const outcome = await run({ env: { ...npm, HTTPS_PROXY: 'http://127.0.0.1:1', GLOBAL_AGENT_HTTPS_PROXY: 'http://127.0.0.1:1' } })
  expect(outcome.code).toBe(1)
  expect(outcome.stderr).toMatch(
    /^install:cuda: CUDA's files could not be fetched: no connection to .*; behind a proxy set HTTPS_PROXY\. Nothing was installed\.\n$/
  )
  expect(readdirSync(join(root, libraries))).toEqual(before)
  expect(readdirSync(join(root, 'node_modules')).filter(name => name.startsWith('.install-cuda'))).toEqual([])
})

describe('of a download', () => {
  test('that breaks off after the first file nothing is left', async () => {
    const half = `fs.writeFileSync(bin + '/libonnxruntime_providers_shared.so', 'half'); throw new Error('Failed to open NuGet package: Invalid or unsupported zip format')`
    const { folder, file } = projectWith(half)
    const outcome = await run({ file })
    expect(outcome).toMatchObject({
      code: 1,
      stderr:
        "install:cuda: CUDA's files could not be fetched: Failed to open NuGet package: Invalid or unsupported zip format. Nothing was installed.\n"
    })
    expect(left(folder)).toEqual(['onnxruntime-node'])
  })

  test('that is whole all files are there, and the next call has nothing to do', async () => {
    const files = ['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so', 'libonnxruntime_providers_tensorrt.so']
    const { folder, file } = projectWith(`for (const name of ${JSON.stringify(files)}) fs.writeFileSync(bin + '/' + name, name)`)
    const first = await run({ file })
    expect(first).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('3 files are installed') })
    expect(left(folder)).toEqual(['onnxruntime-node', ...files])
    expect(await run({ file })).toMatchObject({ code: 0, stdout: expect.stringContaining('are there already') })
  })
})

test('without an NVIDIA driver it says what to do first', async () => {
  const { file, folder } = projectWith(`throw new Error('was run')`)
  // Where there is one, the download begins.
  const hasDriver = existsSync('/usr/lib/x86_64-linux-gnu/libcuda.so.1')
  const said = hasDriver ? 'was run' : 'there is no NVIDIA driver here (libcuda.so.1)'
  expect(await run({ args: [], file })).toMatchObject({ code: hasDriver ? 1 : 2, stderr: expect.stringContaining(said) })
  expect(left(folder)).toEqual(['onnxruntime-node'])
})
