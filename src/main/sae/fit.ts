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
 * Where an SAE attaches to a model whose hook points are `points`, in the order in which they run. Throws `sae/fits-nothing`,
 * `sae/no-hook`, `sae/no-such-hook`, `sae/width`, `sae/head` and `sae/order`, naming the SAE, the hook point and the model.
 */
export function attach(sae: Fitting, points: readonly FittingPoint[], model: string): Attachment {
  refuseStranger(sae, points, model)
  if (sae.hook === null || (sae.isTranscoder && sae.hookOut === null)) {
    const missing = sae.hook === null ? 'which hook point it belongs to' : 'where this transcoder writes to'
    throw new SpliceError('sae/no-hook', `nothing in ${sae.path} says ${missing}`, {
      file: sae.path,
      field: 'hook',
      hint: `Name it after the path with @, such as @blocks.20.hook_resid_post. ${someThatFit(sae, points, sae.dIn)}`
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

/** Throws `sae/fits-nothing` for an SAE that reads or writes a width which no hook point of the model has, wherever it is put. */
function refuseStranger(sae: Fitting, points: readonly FittingPoint[], model: string): void {
  const widths = new Set(points.map(point => widthFor(sae, point)).filter(width => width !== null))
  const ends = [
    { does: 'reads', width: sae.dIn },
    { does: 'writes', width: sae.dOut }
  ]
  for (const { does, width } of ends) {
    if (widths.has(width) || points.some(point => point.width === width)) continue
    const kind = sae.headIndex === null ? 'hook point' : 'attention head'
    throw new SpliceError('sae/fits-nothing', `${sae.path} ${does} ${width} features, but no ${kind} of ${model} has as many`, {
      file: sae.path,
      field: sae.hook ?? 'hook',
      hint: `${model} has ${kind}s of ${[...widths].sort((one, other) => one - other).join(', ')} features: open the model that the SAE was trained on.`
    })
  }
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
  const options = { file: sae.path, field: hook, hint: someThatFit(sae, points, wanted) }
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

/** The width that an SAE meets at a hook point: a head's for those of one head; null where there is none. */
function widthFor({ headIndex }: Pick<Fitting, 'headIndex'>, { shape, width }: FittingPoint): number | null {
  if (headIndex === null) return width
  const [, , dHead] = shape
  return shape.length === 3 && typeof dHead === 'number' ? dHead : null
}

/** Hook points of a width, as a hint; an SAE of one head may find none, others have been refused before. */
function someThatFit(sae: Fitting, points: readonly FittingPoint[], width: number): string {
  const fitting = points.filter(point => widthFor(sae, point) === width).map(point => point.name)
  if (fitting.length === 0) return `No attention head has ${width} features.`
  const more = fitting.length > 6 ? ` and ${fitting.length - 6} more` : ''
  return `Those that fit: ${fitting.slice(0, 6).join(', ')}${more}.`
}
