/** `--edit VARIANT:SAE:FEATURE(xN|=N|+N)[@A:B]`: changes of features, by variant. */
import type { FeatureEdit, RunSae, SplicePositions, Variant } from '../../contract/run.ts'
import { mistake, quoted } from './arguments.ts'

const kinds = { x: 'scale', '=': 'set', '+': 'steer' } as const
const number = String.raw`-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`
const pattern = new RegExp(String.raw`^([^:]+):([^:]+):(\d+)([x=+])(${number})(?:@(\d*):(\d*))?$`)
const variantName = /^[A-Za-z0-9_-]+(\+error)?$/

function readEdit(text: string): { variant: string; edit: FeatureEdit } {
  const [, variant, sae, feature, sign, value, start, end] = pattern.exec(text) ?? []
  if (variant === undefined || sae === undefined || !(sign === 'x' || sign === '=' || sign === '+') || !variantName.test(variant)) {
    const hint =
      'Write VARIANT:SAE:FEATURE, then x2 to multiply, =0 to set, or +4.7 to steer, and perhaps @A:B, e.g. --edit off:sae1:10004=0@1:.'
    throw mistake('--edit', `--edit ${quoted(text)} is not an edit of a feature.`, hint)
  }
  const range = start === undefined ? null : ([Number(start), end === '' ? null : Number(end)] as const)
  if (range !== null && range[1] !== null && range[0] > range[1]) {
    throw mistake(
      '--edit',
      `--edit ${quoted(text)}: position ${range[0]} is above ${range[1]}.`,
      'Write @A:B with A not above B; @A: goes on to the end.'
    )
  }
  const positions: FeatureEdit['positions'] = range === null ? 'all' : [[range[0], range[1]]]
  return { variant, edit: { sae, feature: Number(feature), kind: kinds[sign], value: Number(value), positions } }
}

/**
 * Variants with their edits. An edit of a variant that is not there makes it: from `spliced`, all SAEs without their error terms, where
 * the edit is of an activation, from `clean` where it steers. Throws `cli/usage`.
 */
export function withEdits(
  variants: readonly Variant[],
  texts: readonly string[],
  saes: readonly RunSae[],
  positions: SplicePositions
): Variant[] {
  const edited = variants.map(variant => ({ ...variant }))
  for (const text of texts) {
    const { variant: name, edit } = readEdit(text)
    if (!saes.some(sae => sae.name === edit.sae)) {
      const known = saes.length === 0 ? 'Add it with --sae NAME=PATH.' : `The SAEs of this run are ${saes.map(sae => sae.name).join(', ')}.`
      throw mistake('--edit', `--edit ${quoted(text)}: ${edit.sae} is no SAE of this run.`, known)
    }
    let variant = edited.find(candidate => candidate.name === name)
    if (variant === undefined) {
      const splices = edit.kind === 'steer' ? [] : saes.map(sae => ({ sae: sae.name, errorTerm: false, positions }))
      variant = { name, splices }
      edited.push(variant)
    }
    if (name === 'clean')
      throw mistake('--edit', '--edit: clean is the model as it is.', 'Name another variant, e.g. --edit steered:sae1:7+4.')
    variant.edits = [...(variant.edits ?? []), edit]
  }
  return edited
}
