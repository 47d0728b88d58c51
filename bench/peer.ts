/** PyTorch's plain forward pass over a checkpoint's weights, asked in a process of its own (peer-forward.py). */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import type { FloatType } from './checkpoints.ts'

/** What the peer measured: median milliseconds of a forward pass with its log-softmax, and the loss in nats, to see that it is the same model. */
export interface Peer {
  readonly version: string
  readonly threads: number
  readonly milliseconds: number
  readonly loss: number
}

/** What it measured on CUDA, besides: 1e9 operations a second of a large product, 1e9 bytes a second of a copy. */
export interface CudaPeer extends Peer {
  readonly gemm: number
  readonly copy: number
  readonly device: string
}

/** The peer's figures, or why there are none. `python` needs torch (Debian: python3-torch with libopenblas0-pthread). */
export function askPeer(python: string, model: string, type: FloatType, rounds: number, ids: readonly number[]): Peer | string {
  return type === 'F32' ? ask<Peer>(python, model, rounds, ids, []) : 'PyTorch is asked for float32 alone'
}

/** The same on NVIDIA's devices, over a float32 checkpoint, in float32 or float16. */
export function askCudaPeer(
  python: string,
  model: string,
  rounds: number,
  ids: readonly number[],
  type: 'float32' | 'float16'
): CudaPeer | string {
  return ask<CudaPeer>(python, model, rounds, ids, ['cuda', type])
}

function ask<Answer>(python: string, model: string, rounds: number, ids: readonly number[], more: readonly string[]): Answer | string {
  const given = [path.join(import.meta.dirname, 'peer-forward.py'), model, String(rounds), ids.join(','), ...more]
  const { status, stdout, stderr, error } = spawnSync(python, given, { encoding: 'utf8' })
  if (status === 0) return JSON.parse(stdout)
  return `no peer: ${python} says ${(error?.message ?? stderr.trim().split('\n').at(-1) ?? '').slice(0, 200)}; --python names another`
}
