/** For tests: SwiftShader, which is in Chromium's packages, as Vulkan's driver, so that WebGPU runs without a GPU. */
import { existsSync } from 'node:fs'
import { loadableLibraries } from './libraries.ts'

const debian = '/usr/lib/chromium/vk_swiftshader_icd.json'

/** Said where it is not there. */
export const howToGetSoftwareGpu =
  'WebGPU is not tested here: apt-get install chromium libvulkan1, or SPLICE_SWIFTSHADER=.../vk_swiftshader_icd.json'

async function find(): Promise<string | null> {
  const named = process.env.SPLICE_SWIFTSHADER ?? (existsSync(debian) ? debian : '')
  if (process.platform !== 'linux' || named === '') return null
  return (await loadableLibraries()).has('libvulkan.so.1') ? named : null
}

/** The manifest to name in VK_DRIVER_FILES, or null where SwiftShader or Vulkan's loader are missing. */
export const softwareGpu = await find()
