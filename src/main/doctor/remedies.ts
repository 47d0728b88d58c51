/** Why a provider does not work, in words that name what is missing, and what to do about it. */
import type { Driver, GraphicsDevice, TriedProvider } from '../../contract/doctor.ts'

/** What is known of the machine beside the trial. `family` is the kind of Linux, by its package manager; null elsewhere. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly architecture: string
  readonly family: 'debian' | 'fedora' | 'arch' | 'suse' | null
  readonly devices: readonly GraphicsDevice[]
  readonly drivers: readonly Driver[]
  /** Whether ONNX Runtime's CUDA files are beside it. */
  readonly hasCudaFiles: boolean
}

export interface Finding {
  readonly reason: string
  readonly remedy: string | null
}

/** Commands that install packages, by the kind of Linux. */
const installs: Record<'loader' | 'mesa', Record<NonNullable<Surroundings['family']>, string>> = {
  loader: {
    debian: 'apt-get install libvulkan1',
    fedora: 'dnf install vulkan-loader',
    arch: 'pacman -S vulkan-icd-loader',
    suse: 'zypper install libvulkan1'
  },
  mesa: {
    debian: 'apt-get install mesa-vulkan-drivers',
    fedora: 'dnf install mesa-vulkan-drivers',
    arch: 'pacman -S vulkan-radeon vulkan-intel',
    suse: 'zypper install libvulkan_radeon libvulkan_intel'
  }
}

function missing({ drivers }: Surroundings, provider: TriedProvider['provider']): string[] {
  return drivers.filter(({ neededBy, where }) => neededBy === provider && where === null).map(({ name }) => name)
}

const has = ({ devices }: Surroundings, ...vendors: GraphicsDevice['vendor'][]) => devices.some(({ vendor }) => vendors.includes(vendor))

function webgpuFinding(said: string, around: Surroundings): Finding {
  if (around.platform !== 'linux') return { reason: said, remedy: 'Update the graphics driver.' }
  const lacking = missing(around, 'webgpu')
  if (lacking.includes(vulkanLoader)) {
    const command = around.family === null ? "Install your system's Vulkan loader." : installs.loader[around.family]
    return { reason: `there is no Vulkan loader (${vulkanLoader})`, remedy: command }
  }
  if (!lacking.includes(vulkanDriver)) {
    return { reason: said, remedy: around.devices.length === 0 ? null : 'Update the graphics driver; it has to know Vulkan 1.1 and more.' }
  }
  const reason = 'no driver for Vulkan is installed'
  if (has(around, 'amd', 'intel')) {
    return { reason, remedy: around.family === null ? "Install Mesa's Vulkan drivers." : installs.mesa[around.family] }
  }
  if (has(around, 'nvidia')) {
    return {
      reason,
      remedy: around.family === 'debian' ? 'apt-get install nvidia-vulkan-icd' : "Install the Vulkan part of NVIDIA's driver."
    }
  }
  return { reason: `${reason}, and no graphics device is listed`, remedy: null }
}

function cudaFinding(said: string, around: Surroundings): Finding {
  if (around.platform !== 'linux' || around.architecture !== 'x64') {
    return { reason: "ONNX Runtime's package for Node has CUDA for Linux on x64 alone", remedy: null }
  }
  const lacking = missing(around, 'cuda')
  if (lacking.includes(nvidiaDriver)) {
    const reason = `there is no NVIDIA driver (${nvidiaDriver})`
    if (!has(around, 'nvidia')) return { reason: `${reason}, and no NVIDIA device is listed`, remedy: null }
    return { reason, remedy: around.family === 'debian' ? 'apt-get install nvidia-driver' : "Install NVIDIA's driver." }
  }
  if (!around.hasCudaFiles) return { reason: "ONNX Runtime's CUDA files are not installed", remedy: 'npm run install:cuda' }
  if (lacking.length > 0) {
    return {
      reason: `these libraries are missing: ${lacking.join(', ')}`,
      remedy: 'Install CUDA 12 and cuDNN 9 (https://developer.nvidia.com/cuda-downloads, https://developer.nvidia.com/cudnn-downloads).'
    }
  }
  return { reason: said, remedy: "Update NVIDIA's driver; CUDA 12 needs version 525 or newer." }
}

/** Names of what is looked for, as the report has them. */
export const vulkanLoader = 'libvulkan.so.1'
export const vulkanDriver = 'a Vulkan driver'
export const nvidiaDriver = 'libcuda.so.1'

/** What is wrong with a provider that does not work; `said` is what its trial gave. */
export function findingOf(provider: TriedProvider['provider'], state: TriedProvider['state'], said: string, around: Surroundings): Finding {
  if (state === 'absent') {
    const home = { directml: 'Windows', coreml: 'macOS', cuda: 'Linux on x64', webgpu: 'another platform', cpu: 'another platform' }[
      provider
    ]
    return { reason: `this build of ONNX Runtime has none; it is in the one for ${home}`, remedy: null }
  }
  if (state === 'crashed' || state === 'silent')
    return { reason: said, remedy: 'Update the graphics driver, or stay with another provider.' }
  if (provider === 'webgpu') return webgpuFinding(said, around)
  if (provider === 'cuda') return cudaFinding(said, around)
  if (provider === 'cpu') return { reason: said, remedy: 'npm ci' }
  return { reason: said, remedy: 'Update the graphics driver.' }
}
