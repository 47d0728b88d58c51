/** SwiftShader as a GPU for the tests of WebGPU: it comes with Debian's Chromium, and needs Vulkan's loader. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { installOnDebian } from './debian-packages.mjs'

const manifest = '/usr/lib/chromium/vk_swiftshader_icd.json'
const hasLoader = () => ['/sbin/ldconfig', 'ldconfig'].some(program => String(spawnSync(program, ['-p']).stdout).includes('libvulkan.so.1'))

/**
 * The environment variable SPLICE_SWIFTSHADER for the tests: the driver's manifest, or nothing where it cannot be had; tests of WebGPU are
 * skipped then, and a line says so.
 */
export function findSwiftShader(suite) {
  const named = process.env.SPLICE_SWIFTSHADER ?? manifest
  if (process.platform === 'linux') {
    const missing = [...(existsSync(named) ? [] : ['chromium']), ...(hasLoader() ? [] : ['libvulkan1'])]
    if (missing.length === 0 || (installOnDebian(suite, missing) && existsSync(named) && hasLoader())) return { SPLICE_SWIFTSHADER: named }
  }
  console.log(`${suite}: without SwiftShader and Vulkan's loader WebGPU is not tested (Debian: apt-get install chromium libvulkan1)`)
  return { SPLICE_SWIFTSHADER: '' }
}
