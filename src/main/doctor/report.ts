/** The report of `splice doctor` and of the settings view: what there is to compute with, each provider tried, and what is missing. */
import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import packageJson from '../../../package.json' with { type: 'json' }
import type { Ailment, DoctorReport, Driver, TriedProvider } from '../../contract/doctor.ts'
import { provider } from '../../contract/run.ts'
import { graphicsDevices } from '../machine/graphics-devices.ts'
import { outputOf } from '../machine/program-output.ts'
import { loadableLibraries, vulkanDrivers } from './libraries.ts'
import { findingOf, nvidiaDriver, type Surroundings, vulkanDriver, vulkanLoader } from './remedies.ts'
import { tryInProcess } from './trial.ts'

/** What ONNX Runtime's CUDA provider of CUDA 12 loads. */
const cudaLibraries = ['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12', 'libcufft.so.11', 'libcurand.so.10', 'libcudnn.so.9']

/** The folder of ONNX Runtime's own libraries on this platform. */
export function runtimeFolder(): string {
  const own = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  return path.join(own, 'bin', 'napi-v6', process.platform, process.arch)
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false
  )
}

/** The kind of Linux, by what /etc/os-release says of it and of what it is like. */
export function linuxFamily(release: string): Surroundings['family'] {
  const value = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(release)?.[1] ?? ''
  const words = `${value('ID')} ${value('ID_LIKE')}`.toLowerCase().split(/\s+/)
  const is = (...names: string[]) => words.some(word => names.includes(word))
  if (is('debian', 'ubuntu')) return 'debian'
  if (is('fedora', 'rhel', 'centos')) return 'fedora'
  if (is('arch')) return 'arch'
  return words.some(word => word.includes('suse')) ? 'suse' : null
}

/** On Linux, what providers of GPUs rest on and whether it is there. Elsewhere it comes with the system. */
async function driversHere(): Promise<Driver[]> {
  if (process.platform !== 'linux') return []
  const [libraries, manifests, smi] = await Promise.all([
    loadableLibraries(),
    vulkanDrivers(),
    outputOf('nvidia-smi', ['--query-gpu=driver_version', '--format=csv,noheader'])
  ])
  const library = (name: string, neededBy: Driver['neededBy']): Driver => ({ name, neededBy, where: libraries.get(name) ?? null })
  const cuda = process.arch === 'x64' ? [nvidiaDriver, ...cudaLibraries].map(name => library(name, 'cuda')) : []
  const version = smi?.split('\n')[0]?.trim() ?? ''
  return [
    library(vulkanLoader, 'webgpu'),
    { name: vulkanDriver, neededBy: 'webgpu', where: manifests.length === 0 ? null : manifests.join(', ') },
    ...cuda,
    ...(version === '' ? [] : [{ name: 'nvidia-smi', neededBy: 'cuda' as const, where: version }])
  ]
}

/** Whether the home can be written to; where it is not there yet, whether it can be made. Leaves nothing behind. */
async function isWritable(home: string): Promise<boolean> {
  if (!(await exists(home))) {
    const parent = path.dirname(home)
    return parent !== home && isWritable(parent)
  }
  const probe = path.join(home, `.doctor-${process.pid}`)
  try {
    // What may be written is not always what the file's mode says: quotas, read-only mounts, network drives.
    await fs.access(home, constants.W_OK)
    await fs.writeFile(probe, '')
    return true
  } catch {
    return false
  } finally {
    await fs.rm(probe, { force: true }).catch(() => undefined)
  }
}

async function freeBytes(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await fs.statfs(folder)
    return bavail * bsize
  } catch {
    const parent = path.dirname(folder)
    return parent === folder ? null : freeBytes(parent)
  }
}

function memoryHere(): DoctorReport['memory'] {
  const totalBytes = os.totalmem()
  const limit = process.constrainedMemory()
  return { totalBytes, availableBytes: process.availableMemory(), limitBytes: limit > 0 && limit < totalBytes ? limit : null }
}

/** Providers that this platform's build has; others are not worth a process. */
const builds: Record<TriedProvider['provider'], boolean> = {
  cpu: true,
  webgpu: true,
  cuda: process.platform === 'linux',
  directml: process.platform === 'win32',
  coreml: process.platform === 'darwin'
}

async function triedOf(name: TriedProvider['provider'], around: Surroundings): Promise<TriedProvider> {
  const trial = builds[name]
    ? await tryInProcess(name)
    : { provider: name, state: 'absent' as const, reason: null, float16: false, gigaflops: null }
  if (trial.state === 'works') return { ...trial, remedy: null }
  const state = trial.reason?.includes('has no ') === true ? 'absent' : trial.state
  return { ...trial, state, ...findingOf(name, state, trial.reason ?? '', around) }
}

function ailmentsOf(home: DoctorReport['home'], providers: readonly TriedProvider[]): Ailment[] {
  const cpu = providers.find(tried => tried.provider === 'cpu')
  const ailments: Ailment[] = []
  if (!home.writable) {
    const remedy =
      process.platform === 'win32'
        ? 'Set SPLICE_HOME to a folder of yours.'
        : `chown -R "$USER" ${home.path}, or set SPLICE_HOME to a folder of yours`
    ailments.push({ message: `the home ${home.path} cannot be written to`, remedy })
  }
  if (home.freeBytes !== null && home.freeBytes < 100e6) {
    ailments.push({ message: `the disk of ${home.path} is full`, remedy: 'Make room, or set SPLICE_HOME to a folder on another disk.' })
  }
  if (cpu !== undefined && cpu.state !== 'works')
    ailments.push({ message: `ONNX Runtime does not work: ${cpu.reason}`, remedy: cpu.remedy })
  return ailments
}

/** Looks at everything and tries every provider, one after the other. `tell` hears what is looked at. Takes some seconds. */
export async function doctorReport(home: string, tell: (what: string) => void = () => undefined): Promise<DoctorReport> {
  tell('devices and drivers')
  const [devices, drivers, release, hasCudaFiles, writable, free] = await Promise.all([
    graphicsDevices(),
    driversHere(),
    fs.readFile('/etc/os-release', 'utf8').catch(() => ''),
    exists(path.join(runtimeFolder(), 'libonnxruntime_providers_cuda.so')),
    isWritable(home),
    freeBytes(home)
  ])
  const family = process.platform === 'linux' ? linuxFamily(release) : null
  const around: Surroundings = { platform: process.platform, architecture: process.arch, family, devices, drivers, hasCudaFiles }
  const providers: TriedProvider[] = []
  for (const name of provider.exclude(['auto']).options) {
    tell(name)
    providers.push(await triedOf(name, around))
  }
  const homeHere = { path: home, writable, freeBytes: free }
  const processors = os.cpus()
  return {
    version: packageJson.version,
    platform: `${process.platform} ${os.release()}`,
    architecture: process.arch,
    node: process.versions.node,
    onnxRuntime: packageJson.dependencies['onnxruntime-node'],
    processor: { model: processors[0]?.model.trim() ?? 'unknown', count: os.availableParallelism() },
    memory: memoryHere(),
    home: homeHere,
    devices,
    drivers,
    providers,
    ailments: ailmentsOf(homeHere, providers)
  }
}
