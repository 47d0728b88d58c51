/** The doctor: what it makes of a system's answers, and that a provider's trial may end in any way. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { doctorReport as reportSchema } from '../../contract/doctor.ts'
import { appleDevices, nvidiaDevices, windowsDevices } from '../machine/graphics-devices.ts'
import { writeCrashingDriver } from './crashing-driver-fixture.ts'
import { librariesOf, loadableLibraries, vulkanDrivers } from './libraries.ts'
import { findingOf, type Surroundings } from './remedies.ts'
import { doctorReport, linuxFamily } from './report.ts'
import { howToGetSoftwareGpu, softwareGpu } from './software-gpu-fixture.ts'
import { tryInProcess } from './trial.ts'

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'splice-doctor-'))
afterAll(() => fs.rm(folder, { recursive: true, force: true }))

describe('devices are read from', () => {
  test('nvidia-smi', () => {
    expect(nvidiaDevices('NVIDIA H100 80GB HBM3, 550.54.15, 81559\n\n')).toEqual([
      { name: 'NVIDIA H100 80GB HBM3', vendor: 'nvidia', driver: 'NVIDIA 550.54.15', memoryBytes: 81559 * 2 ** 20 }
    ])
    expect(nvidiaDevices('NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.')).toEqual([])
  })

  test('system_profiler', () => {
    const json = JSON.stringify({ SPDisplaysDataType: [{ sppci_model: 'Apple M2 Pro', spdisplays_vendor: 'sppci_vendor_Apple' }] })
    expect(appleDevices(json)).toEqual([{ name: 'Apple M2 Pro', vendor: 'apple', driver: null, memoryBytes: null }])
    expect(appleDevices('')).toEqual([])
  })

  test('Windows, one or several', () => {
    const one = { Name: 'AMD Radeon RX 7600', DriverVersion: '31.0.24027.1012' }
    const device = { name: one.Name, vendor: 'amd', driver: one.DriverVersion, memoryBytes: null }
    expect(windowsDevices(JSON.stringify(one))).toEqual([device])
    expect(windowsDevices(JSON.stringify([one, { Name: 'Intel(R) UHD', DriverVersion: null }])).map(({ vendor }) => vendor)).toEqual([
      'amd',
      'intel'
    ])
    expect(windowsDevices('Get-CimInstance: not recognized')).toEqual([])
  })
})

describe('on Linux', () => {
  test('libraries are what ldconfig lists, the first of a name', () => {
    const listing =
      '2 libs found\n\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/libcuda.so.1\n\tlibcuda.so.1 (libc6) => /usr/lib32/libcuda.so.1\n'
    expect([...librariesOf(listing)]).toEqual([['libcuda.so.1', '/usr/lib/libcuda.so.1']])
  })

  test('and those of LD_LIBRARY_PATH', async () => {
    const file = path.join(folder, 'libcudnn.so.9')
    await fs.writeFile(file, '')
    expect((await loadableLibraries({ LD_LIBRARY_PATH: `/nowhere:${folder}` })).get('libcudnn.so.9')).toBe(file)
  })

  test('drivers of Vulkan are those that a variable names, if they are any', async () => {
    const manifest = path.join(folder, 'some_icd.json')
    await fs.writeFile(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: 'libsome.so' } }))
    await fs.writeFile(path.join(folder, 'broken.json'), '{')
    expect(await vulkanDrivers({ VK_DRIVER_FILES: `${folder}:/nowhere/icd.json` })).toEqual([manifest])
    expect(await vulkanDrivers({ VK_ICD_FILENAMES: manifest })).toEqual([manifest])
  })

  test('the kind of a distribution is its own or that of what it is like', () => {
    expect(linuxFamily('NAME="Debian GNU/Linux"\nID=debian\n')).toBe('debian')
    expect(linuxFamily('ID=linuxmint\nID_LIKE="ubuntu debian"\n')).toBe('debian')
    expect(linuxFamily('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n')).toBe('suse')
    expect(linuxFamily('ID=nixos\n')).toBeNull()
  })
})

describe('what is missing is named with the command that installs it', () => {
  const nvidia = { name: 'NVIDIA', vendor: 'nvidia', driver: null, memoryBytes: null } as const
  const amd = { ...nvidia, name: 'AMD', vendor: 'amd' } as const
  const there = (...names: [string, 'webgpu' | 'cuda'][]) => names.map(([name, neededBy]) => ({ name, neededBy, where: `/lib/${name}` }))
  const vulkan = there(['libvulkan.so.1', 'webgpu'], ['a Vulkan driver', 'webgpu'])
  const cuda = there(['libcuda.so.1', 'cuda'], ['libcublas.so.12', 'cuda'], ['libcudnn.so.9', 'cuda'])
  const without = (all: typeof cuda, name: string) => all.map(one => (one.name === name ? { ...one, where: null } : one))
  const around = (more: Partial<Surroundings>): Surroundings => ({
    ...{ platform: 'linux', architecture: 'x64', family: 'debian', devices: [], drivers: [...vulkan, ...cuda], hasCudaFiles: true },
    ...more
  })
  const finding = (provider: 'webgpu' | 'cuda', more: Partial<Surroundings>) => findingOf(provider, 'fails', 'it said no', around(more))

  test('for WebGPU', () => {
    expect(finding('webgpu', { drivers: without(vulkan, 'libvulkan.so.1') })).toEqual({
      reason: 'there is no Vulkan loader (libvulkan.so.1)',
      remedy: 'apt-get install libvulkan1'
    })
    const noDriver = without(vulkan, 'a Vulkan driver')
    expect(finding('webgpu', { drivers: noDriver, devices: [amd], family: 'fedora' }).remedy).toBe('dnf install mesa-vulkan-drivers')
    expect(finding('webgpu', { drivers: noDriver, devices: [nvidia] }).remedy).toBe('apt-get install nvidia-vulkan-icd')
    expect(finding('webgpu', { drivers: noDriver })).toEqual({
      reason: 'no driver for Vulkan is installed, and no graphics device is listed',
      remedy: null
    })
    expect(finding('webgpu', { devices: [amd] }).reason).toBe('it said no')
  })

  test('for CUDA', () => {
    const noDriver = without(cuda, 'libcuda.so.1')
    expect(finding('cuda', { drivers: noDriver })).toMatchObject({ remedy: null, reason: expect.stringContaining('no NVIDIA device') })
    expect(finding('cuda', { drivers: noDriver, devices: [nvidia] }).remedy).toBe('apt-get install nvidia-driver')
    expect(finding('cuda', { devices: [nvidia], hasCudaFiles: false }).remedy).toBe('npm run install:cuda')
    expect(finding('cuda', { devices: [nvidia], drivers: without(cuda, 'libcudnn.so.9') }).reason).toBe(
      'these libraries are missing: libcudnn.so.9'
    )
    expect(finding('cuda', { platform: 'darwin' })).toMatchObject({ remedy: null, reason: expect.stringContaining('Linux on x64') })
  })

  test('and what a build lacks is no fault', () => {
    expect(findingOf('directml', 'absent', '', around({}))).toEqual({
      reason: 'this build of ONNX Runtime has none; it is in the one for Windows',
      remedy: null
    })
  })
})

describe('a trial', () => {
  test('of the CPU works', async () => {
    const trial = await tryInProcess('cpu')
    expect(trial).toEqual({ provider: 'cpu', state: 'works', reason: null, float16: false, gigaflops: expect.any(Number) })
    expect(trial.gigaflops).toBeGreaterThan(0)
  })

  if (softwareGpu === null) console.log(howToGetSoftwareGpu)
  test.skipIf(softwareGpu === null)('of WebGPU works on a software GPU, which has no float16', async () => {
    const trial = await tryInProcess('webgpu', { VK_DRIVER_FILES: softwareGpu ?? '' })
    expect(trial).toMatchObject({ provider: 'webgpu', state: 'works', reason: null, float16: false })
  })

  test.skipIf(softwareGpu === null)('of a driver that ends its process says so', async () => {
    const driver = writeCrashingDriver(path.join(folder, 'driver'))
    const trial = await tryInProcess('webgpu', { VK_DRIVER_FILES: driver ?? '' })
    expect(trial).toEqual({ provider: 'webgpu', state: 'crashed', reason: 'its process ended (SIGILL)', float16: false, gigaflops: null })
  })

  test('of a provider that this build lacks, or that has no driver, says why', async () => {
    const none = { VK_DRIVER_FILES: path.join(folder, 'nothing.json') }
    const trials = await Promise.all([tryInProcess('directml'), tryInProcess('webgpu', none)])
    const isWindows = process.platform === 'win32'
    expect(trials[0]?.state).toBe(isWindows ? 'works' : 'fails')
    if (process.platform === 'linux') expect(trials[1]).toMatchObject({ state: 'fails', reason: expect.stringMatching(/adapter|vulkan/i) })
  })
})

test('the report says what is there, leaves nothing behind, and knows a home that cannot be written to', async () => {
  const home = path.join(folder, 'home')
  const report = await doctorReport(home)
  expect(reportSchema.parse(report)).toEqual(report)
  expect(report).toMatchObject({ node: process.versions.node, home: { path: home, writable: true }, ailments: [] })
  expect(report.providers.map(({ provider }) => provider)).toEqual(['cpu', 'webgpu', 'cuda', 'directml', 'coreml'])
  expect(report.providers.filter(({ state, reason }) => state !== 'works' && (reason ?? '') === '')).toEqual([])
  await expect(fs.access(home)).rejects.toThrow()

  const file = path.join(folder, 'a-file')
  await fs.writeFile(file, '')
  const ill = await doctorReport(path.join(file, 'home'))
  expect(ill.home.writable).toBe(false)
  expect(ill.ailments.map(({ message }) => message)).toEqual([`the home ${file}/home cannot be written to`])
})
