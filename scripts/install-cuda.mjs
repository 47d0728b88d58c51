/**
 * `npm run install:cuda`: fetches the files of ONNX Runtime's CUDA provider, some 400 MB, with onnxruntime-node's own installer, and puts
 * them beside its library. Either all of them are there in the end or none. `--anyway` goes on without an NVIDIA driver. Exit codes: 0 they
 * are there; 1 they could not be fetched; 2 they are of no use here.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const platforms = ['linux/x64']

/** What went wrong, in one line, with the exit code that goes with it. */
class InstallProblem extends Error {
  constructor(message, code) {
    super(message)
    this.code = code
  }
}

/** Whether NVIDIA's driver is there, by the library that comes with it and with nothing else. */
function hasDriver() {
  return ['/sbin/ldconfig', 'ldconfig'].some(program => String(spawnSync(program, ['-p']).stdout).includes('libcuda.so.1'))
}

/** What the installer's output says, in a few words. */
function reasonOf(output) {
  const [, host] = /(?:getaddrinfo|connect) \S+ (\S+)/.exec(output) ?? []
  if (/ENOTFOUND|EAI_AGAIN/.test(output)) return `${host ?? 'api.nuget.org'} is not found; is there a network?`
  if (/ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_STREAM_PREMATURE_CLOSE|socket hang up/.test(output)) {
    return `no connection to ${host ?? 'api.nuget.org'}; behind a proxy set HTTPS_PROXY`
  }
  const [, status] = /HTTP status code = (\d+)/.exec(output) ?? []
  if (status !== undefined) return `api.nuget.org answered ${status}`
  if (/ENOSPC/.test(output)) return 'there is no room on the disk'
  if (/EACCES|EPERM|EROFS/.test(output)) return 'the folder cannot be written to'
  return /^(?:\w*Error): (.*)$/m.exec(output)?.[1] ?? (output.trim().split('\n').at(-1) || 'the installer said nothing')
}

/**
 * Installs the files into onnxruntime-node's folder. Its installer runs on a copy of its scripts, whose results are moved when all are
 * there. Throws an InstallProblem; then nothing is left of it.
 */
function installCuda(root, { platform, needsDriver, tell }) {
  if (!platforms.includes(platform)) {
    throw new InstallProblem(
      `ONNX Runtime's package for Node has CUDA for ${platforms.join(', ')} alone, and this is ${platform}; try --provider webgpu.`,
      2
    )
  }
  const own = join(root, 'node_modules', 'onnxruntime-node')
  if (!existsSync(join(own, 'script', 'install.js'))) throw new InstallProblem('onnxruntime-node is not installed; run npm ci first.', 1)
  const folder = join('bin', 'napi-v6', ...platform.split('/'))
  if (existsSync(join(own, folder, 'libonnxruntime_providers_cuda.so'))) {
    tell("ONNX Runtime's CUDA files are there already; splice doctor tries them.")
    return
  }
  if (needsDriver && !hasDriver()) {
    throw new InstallProblem(
      'there is no NVIDIA driver here (libcuda.so.1), without which CUDA does not run; install it first, or give --anyway.',
      2
    )
  }
  // Beside the packages, so that the scripts find those that they need, and on the disk that the files go to.
  const copy = join(root, 'node_modules', `.install-cuda-${process.pid}`)
  try {
    mkdirSync(join(copy, 'tmp'), { recursive: true })
    cpSync(join(own, 'script'), join(copy, 'script'), { recursive: true })
    cpSync(join(own, 'package.json'), join(copy, 'package.json'))
    tell("Fetching ONNX Runtime's CUDA files, some 400 MB ...")
    const proxy = process.env.GLOBAL_AGENT_HTTPS_PROXY ?? process.env.HTTPS_PROXY ?? process.env.https_proxy
    // A file has all that it says; of a pipe its end would take the rest.
    const said = join(copy, 'said.txt')
    const output = openSync(said, 'w')
    const { status, error } = spawnSync(process.execPath, [join(copy, 'script', 'install.js'), '--onnxruntime-node-install'], {
      stdio: ['ignore', output, output],
      // What it downloads goes away with the rest.
      env: {
        ...process.env,
        TMPDIR: join(copy, 'tmp'),
        ...(proxy ? { GLOBAL_AGENT_HTTPS_PROXY: proxy, GLOBAL_AGENT_HTTP_PROXY: proxy } : {})
      }
    })
    closeSync(output)
    const built = join(copy, folder)
    const files = existsSync(built) ? readdirSync(built).filter(name => name.endsWith('.so')) : []
    if (error || status !== 0 || !files.includes('libonnxruntime_providers_cuda.so')) {
      throw new InstallProblem(
        `CUDA's files could not be fetched: ${error?.message ?? reasonOf(readFileSync(said, 'utf8'))}. Nothing was installed.`,
        1
      )
    }
    moveAll(files, built, join(own, folder))
    tell(`${files.length} files are installed. splice doctor tries them; npm ci takes them away again.`)
  } catch (thrown) {
    if (thrown instanceof InstallProblem) throw thrown
    throw new InstallProblem(`CUDA's files could not be installed: ${reasonOf(thrown.message)}. Nothing was installed.`, 1)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** Moves files, all or none; the one without which the others are not looked at goes last. */
function moveAll(files, from, to) {
  const moved = []
  const ordered = [...files].sort((a, b) => Number(a.includes('_cuda')) - Number(b.includes('_cuda')))
  try {
    for (const name of ordered) {
      renameSync(join(from, name), join(to, name))
      moved.push(name)
    }
  } catch (thrown) {
    for (const name of moved) rmSync(join(to, name), { force: true })
    throw thrown
  }
}

// Ctrl-C ends the installer; what it left is then taken away.
process.on('SIGINT', () => undefined)
const unknown = process.argv.slice(2).filter(argument => argument !== '--anyway')
try {
  if (unknown.length > 0) throw new InstallProblem(`${unknown.join(', ')} is unknown; the one option is --anyway.`, 2)
  installCuda(fileURLToPath(new URL('..', import.meta.url)), {
    platform: `${process.platform}/${process.arch}`,
    needsDriver: !process.argv.includes('--anyway'),
    tell: line => console.log(line)
  })
} catch (thrown) {
  if (!(thrown instanceof InstallProblem)) throw thrown
  console.error(`install:cuda: ${thrown.message}`)
  process.exitCode = thrown.code
}
