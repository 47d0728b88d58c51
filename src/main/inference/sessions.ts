/** ONNX Runtime sessions over mapped weights, and the choice of execution provider. */
import path from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import { type Provider, provider } from '../../contract/run.ts'

/** Loads the native module when it is first needed. */
export async function onnxRuntime(): Promise<typeof import('onnxruntime-node')> {
  return import('onnxruntime-node')
}

/** ONNX Runtime's names. */
const runtimeNames: Record<Exclude<Provider, 'auto'>, string> = {
  cpu: 'cpu',
  webgpu: 'webgpu',
  cuda: 'cuda',
  directml: 'dml',
  coreml: 'coreml'
}

/** Which provider runs, and why. */
export interface ProviderChoice {
  readonly provider: Exclude<Provider, 'auto'>
  readonly reason: string
}

/** What jobs leave open, for this whole process: what `auto` is, and the threads of an operator (null: ONNX Runtime's own number). */
export const standards: { auto: ProviderChoice; threads: number | null } = {
  auto: { provider: 'cpu', reason: 'auto picks the CPU; name another provider to try it' },
  threads: null
}

/** What `auto` is here, or the provider that is asked for by name. */
export function chooseProvider(asked: Provider): ProviderChoice {
  return asked === 'auto' ? standards.auto : { provider: asked, reason: 'asked for by name' }
}

/** The providers of this build of ONNX Runtime, by our names. */
export async function availableProviders(): Promise<Exclude<Provider, 'auto'>[]> {
  const { listSupportedBackends } = await onnxRuntime()
  const names = listSupportedBackends().map(({ name }) => name)
  return provider.exclude(['auto']).options.filter(name => names.some(other => other === runtimeNames[name]))
}

/**
 * Creates a session from a model's bytes. External weights are mapped, not read, and nothing keeps a copy of them: prepacking
 * is off, and so is the folding of constants, which would hold every 16-bit weight in float32. Those are cast while they run,
 * into memory that goes back at once, since an arena would keep it for each session.
 * Throws `inference/session` when the runtime refuses the graph.
 */
export async function createSession(model: Uint8Array, provider: Exclude<Provider, 'auto'>): Promise<InferenceSession> {
  const { InferenceSession } = await onnxRuntime()
  if (!(await availableProviders()).includes(provider)) {
    // The runtime would leave it out silently and run on the CPU.
    throw new SpliceError('inference/session', `this build of ONNX Runtime has no ${provider}`, { mistake: false })
  }
  try {
    return await InferenceSession.create(model, {
      executionProviders: provider === 'cpu' ? ['cpu'] : [runtimeNames[provider], 'cpu'],
      // 'all' has a second way of its own to fold float16 weights.
      graphOptimizationLevel: 'extended',
      enableCpuMemArena: false,
      ...(standards.threads === null ? {} : { intraOpNumThreads: standards.threads }),
      logSeverityLevel: 3,
      extra: {
        optimization: { disable_specified_optimizers: 'ConstantFolding;GemmTransposeFusion' },
        session: {
          disable_prepacking: '1',
          force_spinning_stop: '1',
          model_external_initializers_file_folder_path: path.parse(process.cwd()).root
        }
      }
    })
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SpliceError('inference/session', `ONNX Runtime (${provider}) refused the graph: ${message}`, {
      mistake: false,
      cause: thrown
    })
  }
}
