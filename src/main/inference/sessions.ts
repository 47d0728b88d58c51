/** ONNX Runtime sessions, over mapped weights or on a device, and the choice of execution provider. */
import path from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import { type Precision, type Provider, provider } from '../../contract/run.ts'
import { hostNodes } from '../onnx/device-memory.ts'
import { onCpu, type Placement } from '../onnx/graph.ts'
import { isOutOfMemory } from './memory.ts'
import { standIn } from './stand-in.ts'

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

/** What a graph is run by: the provider, and the type in which models' matrices are multiplied. */
export interface Target {
  readonly provider: Exclude<Provider, 'auto'>
  readonly precision: Precision
}

/** Which provider runs, and why. `warning` is worth telling beside the result: why it is not the one that was asked for. */
export interface ProviderChoice extends Target {
  readonly reason: string
  readonly warning?: string
}

/** The CPU, in float32. */
export const cpu: Target = { provider: 'cpu', precision: 'fp32' }

/** Where weights lie for a target. Float16 on the CPU is for measuring alone: it holds weights as a device would. */
export function placementOf({ provider, precision }: Target): Placement {
  if (provider === 'cpu' && precision === 'fp32') return onCpu
  return { weights: 'device', products: precision === 'fp16' ? 'float16' : 'float32' }
}

/** By provider, why it is not tried in this process: it ended the ones before. */
export type RefusedProviders = Partial<Record<Provider, string>>

/** What jobs leave open, for this whole process: what `auto` is, and the threads of an operator (null: ONNX Runtime's own number). */
export const standards: { auto: ProviderChoice; threads: number | null; refused: RefusedProviders } = {
  auto: { ...cpu, reason: 'auto picks the CPU; name another provider to try it' },
  threads: null,
  refused: {}
}

/**
 * What `auto` is here, or the provider that is asked for by name; the CPU where it stands in for that. Throws `inference/precision` where
 * float16 is asked of the CPU.
 */
export function chooseProvider(asked: Provider, precision?: Precision): ProviderChoice {
  const substitute = standIn.getStore()
  if (substitute !== undefined) return { ...cpu, ...substitute }
  const { auto } = standards
  const refused = standards.refused[asked]
  if (refused !== undefined) {
    const reason = `${asked} is not tried again, so the CPU runs`
    return { ...cpu, reason, warning: `${reason}: ${refused}` }
  }
  const chosen: ProviderChoice =
    asked === 'auto' ? auto : { provider: asked, precision: asked === 'cpu' ? 'fp32' : auto.precision, reason: 'asked for by name' }
  if (precision === 'fp16' && chosen.provider === 'cpu') {
    throw new SpliceError('inference/precision', 'the CPU computes in float32: float16 would be no faster there, and less exact', {
      field: 'precision',
      hint: 'Leave the precision out, or name a provider of a GPU beside it (splice doctor tells which there are).'
    })
  }
  return precision === undefined ? chosen : { ...chosen, precision }
}

/** The providers of this build of ONNX Runtime, by our names. */
export async function availableProviders(): Promise<Exclude<Provider, 'auto'>[]> {
  const { listSupportedBackends } = await onnxRuntime()
  const names = listSupportedBackends().map(({ name }) => name)
  return provider.exclude(['auto']).options.filter(name => names.some(other => other === runtimeNames[name]))
}

/** What a person can use of ONNX Runtime's message: a failed assertion has the place and the code of it before the reason. */
export function plainReason(message: string): string {
  return message.replace(/^.* was false\. /s, '').trim()
}

/** ONNX Runtime's own settings. Keys of `extra` are joined by dots. */
function sessionOptions(target: Target, isTrial: boolean): InferenceSession.SessionOptions {
  const { provider } = target
  const isMapped = placementOf(target).weights === 'mapped'
  const session = {
    disable_prepacking: '1',
    force_spinning_stop: '1',
    model_external_initializers_file_folder_path: path.parse(process.cwd()).root
  }
  return {
    executionProviders: provider === 'cpu' ? ['cpu'] : [runtimeNames[provider], 'cpu'],
    // 'all' has a second way of its own to fold float16 weights.
    graphOptimizationLevel: 'extended',
    enableCpuMemArena: false,
    // DirectML has none.
    ...(provider === 'directml' ? { enableMemPattern: false } : {}),
    ...(standards.threads === null ? {} : { intraOpNumThreads: standards.threads }),
    // Errors are told by what is thrown; a trial's are expected, and not for stderr.
    logSeverityLevel: isTrial ? 4 : 3,
    extra: {
      ...(isMapped ? { optimization: { disable_specified_optimizers: 'ConstantFolding;GemmTransposeFusion' } } : {}),
      session: provider === 'cpu' ? session : { ...session, name_based_layer_assignment: `cpu(${hostNodes})` }
    }
  }
}

/**
 * Creates a session from a model's bytes. On the CPU external weights are mapped, not read, and nothing keeps a copy of them:
 * prepacking is off, and so is the folding of constants, which would hold every 16-bit weight in float32. Those are cast while they
 * run, into memory that goes back at once, since an arena would keep it for each session. A device holds a copy of the weights that
 * its nodes use, in the type they compute in.
 * Throws `inference/session` when the runtime refuses the graph, and the runtime's own error where memory does not suffice.
 */
export async function createSession(model: Uint8Array, target: Target, { isTrial = false } = {}): Promise<InferenceSession> {
  const { InferenceSession } = await onnxRuntime()
  const { provider } = target
  if (!(await availableProviders()).includes(provider)) {
    // The runtime would leave it out silently and run on the CPU.
    throw new SpliceError('inference/session', `this build of ONNX Runtime has no ${provider}`, { mistake: false })
  }
  try {
    return await InferenceSession.create(model, sessionOptions(target, isTrial))
  } catch (thrown) {
    if (isOutOfMemory(thrown)) throw thrown
    const message = plainReason(thrown instanceof Error ? thrown.message : String(thrown))
    throw new SpliceError('inference/session', `ONNX Runtime (${provider}) refused the graph: ${message}`, {
      mistake: false,
      cause: thrown
    })
  }
}
