/** What execution providers are called. */
import type { Provider } from '../../../contract/run.ts'

export const providerNames: Record<Provider, string> = {
  auto: 'automatic',
  cpu: 'CPU',
  webgpu: 'WebGPU',
  cuda: 'CUDA',
  directml: 'DirectML',
  coreml: 'CoreML'
}
