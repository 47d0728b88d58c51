/** Whether an SAE fits a model: its hook points exist, have its widths, and stand in the order in which it needs them. */
import { SpliceError } from '../../contract/errors.ts'
import type { SaeProperties } from './sae.ts'

/** A model's hook point, as far as fitting goes. `shape` follows the batch dimension; `width` is null where it depends on the prompt. */
export interface FittingPoint {
  readonly name: string
  readonly shape: readonly (number | string | object)[]
  readonly width: number | null
}

/** The hook points that an SAE reads and stands in at. */
export interface Attachment {
  readonly hook: string
  readonly target: string
}

type Fitting = Pick<SaeProperties, 'path' | 'hook' | 'hookOut' | 'isTranscoder' | 'headIndex' | 'dIn' | 'dOut'>

/**
 * Where an SAE attaches to a model whose hook points are `points`, in the order in which they run. Throws `sae/no-hook`,
 * `sae/no-such-hook`, `sae/width`, `sae/head` and `sae/order`, naming the SAE, the hook point and the model.
 */
export function attach(sae: Fitting, points: readonly FittingPoint[], model: string): Attachment {
  const hint = (width: number) => someThatFit(points, width, model)
  if (sae.hook === null || (sae.isTranscoder && sae.hookOut === null)) {
    const missing = sae.hook === null ? 'which hook point it belongs to' : 'where this transcoder writes to'
    throw new SpliceError('sae/no-hook', `nothing in ${sae.path} says ${missing}`, {
      file: sae.path,
      field: 'hook',
      hint: `Name it after the path with @, such as @blocks.20.hook_resid_post. ${hint(sae.dIn)}`
    })
  }
  const target = sae.hookOut ?? sae.hook
  const input = place(sae, sae.hook, sae.dIn, 'reads', points, model)
  const output = place(sae, target, sae.dOut, 'writes', points, model)
  if (output < input) {
    throw new SpliceError('sae/order', `${sae.path} reads ${sae.hook}, but ${model} computes ${target}, where it writes, before`, {
      file: sae.path,
      field: target,
      hint: 'A transcoder writes to a hook point that comes after the one it reads.'
    })
  }
  return { hook: sae.hook, target }
}

/** Where a hook point comes among the points, checked against a width. */
function place(
  sae: Fitting,
  hook: string,
  wanted: number,
  does: 'reads' | 'writes',
  points: readonly FittingPoint[],
  model: string
): number {
  const index = points.findIndex(candidate => candidate.name === hook)
  const point = points[index]
  const options = { file: sae.path, field: hook, hint: someThatFit(points, wanted, model) }
  if (point === undefined) {
    throw new SpliceError('sae/no-such-hook', `${model} has no hook point ${hook}, where ${sae.path} belongs`, options)
  }
  if (sae.headIndex !== null) {
    const [, heads, dHead] = point.shape
    if (point.shape.length !== 3 || typeof heads !== 'number' || sae.headIndex >= heads) {
      throw new SpliceError('sae/head', `${sae.path} belongs to head ${sae.headIndex}, which ${hook} of ${model} does not have`, options)
    }
    if (dHead === wanted) return index
    throw new SpliceError('sae/width', `${sae.path} ${does} ${wanted} features, but a head of ${hook} of ${model} has ${dHead}`, options)
  }
  if (point.width !== wanted) {
    const width = point.width === null ? 'as many as the prompt has positions' : String(point.width)
    throw new SpliceError('sae/width', `${sae.path} ${does} ${wanted} features, but ${hook} of ${model} has ${width}`, options)
  }
  return index
}

function someThatFit(points: readonly FittingPoint[], width: number, model: string): string {
  const fitting = points.filter(point => point.width === width).map(point => point.name)
  if (fitting.length === 0) return `No hook point of ${model} has ${width} features.`
  const more = fitting.length > 6 ? ` and ${fitting.length - 6} more` : ''
  return `Those that fit: ${fitting.slice(0, 6).join(', ')}${more}.`
}
