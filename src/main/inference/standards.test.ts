import { expect, test } from 'vitest'
import { plainReason } from './sessions.ts'

test('of a failed assertion the reason is told, without the place in the code', () => {
  const assertion =
    'ONNX Runtime (webgpu) refused the graph: /onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 ' +
    'onnxruntime::webgpu::WebGpuContext::Initialize(const WebGpuContextConfig&)::<lambda()> ' +
    'adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters \n'
  expect(plainReason(assertion)).toBe('Failed to get a WebGPU adapter: No supported adapters')
  expect(plainReason('this build of ONNX Runtime has no coreml')).toBe('this build of ONNX Runtime has no coreml')
})
